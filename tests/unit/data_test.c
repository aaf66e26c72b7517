/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The forwarding path on the members of a cluster: what a slave passes on itself, what it
 * hands to the master, and the master's door for that. Sessions and addresses are the real
 * tables; devices, engines and policies are stand-ins that note what they were given.
 */
#include "clfwd.h"
#include "config.h"
#include "counter.h"
#include "data.h"
#include "dump.h"
#include "filter.h"
#include "frame.h"
#include "hook.h"
#include "icmp.h"
#include "iptab.h"
#include "loop.h"
#include "note.h"
#include "role.h"
#include "session.h"
#include "snoop.h"
#include "tbf.h"
#include "tundev.h"
#include "tunnel.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { LAC = 0x0300000a, SUBSCRIBER = 0x0500000a, CORE = 0x0600000a, STRANGER = 0x0700000a };

static struct config config;
const struct config *conf = &config;
hook_packet_fn hook_packet_rx, hook_packet_tx;

static char did[128]; /* what was done, in words */
static tunn_id tunnel;
static sess_id s;

static void
note(const char *what)
{
	size_t n = strlen(did);

	snprintf(did + n, sizeof(did) - n, "%s%s", n ? " " : "", what);
}

/* --- stand-ins --- */

uint64_t
loop_now_ms(void)
{
	return 1000000;
}

uint32_t
loop_now_ds(void)
{
	return 10000;
}

time_t
loop_time(void)
{
	return 0;
}

uint16_t
config_mru(void)
{
	return 1462;
}

int
clfwd_from_lac(const struct pkt *pkt, enum clfwd_care care)
{
	assert_true(care == CLFWD_ONCE || care == CLFWD_REPEAT);
	assert_int_equal(pkt->from_ip, LAC);
	note("master");
	return 0;
}

int
clfwd_to_subscriber(const uint8_t *data, size_t len)
{
	assert_true(len >= IP4_HEADER && data[0] == 0x45);
	note("master");
	return 0;
}

int
clfwd_unknown_from_lac(const struct pkt *pkt, enum clfwd_care care)
{
	assert_true(care == CLFWD_ONCE || care == CLFWD_REPEAT);
	assert_int_equal(pkt->from_ip, LAC);
	note("ask");
	return 0;
}

int
clfwd_unknown_to_subscriber(const uint8_t *data, size_t len)
{
	assert_true(len >= IP4_HEADER && data[0] == 0x45);
	note("ask");
	return 0;
}

void
tundev_write(sess_id session, uint8_t *data, size_t len, size_t room)
{
	(void)data;
	assert_int_equal(session, s);
	assert_true(len >= IP4_HEADER && room >= 4);
	note("tun");
}

void
tundev_flush(void)
{
}

void
frame_send_ip(struct sess_fast *f, sess_id id, uint8_t *data, size_t len)
{
	(void)f;
	(void)data;
	(void)len;
	assert_int_equal(id, s);
	note("lac");
}

void
frame_send(sess_id id, uint16_t protocol, const void *data, size_t len)
{
	(void)id;
	(void)protocol;
	(void)data;
	(void)len;
	note("fragment");
}

bool
frame_in_sequence(sess_id id, uint16_t ns)
{
	(void)id;
	(void)ns;
	note("sequence");
	return true;
}

void
frame_keep_early(sess_id id, struct rd frame)
{
	(void)id;
	(void)frame;
	note("early");
}

void
hook_control(const struct pkt *pkt, const struct l2tp_hdr *h, struct rd avps)
{
	(void)pkt;
	(void)h;
	(void)avps;
	note("l2tp");
}

void
hook_frame(sess_id id, struct rd frame)
{
	(void)frame;
	assert_int_equal(id, s);
	note("ppp");
}

void
icmp_unreachable(const struct ip4 *ip)
{
	(void)ip;
	note("unreachable");
}

void
icmp_too_big(const struct ip4 *ip, uint16_t mtu)
{
	(void)ip;
	(void)mtu;
}

bool
filter_permits(uint8_t list, const struct ip4 *ip)
{
	(void)list;
	(void)ip;
	note("filter");
	return true;
}

void
snoop_packet(sess_id id, const struct ip4 *ip)
{
	(void)id;
	(void)ip;
	note("snoop");
}

