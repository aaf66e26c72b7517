/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The JSON writer: nesting and commas, escapes, and octets that are not UTF-8. */
#include "json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
nesting(void **state)
{
	struct json j = { 0 };

	(void)state;
	json_open(&j, NULL, '{');
	json_number(&j, "n", UINT64_MAX);
	json_open(&j, "list", '[');
	json_text(&j, NULL, "a");
	json_open(&j, NULL, '{');
	json_close(&j, '}');
	json_open(&j, NULL, '[');
	json_close(&j, ']');
	json_bool(&j, NULL, true);
	json_close(&j, ']');
	json_bool(&j, "no", false);
	json_null(&j, "nil");
	json_real(&j, "load", 0.5);
	json_close(&j, '}');
	assert_string_equal(j.text, "{\"n\":18446744073709551615,\"list\":[\"a\",{},[],true],"
				    "\"no\":false,\"nil\":null,\"load\":0.50}");
	assert_false(j.failed);
	json_free(&j);
}

static void
pieces_go_on_where_they_were(void **state)
{
	struct json j = { 0 };

	(void)state;
	json_open(&j, NULL, '[');
	json_number(&j, NULL, 1);
	assert_string_equal(j.text, "[1");
	json_flush(&j);
	json_number(&j, NULL, 2);
	json_close(&j, ']');
	assert_string_equal(j.text, ",2]");
	json_free(&j);
}

static void
check_text(const char *value, const char *want)
{
	struct json j = { 0 };

	json_text(&j, NULL, value);
	assert_string_equal(j.text, want);
	json_free(&j);
}

static void
escapes(void **state)
{
	(void)state;
	check_text("", "\"\"");
	check_text("a\"b\\c", "\"a\\\"b\\\\c\"");
	check_text("\x1b[2J\n\x7f", "\"\\u001b[2J\\u000a\\u007f\"");
	check_text("\xc2\x9b x", "\"\\u009b x\"");
	check_text(
	    "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

static void
not_utf8(void **state)
{
	(void)state;
	check_text("\xff", "\"\\ufffd\"");
	check_text("a\xc3", "\"a\\ufffd\"");
	check_text("\xe2\x82", "\"\\ufffd\\ufffd\"");
	check_text("\xc0\xaf", "\"\\ufffd\\ufffd\"");
	check_text("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"");
	check_text("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nesting),
		cmocka_unit_test(pieces_go_on_where_they_were),
		cmocka_unit_test(escapes),
		cmocka_unit_test(not_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
