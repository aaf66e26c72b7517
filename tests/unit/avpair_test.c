/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cisco-AVPair: what is one pair, what is several. */
#include "avpair.h"
#include "util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* All pairs of a text as "key|value;key|value;". */
static const char *
taken_apart(const char *text)
{
	static char all[1024];
	struct avpair pair;
	size_t len = 0;

	all[0] = '\0';
	while (avpair_next(&text, &pair))
		len +=
		    (size_t)snprintf(all + len, sizeof(all) - len, "%s|%s;", pair.key, pair.value);
	return all;
}

static void
pairs(void **state)
{
	(void)state;
	assert_string_equal(taken_apart("throttle=yes"), "throttle|yes;");
	assert_string_equal(taken_apart("throttle=yes,intercept=10.0.0.1:99"),
	    "throttle|yes;intercept|10.0.0.1:99;");
	assert_string_equal(taken_apart("a=1, b=2,\tc=3"), "a|1;b|2;c|3;");
	assert_string_equal(taken_apart(" ,,a=1,,b=2,"), "a|1;b|2;");
	assert_string_equal(taken_apart("a=,b="), "a|;b|;");
	assert_string_equal(
	    taken_apart(" throttle = 100 , intercept =\tno "), "throttle|100;intercept|no;");
	assert_string_equal(taken_apart("throttle=in 300, out 200 ,"), "throttle|in 300, out 200;");
	assert_string_equal(taken_apart("a = "), "a|;");
}

static void
values_with_signs(void **state)
{
	(void)state;
	assert_string_equal(taken_apart("url=http://x/?a=b&c=d"), "url|http://x/?a=b&c=d;");
	assert_string_equal(taken_apart("key=base64=="), "key|base64==;");
	assert_string_equal(
	    taken_apart("throttle=in 300,out 200,garden=no"), "throttle|in 300,out 200;garden|no;");
	assert_string_equal(
	    taken_apart("ip:inacl#1=permit ip any any"), "ip:inacl#1|permit ip any any;");
}

static void
router_configuration_is_whole(void **state)
{
	(void)state;
	assert_string_equal(taken_apart("lcp:interface-config#1=service-policy input 300"),
	    "lcp:interface-config#1|service-policy input 300;");
	assert_string_equal(taken_apart("lcp:interface-config#1= description a, "),
	    "lcp:interface-config#1|description a,;");
	assert_string_equal(
	    taken_apart("lcp:interface-config=a=b,c=d"), "lcp:interface-config|a=b,c=d;");
	assert_string_equal(
	    taken_apart("x=1,lcp:interface-config#12=a,b=c"), "x|1;lcp:interface-config#12|a,b=c;");
}

static void
what_is_no_pair(void **state)
{
	(void)state;
	assert_string_equal(taken_apart(""), "");
	assert_string_equal(taken_apart(" , "), "");
	assert_string_equal(taken_apart("word"), "word|;");
	assert_string_equal(taken_apart("word,a=1"), "word|;a|1;");
	assert_string_equal(taken_apart("=1"), "|1;");
}

/* Whatever comes: it ends, and nothing is longer than it was. */
static void
random_texts(void **state)
{
	static const char chars[] = "ab=,#: \t:-lcp";
	char text[AVPAIR_TEXT];
	struct avpair pair;
	int round, i;

	(void)state;
	srandom(7);
	for (round = 0; round < 20000; round++) {
		const char *pos = text;
		size_t len = (size_t)random() % sizeof(text), left;

		for (i = 0; i < (int)len; i++)
			text[i] = random() % 50 ? chars[(size_t)random() % (sizeof(chars) - 1)]
						: (char)random();
		text[len] = '\0';
		for (left = strlen(pos); avpair_next(&pos, &pair); left = strlen(pos)) {
			assert_true(strlen(pos) < left);
			assert_true(strlen(pair.key) + strlen(pair.value) <= left);
		}
		assert_int_equal(*(pos + strspn(pos, " \t,")), '\0');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs),
		cmocka_unit_test(values_with_signs),
		cmocka_unit_test(router_configuration_is_whole),
		cmocka_unit_test(what_is_no_pair),
		cmocka_unit_test(random_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
