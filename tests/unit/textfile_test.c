/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of files that people write: their ends, their lengths, and what cannot be in one. */
#include "textfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIZE = 12 }; /* for lines of ten characters */

static char file[] = "/tmp/textfile_test.XXXXXX";
static char lines[1024];  /* what was read, each in brackets */
static char errors[1024]; /* each ended by \n */
static int result;	  /* of textfile_close() */

static void
on_error(const char *message)
{
	strcat(strcat(errors, message), "\n");
}

static void
read_text(const char *text, size_t len)
{
	FILE *f = fopen(file, "w");
	struct textfile t;
	char line[SIZE];

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
	lines[0] = errors[0] = '\0';
	textfile_open(&t, file, "f", on_error);
	while (textfile_next(&t, line, sizeof(line)))
		strcat(strcat(strcat(lines, "["), line), "]");
	result = textfile_close(&t);
}

#define READ(text) read_text(text, sizeof(text) - 1)

static void
ends_of_lines(void **state)
{
	(void)state;
	READ("one\n\ntwo\r\nthree");
	assert_string_equal(lines, "[one][][two][three]");
	assert_int_equal(result, 0);
	READ("");
	assert_string_equal(lines, "");
	READ("\n");
	assert_string_equal(lines, "[]");
	assert_string_equal(errors, "");
}

static void
lengths(void **state)
{
	(void)state;
	READ("1234567890\n1234567890\nx\n");
	assert_string_equal(lines, "[1234567890][1234567890][x]");
	READ("a\n12345678901\n123456789012345678901234567890\nb\n12345678901");
	assert_string_equal(lines, "[a][b]");
	assert_string_equal(errors, "f:2: line is longer than 10 characters\n"
				    "f:3: line is longer than 10 characters\n"
				    "f:5: line is longer than 10 characters\n");
	assert_int_equal(result, 3);
}

static void
nul_characters(void **state)
{
	(void)state;
	READ("one\ntw\0o\nthree\n\0\nfive\n\0");
	assert_string_equal(lines, "[one][three][five]");
	assert_string_equal(errors, "f:2: line has a NUL character\n"
				    "f:4: line has a NUL character\n"
				    "f:6: line has a NUL character\n");
	assert_int_equal(result, 3);
}

static void
what_cannot_be_read(void **state)
{
	struct textfile t;
	char line[SIZE];

	(void)state;
	errors[0] = '\0';
	textfile_open(&t, "/nonexistent", "f", on_error);
	assert_false(textfile_next(&t, line, sizeof(line)));
	assert_int_equal(textfile_close(&t), -1);
	assert_string_equal(errors, "f: No such file or directory\n");
	errors[0] = '\0';
	textfile_open(&t, "/", "f", on_error);
	assert_false(textfile_next(&t, line, sizeof(line)));
	assert_int_equal(textfile_close(&t), -1);
	assert_string_equal(errors, "f: Is a directory\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_of_lines),
		cmocka_unit_test(lengths),
		cmocka_unit_test(nul_characters),
		cmocka_unit_test(what_cannot_be_read),
	};
	int fd = mkstemp(file), failed;

	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(file);
	return failed;
}
