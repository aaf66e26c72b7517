/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_member.c without cluster_secret: nothing is signed, and only the own network is heard. */
#define SECRET ""
#include "fuzz_member.c"
