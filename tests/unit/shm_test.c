/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Giving memory back, also where all pages are locked (lock_pages). */
#include "l2tpns.h"
#include "log.h"
#include "shm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAGES = 64, USED = 3 };

static size_t page;

static size_t
resident(void *map)
{
	unsigned char in_core[PAGES];
	size_t i, n = 0;

	assert_int_equal(mincore(map, PAGES * page, in_core), 0);
	for (i = 0; i < PAGES; i++)
		n += in_core[i] & 1;
	return n;
}

static void
check_trim(uint8_t *map)
{
	assert_int_equal(resident(map), 0);
	memset(map, 'x', PAGES * page);
	assert_int_equal(resident(map), PAGES);
	shm_trim(map, PAGES * page, USED * page);
	assert_int_equal(map[USED * page - 1], 'x');
	assert_int_equal(resident(map), USED);
	assert_int_equal(map[USED * page], 0);
}

static void
test_trim(void **state)
{
	(void)state;
	check_trim(shm_map("shared", PAGES * page));
	check_trim(shm_map_private("private", PAGES * page));
}

/* The pages must not come back by the locking alone, and be locked when they do. */
static void
test_trim_locked(void **state)
{
	uint8_t *map;

	(void)state;
#ifdef __SANITIZE_ADDRESS__
	skip(); /* it makes mlockall() do nothing */
#endif
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		skip();
	check_trim(shm_map("shared and locked", PAGES * page));
	map = shm_map_private("private and locked", PAGES * page);
	check_trim(map);
	assert_int_equal(madvise(map + USED * page, page, MADV_DONTNEED), -1);
	munlockall();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_trim_locked),
	};

	page = (size_t)sysconf(_SC_PAGESIZE);
	return cmocka_run_group_tests_name("shm", tests, NULL, NULL);
}
