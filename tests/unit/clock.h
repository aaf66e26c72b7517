/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A clock in place of loop.c's: it stands until the test that includes this sets now_ms. The time of
 * day is each test's own affair.
 */
#ifndef TESTS_UNIT_CLOCK_H
#define TESTS_UNIT_CLOCK_H

#include "loop.h"

static uint64_t now_ms = 1000000;

uint64_t
loop_now_ms(void)
{
	return now_ms;
}

uint32_t
loop_now_ds(void)
{
	return (uint32_t)(now_ms / 100);
}

#endif