int
tbf_input(sess_id id, enum tbf_dir dir, const struct ip4 *ip)
{
	(void)id;
	(void)dir;
	(void)ip;
	note("tbf");
	return 1;
}

void
dump_from_lac(
    const struct pkt *pkt, const struct l2tp_hdr *h, struct rd payload, enum l2tp_hdr_result result)
{
	(void)pkt;
	(void)h;
	(void)payload;
	(void)result;
}

/* --- packets --- */

static uint8_t buf[256];

static size_t
put_ip(uint8_t *to, uint32_t src, uint32_t dst)
{
	const uint8_t head[12] = { 0x45, 0, 0, IP4_HEADER, 0, 1, 0, 0, 64, IP4_UDP };

	memcpy(to, head, sizeof(head));
	memcpy(to + 12, &src, 4);
	memcpy(to + 16, &dst, 4);
	return IP4_HEADER;
}

static const char *
from_lac(struct wr w)
{
	struct pkt p = { .data = buf, .from_ip = LAC, .from_port = 1701 };

	p.len = (uint16_t)wr_len(&w);
	did[0] = '\0';
	data_from_lacs(&p, 1);
	return did;
}

static const char *
control(uint16_t wire_tid)
{
	struct wr w = wr_init(buf, sizeof(buf));

	wr_u16(&w, L2TP_FLAG_TYPE | L2TP_FLAG_LENGTH | L2TP_FLAG_SEQUENCE | L2TP_VERSION);
	wr_u16(&w, L2TP_CONTROL_HEADER);
	wr_u16(&w, wire_tid);
	wr_u16(&w, 0);
	wr_u32(&w, 0);
	return from_lac(w);
}

static const char *
frame(uint16_t wire_sid, uint16_t protocol)
{
	struct wr w = wr_init(buf, sizeof(buf));
	uint8_t ip[IP4_HEADER];

	wr_u16(&w, L2TP_FLAG_SEQUENCE | L2TP_VERSION);
	wr_u16(&w, tunnel_get(tunnel)->wire_tid);
	wr_u16(&w, wire_sid);
	wr_u32(&w, 0); /* Ns and Nr */
	wr_u16(&w, 0xff03);
	wr_u16(&w, protocol);
	wr_bytes(&w, ip, put_ip(ip, SUBSCRIBER, CORE));
	return from_lac(w);
}

static const char *
ip_up(void)
{
	return frame(session_get(s)->wire_sid, 0x0021);
}

static const char *
lcp_up(void)
{
	return frame(session_get(s)->wire_sid, 0xc021);
}

static const char *
unknown_up(void)
{
	return frame((uint16_t)(session_get(s)->wire_sid + 1), 0x0021);
}

static const char *
down(void (*input)(struct pkt *pkts, unsigned int n), uint32_t dst)
{
	struct pkt p = { .data = buf + PKT_HEADROOM };

	p.len = (uint16_t)put_ip(p.data, CORE, dst);
	did[0] = '\0';
	input(&p, 1);
	return did;
}

static const char *
ip_down(void)
{
	return down(data_from_tun, SUBSCRIBER);
}

static const char *
by_slave(void)
{
	return down(data_to_subscribers, SUBSCRIBER);
}

/* --- tests --- */

static int
setup(void **state)
{
	(void)state;
	s = session_new(tunnel, 5);
	session_set_state(s, SESS_OPEN);
	session_set_ip4(s, SUBSCRIBER, 0, false);
	session_forwarding(s, true);
	memset(counters, 0, sizeof(*counters));
	return iptab_add(SUBSCRIBER, 32, s);
}

static int
teardown(void **state)
{
	(void)state;
	iptab_del(SUBSCRIBER, 32, s);
	session_free(s);
	role_set(true, 0);
	return 0;
}

static void
a_master_sees_to_all(void **state)
{
	(void)state;
	assert_string_equal(control(tunnel_get(tunnel)->wire_tid), "l2tp");
	assert_string_equal(ip_up(), "tun");
	assert_string_equal(lcp_up(), "ppp");
	assert_string_equal(unknown_up(), "");
	assert_int_equal(counters->rx_unknown_session, 1);
	assert_string_equal(ip_down(), "lac");
	assert_string_equal(down(data_from_tun, STRANGER), "unreachable");
	session_set_rates(s, 100, 100);
	session_forwarding(s, true);
	assert_string_equal(ip_up(), "tbf tun");
	assert_string_equal(ip_down(), "tbf lac");
}

