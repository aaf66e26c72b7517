/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operators' file: the kinds of passwords, the enable entry, and what is refused. */
#include "users.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char file[] = "/tmp/users_test.XXXXXX";
static char errors[4096];

static void
on_error(const char *line)
{
	snprintf(errors + strlen(errors), sizeof(errors) - strlen(errors), "%s\n", line);
}

static void
write_file(const char *text)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	fclose(f);
}

/* The file as at start: what is good of it serves. */
static int
read_text(const char *text)
{
	int result;

	write_file(text);
	errors[0] = '\0';
	result = users_stage(file, on_error);
	users_commit();
	return result;
}

static void
no_entries(void **state)
{
	(void)state;
	assert_int_equal(read_text(""), 0);
	assert_int_equal(users_count(), 0);
	assert_false(users_has_enable());
	assert_false(users_enable(""));
	assert_false(users_login("", ""));
	assert_false(users_login("joe", "x"));
}

static void
plain_passwords(void **state)
{
	(void)state;
	assert_int_equal(
	    read_text("# operators\njoe:pa:ss word#!\r\n\n \t\nann:$6$not a hash\n"), 0);
	assert_int_equal(users_count(), 2);
	assert_true(users_login("joe", "pa:ss word#!"));
	assert_false(users_login("joe", "pa:ss word#"));
	assert_false(users_login("joe", "pa:ss word#!x"));
	assert_false(users_login("joe", ""));
	assert_false(users_login("JOE", "pa:ss word#!"));
	assert_true(users_login("ann", "$6$not a hash"));
}

static void
hashed_passwords(void **state)
{
	(void)state;
	assert_int_equal(
	    read_text(
		"md5:$1$abcdefgh$G//4keteveJp0qb8z2DxG/\n"
		"des:{crypt}abFZSxKKdq5s6\n"
		"sha:{crypt}$5$rounds=1000$saltstring$n1MEWFPd1lEE7/KU5DhSUSLK1IJKM0A7BOA1Fk2uBa1\n"
		"bad:{crypt}\n"
		"worse:{crypt}*0\n"),
	    0);
	assert_true(users_login("md5", "password"));
	assert_false(users_login("md5", "Password"));
	assert_false(users_login("md5", "$1$abcdefgh$G//4keteveJp0qb8z2DxG/"));
	assert_true(users_login("des", "abc"));
	assert_false(users_login("des", "abd"));
	assert_true(users_login("sha", "abc"));
	assert_false(users_login("sha", "wrong"));
	assert_false(users_login("bad", ""));
	assert_false(users_login("bad", "{crypt}"));
	assert_false(users_login("worse", "*0"));
	assert_false(users_login("nobody", "x"));
}

static void
enable_password(void **state)
{
	(void)state;
	assert_int_equal(read_text("enable:up\n"), 0);
	assert_int_equal(users_count(), 0);
	assert_true(users_has_enable());
	assert_true(users_enable("up"));
	assert_false(users_enable("down"));
	assert_false(users_login("enable", "up"));
	assert_int_equal(read_text("joe:x\nenable:{crypt}abFZSxKKdq5s6\n"), 0);
	assert_int_equal(users_count(), 1);
	assert_true(users_enable("abc"));
}

static void
wrong_lines_are_named(void **state)
{
	char text[2000], want[2000];

	(void)state;
	assert_int_equal(read_text("joe\n:x\njoe:\njoe:a\njoe:b\n"), 4);
	snprintf(want, sizeof(want),
	    "%s:1: not NAME:PASSWORD\n%s:2: not NAME:PASSWORD\n%s:3: joe has no password\n"
	    "%s:5: joe is there twice\n",
	    file, file, file, file);
	assert_string_equal(errors, want);
	assert_true(users_login("joe", "a"));

	memset(text, 'x', sizeof(text));
	snprintf(text + 1000, sizeof(text) - 1000, "\n%070d:x\nx:%0300d\nann:y\n", 1, 1);
	assert_int_equal(read_text(text), 3);
	snprintf(want, sizeof(want),
	    "%s:1: line is longer than 510 characters\n%s:2: the name is longer than 63 "
	    "characters\n"
	    "%s:3: the password of x is longer than 255 characters\n",
	    file, file, file);
	assert_string_equal(errors, want);
	assert_int_equal(users_count(), 1);
	assert_true(users_login("ann", "y"));
}

static void
missing_and_unreadable(void **state)
{
	(void)state;
	assert_int_equal(read_text("joe:a\n"), 0);
	errors[0] = '\0';
	assert_int_equal(users_stage("/tmp", on_error), -1);
	assert_string_equal(errors, "/tmp: Is a directory\n");
	assert_true(users_login("joe", "a"));
	users_commit();
	assert_int_equal(users_count(), 0);
	assert_true(users_ask_login());
	unlink(file);
	assert_int_equal(users_stage(file, on_error), 0);
	users_commit();
	assert_false(users_ask_login());
	assert_false(users_login("joe", "a"));
}

static void
staged_is_not_in_force(void **state)
{
	(void)state;
	assert_int_equal(read_text("joe:a\n"), 0);
	write_file("joe:b\nann\n");
	assert_int_equal(users_stage(file, on_error), 1);
	assert_true(users_login("joe", "a"));
	assert_false(users_login("joe", "b"));
	users_commit();
	assert_true(users_login("joe", "b"));
	assert_false(users_login("joe", "a"));
}

static void
broken_is_not_empty(void **state)
{
	(void)state;
	assert_int_equal(read_text("# nobody\n"), 0);
	assert_false(users_ask_login());
	assert_int_equal(read_text("joe a\n"), 1);
	assert_int_equal(users_count(), 0);
	assert_true(users_ask_login());
	assert_int_equal(read_text("enable:x\n"), 0);
	assert_false(users_ask_login());
	assert_int_equal(read_text("enable:x\njoe\n"), 1);
	assert_true(users_ask_login());
}

static void
many(void **state)
{
	char text[8000] = "";
	int i;

	(void)state;
	for (i = 0; i < 300; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "u%d:p%d\n", i, i);
	assert_int_equal(read_text(text), 300 - 256);
	assert_int_equal(users_count(), 256);
	assert_true(users_login("u255", "p255"));
	assert_false(users_login("u256", "p256"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_entries),
		cmocka_unit_test(plain_passwords),
		cmocka_unit_test(hashed_passwords),
		cmocka_unit_test(enable_password),
		cmocka_unit_test(wrong_lines_are_named),
		cmocka_unit_test(missing_and_unreadable),
		cmocka_unit_test(many),
		cmocka_unit_test(staged_is_not_in_force),
		cmocka_unit_test(broken_is_not_empty),
	};
	int fd = mkstemp(file), failed;

	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(file);
	return failed;
}
