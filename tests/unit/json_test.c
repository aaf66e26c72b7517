/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON put out a row at a time: commas and brackets, escapes, and octets that are not UTF-8. */
#include "json.h"
#include "util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char text[4096];

static void
collect(void *arg, const char *line)
{
	size_t n = strlen(text);

	(void)arg;
	snprintf(text + n, sizeof(text) - n, "%s\n", line);
}

static struct json
document(void)
{
	text[0] = '\0';
	return (struct json){ .out = collect };
}

static json_t *
row(uint64_t id)
{
	json_t *o = json_object();

	json_put_number(o, "id", id);
	return o;
}

static void
whole(void **state)
{
	struct json j = document();
	json_t *o = row(INT64_MAX);

	(void)state;
	json_put_text(o, "name", "a");
	json_put_bool(o, "no", false);
	json_put_real(o, "load", 0.07);
	json_object_set_new(o, "nil", json_null());
	json_whole(&j, o);
	assert_string_equal(text, "{\"id\":9223372036854775807,\"name\":\"a\",\"no\":false,"
				  "\"load\":0.07,\"nil\":null}\n");
	assert_false(j.failed);
}

static void
list_of_rows(void **state)
{
	struct json j = document();

	(void)state;
	json_begin(&j, NULL, NULL);
	assert_string_equal(text, "[\n");
	json_row(&j, row(1));
	json_row(&j, row(2));
	assert_string_equal(text, "[\n{\"id\":1}\n,{\"id\":2}\n");
	json_end(&j);
	assert_string_equal(text, "[\n{\"id\":1}\n,{\"id\":2}\n]\n");
	assert_false(j.failed);
}

static void
list_in_an_object(void **state)
{
	struct json j = document();
	json_t *parsed;

	(void)state;
	json_begin(&j, row(7), "rows");
	json_row(&j, row(1));
	json_end(&j);
	assert_string_equal(text, "{\"id\":7,\"rows\":[\n{\"id\":1}\n]}\n");
	parsed = json_loads(text, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(parsed, "rows")), 1);
	json_decref(parsed);
	j = document();
	json_begin(&j, json_object(), "rows");
	json_end(&j);
	assert_string_equal(text, "{\"rows\":[\n]}\n");
}

static void
a_value_that_is_not_there(void **state)
{
	struct json j = document();

	(void)state;
	json_whole(&j, NULL);
	assert_true(j.failed);
	assert_string_equal(text, "");
}

static void
check_text(const char *value, const char *want)
{
	struct json j = document();

	json_whole(&j, json_text(value));
	text[strlen(text) - 1] = '\0';
	assert_string_equal(text, want);
}

/* Neither C0 nor C1 control characters reach a terminal. */
static void
escapes(void **state)
{
	(void)state;
	check_text("", "\"\"");
	check_text("a\"b\\c", "\"a\\\"b\\\\c\"");
	check_text("\x1b[2J\n", "\"\\u001B[2J\\n\"");
	check_text("\xc2\x9b x", "\"\\u009B x\"");
	check_text("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\\u00E9\\u20AC\\uD83D\\uDE00\"");
}

static void
not_utf8(void **state)
{
	(void)state;
	check_text("\xff", "\"\\uFFFD\"");
	check_text("a\xc3", "\"a\\uFFFD\"");
	check_text("\xe2\x82", "\"\\uFFFD\\uFFFD\"");
	check_text("\xc0\xaf", "\"\\uFFFD\\uFFFD\"");
	check_text("\xed\xa0\x80", "\"\\uFFFD\\uFFFD\\uFFFD\"");
	check_text("\xf4\x90\x80\x80", "\"\\uFFFD\\uFFFD\\uFFFD\\uFFFD\"");
}

/* Any octets at all make valid JSON. */
static void
random_text(void **state)
{
	unsigned int run, i, seed = 7;
	char value[64];
	json_t *parsed;
	struct json j;

	(void)state;
	for (run = 0; run < 2000; run++) {
		for (i = 0; i < sizeof(value) - 1; i++)
			value[i] = (char)(rand_r(&seed) >> 8);
		value[sizeof(value) - 1] = '\0';
		j = document();
		json_whole(&j, json_text(value));
		parsed = json_loads(text, JSON_DECODE_ANY, NULL);
		assert_true(json_is_string(parsed));
		json_decref(parsed);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),
		cmocka_unit_test(list_of_rows),
		cmocka_unit_test(list_in_an_object),
		cmocka_unit_test(a_value_that_is_not_there),
		cmocka_unit_test(escapes),
		cmocka_unit_test(not_utf8),
		cmocka_unit_test(random_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