static void
a_slave_passes_on_data(void **state)
{
	(void)state;
	role_set(false, 1);
	assert_string_equal(ip_up(), "tun");
	assert_string_equal(ip_down(), "lac");
	assert_int_equal(session_fast(s)->rx_packets, 1);
	assert_int_equal(session_fast(s)->tx_packets, 1);
	session_set_filters(s, 1, 2);
	session_set_snoop(s, CORE, 1000);
	session_forwarding(s, true);
	assert_string_equal(ip_up(), "filter snoop tun");
	assert_string_equal(ip_down(), "filter snoop lac");
}

static void
what_changes_state_is_the_masters(void **state)
{
	(void)state;
	role_set(false, 1);
	assert_string_equal(control(0), "master");
	assert_string_equal(control(tunnel_get(tunnel)->wire_tid), "master");
	assert_string_equal(lcp_up(), "master");
}

/* Who lags behind the master does not answer in its place. */
static void
what_a_slave_does_not_know(void **state)
{
	(void)state;
	role_set(false, 1);
	assert_string_equal(unknown_up(), "ask");
	assert_string_equal(control((uint16_t)(tunnel_get(tunnel)->wire_tid + 1)), "ask");
	assert_string_equal(down(data_from_tun, STRANGER), "ask");
	session_forwarding(s, false);
	assert_string_equal(ip_up(), "ask");
	assert_string_equal(ip_down(), "ask");
	assert_string_equal(lcp_up(), "master");
}

static void
throttled_sessions_are_the_masters(void **state)
{
	(void)state;
	session_set_rates(s, 100, 100);
	session_forwarding(s, true);
	role_set(false, 1);
	assert_string_equal(ip_up(), "master");
	assert_string_equal(ip_down(), "master");
	role_set(true, 0);
	assert_string_equal(by_slave(), "tbf lac");
}

/* The answer to a gardened subscriber goes through the tun whose NAT saw his question, once. */
static void
gardened_sessions_are_the_masters(void **state)
{
	(void)state;
	session_set_garden(s, true);
	session_forwarding(s, true);
	role_set(false, 1);
	assert_string_equal(ip_up(), "master");
	assert_string_equal(ip_down(), "master");
	role_set(true, 0);
	assert_string_equal(by_slave(), "tun");
	assert_string_equal(ip_down(), "lac");
}

/* Two senders of numbers would make the LAC drop what one of them sends. */
static void
numbered_packets_leave_from_the_master(void **state)
{
	(void)state;
	session_set_sequencing(s, true);
	session_forwarding(s, true);
	role_set(false, 1);
	assert_string_equal(ip_up(), "sequence tun");
	assert_string_equal(ip_down(), "master");
	role_set(true, 0);
	assert_string_equal(by_slave(), "lac");
}

static void
a_master_answers_for_slaves(void **state)
{
	(void)state;
	assert_string_equal(down(data_to_subscribers, STRANGER), "unreachable");
	assert_int_equal(counters->tun_rx_dropped, 1);
}

static void
a_foreign_source_is_dropped_at_once(void **state)
{
	(void)state;
	tunnel_set_address(tunnel, STRANGER, 1701);
	session_follow_tunnel(s);
	role_set(false, 1);
	assert_string_equal(ip_up(), "");
	assert_string_equal(lcp_up(), "");
	assert_int_equal(counters->rx_wrong_source, 2);
	tunnel_set_address(tunnel, LAC, 1701);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_master_sees_to_all, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slave_passes_on_data, setup, teardown),
		cmocka_unit_test_setup_teardown(what_changes_state_is_the_masters, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_slave_does_not_know, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    throttled_sessions_are_the_masters, setup, teardown),
		cmocka_unit_test_setup_teardown(gardened_sessions_are_the_masters, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    numbered_packets_leave_from_the_master, setup, teardown),
		cmocka_unit_test_setup_teardown(a_master_answers_for_slaves, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_foreign_source_is_dropped_at_once, setup, teardown),
	};

	note_init(100);
	tunnel_init(10);
	session_init(100);
	iptab_init(100);
	data_init();
	tunnel = tunnel_new(LAC, 1701, 1, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
