/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records installed, removed and installed again at random on a slave, against a plain model
 * of what must be found by which index; a round trip of all of a session; and a member that
 * becomes master with what it has: links that go on, that begin anew, and that end, and a
 * step down. The engines are the real ones; what they send comes here.
 */
#include "acct.h"
#include "acct_queue.h"
#include "addr.h"
#include "avp.h"
#include "bgp_route.h"
#include "change.h"
#include "counter.h"
#include "cpopt.h"
#include "filter.h"
#include "frame.h"
#include "ippool.h"
#include "iptab.h"
#include "l2tp.h"
#include "l2tp_chan.h"
#include "loop.h"
#include "ppp.h"
#include "repl_offer.h"
#include "repl_state.h"
#include "radius.h"
#include "role.h"
#include "rtnl.h"
#include "tbf.h"
#include "timer.h"
#include "tunnel.h"
#include "usage.h"
#include "util.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { TUNNELS = 5, SESSIONS = 60, ADDRESSES = 40, OUR_MAGIC = 0x1234567 };

/* --- what leaves --- */

static struct {
	bool control;
	uint16_t type;	   /* of a control message; 0: a ZLB */
	uint16_t ns, nr;   /* the same */
	uint16_t protocol; /* of a frame */
	uint8_t code, id;  /* of its packet */
	uint8_t data[64];  /* behind that */
} sent[256];
static unsigned int n_sent, n_events;
static int routes; /* the kernel has */

void
udp_send(uint8_t local, uint32_t ip, uint16_t port, const void *data, size_t len)
{
	struct rd r = rd_init(data, len);
	struct l2tp_hdr h;

	(void)local;
	(void)ip;
	(void)port;
	assert_true(role_is_master());
	assert_int_equal(l2tp_hdr_decode(&r, &h), L2TP_HDR_OK);
	assert_true(n_sent < ARRAY_LEN(sent));
	memset(&sent[n_sent], 0, sizeof(sent[n_sent]));
	sent[n_sent].control = h.flags & L2TP_FLAG_TYPE;
	sent[n_sent].ns = h.ns;
	sent[n_sent].nr = h.nr;
	if (sent[n_sent].control) {
		rd_skip(&r, rd_left(&r) ? 6 : 0);
		sent[n_sent].type = rd_left(&r) ? rd_u16(&r) : 0;
	} else {
		rd_skip(&r, 2);
		sent[n_sent].protocol = rd_u16(&r);
		sent[n_sent].code = rd_u8(&r);
		sent[n_sent].id = rd_u8(&r);
		rd_skip(&r, 2);
		memcpy(sent[n_sent].data, r.pos, MIN(rd_left(&r), sizeof(sent[n_sent].data)));
	}
	n_sent++;
}

void
udp_send_in_place(uint8_t local, uint32_t ip, uint16_t port_be, void *data, size_t len)
{
	udp_send(local, ip, ntohs(port_be), data, len);
}

void
udp_flush(void)
{
}

uint32_t
udp_local_address(uint8_t local)
{
	return htonl(0x0a000001u + local);
}

int
udp_local_of(uint32_t addr)
{
	return (int)(ntohl(addr) - 0x0a000001u);
}

unsigned int
udp_local_index(uint8_t local)
{
	return local;
}

void
rtnl_route_add(uint32_t addr, unsigned int len)
{
	(void)addr;
	(void)len;
	routes++;
}

void
rtnl_route_del(uint32_t addr, unsigned int len)
{
	(void)addr;
	(void)len;
	routes--;
}

/* --- the engines --- */

static void
on_session(sess_id s, enum sess_event ev)
{
	(void)s;
	n_events += ev != SESS_EV_GONE;
}

static bool
nobody_knows(sess_id s, const struct auth_request *req)
{
	(void)s;
	(void)req;
	return true;
}

typedef void (*session_hook)(sess_id s, enum sess_event ev);

static const struct hook_table hooks = {
	.session = (const session_hook[]){ on_session, addr_session, frame_session, filter_session,
	    tbf_session, ppp_session, l2tp_session, NULL },
	.control = (void (*const[])(
	    const struct pkt *, const struct l2tp_hdr *, struct rd)){ l2tp_control, NULL },
	.frame = (void (*const[])(sess_id, struct rd)){ ppp_frame, NULL },
	.call_up = (void (*const[])(sess_id)){ ppp_call_up, NULL },
	.call_close = (void (*const[])(sess_id)){ l2tp_call_close, NULL },
	.close = (void (*const[])(sess_id, const struct sess_end *)){ ppp_close, NULL },
	.authenticate =
	    (bool (*const[])(sess_id, const struct auth_request *)){ nobody_knows, NULL },
	.auth_cancel = (void (*const[])(sess_id)){ NULL },
	.account = (void (*const[])(sess_id, struct wr *)){ NULL },
	.role = (void (*const[])(bool)){ acct_queue_role, NULL },
	.members = (const struct hook_member *const[]){ &usage_member, &acct_member, &tbf_member,
	    &l2tp_member, &ppp_member, NULL },
	.tunnel_member = &l2tp_tunnel_member,
};

static void
on_output(sess_id s, enum tbf_dir dir, uint8_t *data, size_t len)
{
	(void)s;
	(void)dir;
	(void)data;
	(void)len;
}

static uint64_t clock_ms = 1000000;
static uint64_t version = 1000; /* of the master, as far as records say */

/* The loop's clock, too. */
int
clock_gettime(clockid_t id, struct timespec *ts)
{
	(void)id;
	ts->tv_sec = (time_t)(clock_ms / 1000);
	ts->tv_nsec = (long)(clock_ms % 1000) * 1000000;
	return 0;
}

static void
pass(unsigned int ms)
{
	unsigned int i;

	for (i = 0; i < ms; i += TIMER_TICK_MS) {
		clock_ms += TIMER_TICK_MS;
		loop_clock();
		timer_run(clock_ms);
		l2tp_chan_flush();
	}
}

static void
be_master(void)
{
	role_set(true, 0);
	repl_state_adopt(NULL);
	pass(50);
	assert_true(repl_state_settled());
}

static void
be_slave(void)
{
	role_set(false, 0);
	repl_state_yield(NULL);
	pass(50);
	assert_true(repl_state_settled());
	n_sent = n_events = 0;
	version = MAX(version, change_table_version());
}

/* --- records --- */

static struct repl_session rec, again;

static void
make_tunnel(struct repl_tunnel *r, uint32_t id, uint16_t wire_tid)
{
	*r = (struct repl_tunnel){
		.id = id,
		.version = ++version,
		.state = TUNNEL_OPEN,
		.wire_tid = wire_tid,
		.peer_tid = (uint16_t)(500 + id),
		.local_ip = htonl(0x0a000001),
		.peer_ip = htonl(0x0a090000 + id),
		.peer_port = 1701,
		.peer_window = 8,
		.opened = 1700000000,
		.chan_open = 1,
		.ns = 20,
		.nr = 30,
		.acked = 20,
		.high = 20,
		.hostname = "lac",
	};
}

static void
put_tunnels(void)
{
	struct repl_tunnel t;
	uint32_t id;

	for (id = 1; id <= TUNNELS; id++) {
		make_tunnel(&t, id, (uint16_t)(700 + id));
		assert_int_equal(tunnel_install(&t), INSTALL_DONE);
	}
}

/* His tunnels are ours. */
static void
match_tunnels(void)
{
	struct repl_tunnel t;
	unsigned int id;

	for (id = 1; id <= TUNNELS; id++) {
		make_tunnel(&t, id, tunnel_get((tunn_id)id)->wire_tid);
		tunnel_match(&t);
	}
}

static void
drop_all(void)
{
	uint32_t id;

	for (id = 1; id <= TUNNELS; id++)
		tunnel_remove(id, ++version);
	assert_int_equal(session_count(), 0);
	assert_int_equal(tunnel_count(), 0);
	assert_int_equal(iptab_count(), 0);
	assert_int_equal(routes, 0);
}

static void
add_note(uint8_t kind, const void *data, size_t len)
{
	struct note n = { .kind = kind, .len = (uint8_t)len };

	memcpy(n.data, data, len);
	assert_true(repl_add_note(&rec, &n));
}

static void
make_session(uint32_t id, uint32_t tunnel, uint16_t wire_sid, uint32_t unique)
{
	repl_clear_session(&rec);
	rec.id = id;
	rec.version = ++version;
	rec.rec.tunnel = tunnel;
	rec.rec.wire_sid = wire_sid;
	rec.rec.peer_sid = (uint16_t)(wire_sid + 1);
	rec.rec.unique = unique;
	rec.rec.opened = 1700000000;
	rec.rec.mru = rec.rec.peer_mru = 1400;
	rec.rec.state = SESS_OPEN;
	rec.rec.phase = PPP_NETWORK;
	rec.rec.auth = AUTH_PAP;
	rec.rec.cp[SESS_CP_LCP] = rec.rec.cp[SESS_CP_IPCP] = CP_OPENED;
	rec.rec.authed = rec.rec.answered = 1;
	rec.rec.magic = OUR_MAGIC;
	rec.rec.peer_magic = 0x7654321;
	str_copy(rec.rec.user, sizeof(rec.rec.user), "joe");
	str_copy(rec.rec.calling, sizeof(rec.rec.calling), "0891234");
	rec.on = 1;
	rec.login = unique;
	rec.age_ds = 77;
	rec.ppp.ask_magic = rec.ppp.ask_mru = rec.ppp.heard = rec.ppp.served = 1;
	rec.ppp.auth_done = rec.ppp.announced = rec.ppp.has_address = rec.ppp.ask_address = 1;
	rec.ppp.our_magic = OUR_MAGIC;
	rec.ppp.our_mru = 1400;
	rec.ppp.lcp_last_id = 9;
}

/* --- at random --- */

static struct {
	uint64_t version;
	uint32_t tunnel, unique, ip4;
	uint16_t wire_sid;
	char user[8], calling[8];
	bool used, up, noted;
} model[SESSIONS + 1];
static uint32_t owner[ADDRESSES]; /* whose an address is */

static uint32_t
address(uint32_t i)
{
	return htonl(0xc0a80000 + i);
}

static void
model_release(uint32_t id)
{
	uint32_t i = ntohl(model[id].ip4) - 0xc0a80000;

	if (model[id].ip4 && owner[i] == id)
		owner[i] = 0;
}

static void
model_remove(uint32_t id)
{
	model_release(id);
	model[id].used = false;
}

static void
random_session(uint32_t id)
{
	static uint32_t last_unique = 100;
	bool same = model[id].used && random() % 3;
	uint32_t unique = same ? model[id].unique : ++last_unique;
	uint32_t tunnel = same ? model[id].tunnel : 1 + (uint32_t)random() % TUNNELS;
	uint16_t wire = same ? model[id].wire_sid : (uint16_t)(1 + random() % 50);
	uint32_t other, at = (uint32_t)random() % ADDRESSES;

	make_session(id, tunnel, wire, unique);
	snprintf(rec.rec.user, sizeof(rec.rec.user), "u%ld", random() % 4);
	snprintf(rec.rec.calling, sizeof(rec.rec.calling), "c%ld", random() % 4);
	rec.rec.authed = random() % 3 > 0;
	rec.rec.ip4 = !rec.rec.authed ? 0 : same && random() % 2 ? model[id].ip4 : address(at);
	rec.ppp.announced = rec.on = rec.rec.ip4 != 0;
	rec.rec.garden = random() % 4 == 0;
	if (random() % 2)
		add_note(NOTE_CLASS, "class", 5);
	if (model[id].version && random() % 5 == 0) { /* late or repeated: no news */
		rec.version = model[id].version - (uint64_t)(random() % 2);
		assert_int_equal(session_install(&rec), INSTALL_OLD);
		return;
	}
	assert_int_equal(session_install(&rec), INSTALL_DONE);
	for (other = 1; other <= SESSIONS; other++)
		if (other != id && model[other].used && model[other].tunnel == tunnel &&
		    model[other].wire_sid == wire)
			model_remove(other);
	if (model[id].used && (model[id].ip4 != rec.rec.ip4 || !same))
		model_release(id);
	if (rec.rec.ip4 &&
	    (!same || model[id].ip4 != rec.rec.ip4 || model[id].noted != (rec.notes_len > 0) ||
		strcmp(model[id].user, rec.rec.user) != 0))
		owner[ntohl(rec.rec.ip4) - 0xc0a80000] = id;
	model[id].used = true;
	model[id].version = rec.version;
	model[id].tunnel = tunnel;
	model[id].wire_sid = wire;
	model[id].unique = unique;
	model[id].ip4 = rec.rec.ip4;
	model[id].up = rec.on;
	model[id].noted = rec.notes_len > 0;
	str_copy(model[id].user, sizeof(model[id].user), rec.rec.authed ? rec.rec.user : "");
	str_copy(model[id].calling, sizeof(model[id].calling), rec.rec.calling);
}

static void
random_step(void)
{
	uint32_t id = 1 + (uint32_t)random() % SESSIONS;

	if (random() % 4) {
		random_session(id);
		return;
	}
	if (model[id].version)
		assert_int_equal(session_remove(id, model[id].version), INSTALL_OLD);
	assert_int_equal(session_remove(id, ++version), INSTALL_DONE);
	model[id].version = version;
	model_remove(id);
}

static unsigned int
count_user(const char *user)
{
	unsigned int n = 0;
	sess_id s;

	for (s = session_by_user(user); s; s = session_next_of_user(s), n++)
		assert_string_equal(model[s].user, user);
	return n;
}

static unsigned int
count_calling(const char *calling)
{
	unsigned int n = 0;
	sess_id s;

	for (s = session_by_calling(calling); s; s = session_next_of_calling(s), n++)
		assert_string_equal(model[s].calling, calling);
	return n;
}

static void
check_texts(const char *text)
{
	unsigned int users = 0, callings = 0, id;

	for (id = 1; id <= SESSIONS; id++) {
		users += model[id].used && strcmp(model[id].user, text) == 0;
		callings += model[id].used && strcmp(model[id].calling, text) == 0;
	}
	assert_int_equal(count_user(text), users);
	assert_int_equal(count_calling(text), callings);
}

static void
check_model(void)
{
	unsigned int n = 0, in_tunnels = 0, id, i;
	int up = 0;
	char text[8];

	for (id = 1; id <= SESSIONS; id++) {
		const struct session *s = session_get(id);

		assert_int_equal(s != NULL, model[id].used);
		if (!s)
			continue;
		n++;
		up += model[id].up;
		assert_int_equal(session_by_unique(model[id].unique), id);
		assert_int_equal(session_by_wire(tunnel_get((tunn_id)model[id].tunnel)->wire_tid,
				     model[id].wire_sid),
		    id);
		assert_int_equal((session_fast(id)->flags & SF_ON) != 0, model[id].up);
		assert_int_equal(session_fast(id)->ip4, model[id].ip4);
	}
	assert_int_equal(session_count(), n);
	for (id = 1; id <= TUNNELS; id++)
		in_tunnels += tunnel_get((tunn_id)id)->sessions.count;
	assert_int_equal(in_tunnels, n);
	assert_int_equal(routes, up);
	for (i = 0; i < ADDRESSES; i++)
		assert_int_equal(iptab_lookup(address(i)), owner[i]);
	for (i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "u%u", i);
		check_texts(text);
		snprintf(text, sizeof(text), "c%u", i);
		check_texts(text);
	}
}

static void
random_records(void **state)
{
	unsigned int i;

	(void)state;
	be_slave();
	put_tunnels();
	for (i = 0; i < 20000; i++) {
		random_step();
		if (i % 7 == 0 || i < 500)
			check_model();
	}
	assert_int_equal(n_sent, 0);
	assert_int_equal(n_events, 0);
	be_master(); /* all of that can be adopted, and given up */
	be_slave();
	check_model();
	drop_all();
	memset(model, 0, sizeof(model));
	memset(owner, 0, sizeof(owner));
}

/* --- a round trip --- */

static void
all_comes_back(void **state)
{
	struct note_route r = { .addr = htonl(0xc0a80900), .len = 24 };
	struct repl_tunnel t, t2;

	(void)state;
	be_slave();
	put_tunnels();
	make_session(7, 2, 4711, 99);
	rec.rec.ip4 = address(3);
	rec.rec.session_timeout = 3600;
	rec.rec.rate_in = rec.rec.rate_out = 64;
	rec.rec.snoop_ip = address(9);
	rec.rec.garden = rec.rec.sequencing = 1;
	rec.rec.accounted = 1;
	rec.acct = (struct repl_account){ .state = 2,
		.age_ds = 55,
		.rx_bytes = 1,
		.rx_packets = 2,
		.tx_bytes = 3,
		.tx_packets = 4 };
	rec.garden = (struct repl_garden){ 1, 10, 20, 30, 40 };
	rec.ppp.ipcp_id = 3;
	rec.ppp.lcp_id = 4;
	rec.ppp.echo_id = 5;
	rec.ppp.auth_id = 6;
	memset(rec.ppp.challenge, 0x55, sizeof(rec.ppp.challenge));
	str_copy(rec.ppp.pool, sizeof(rec.ppp.pool), "p");
	add_note(NOTE_ROUTE, &r, sizeof(r));
	add_note(NOTE_CLASS, "class", 5);
	add_note(NOTE_SUCCESS, "S=1", 3);
	assert_int_equal(session_install(&rec), INSTALL_DONE);
	assert_int_equal(iptab_lookup(htonl(0xc0a80912)), 7);
	assert_int_equal(routes, 2);
	assert_true(session_fast(7)->flags & SF_ROUTES);
	assert_true(session_fast(7)->flags & SF_THROTTLE);
	assert_true(session_export(7, &again));
	assert_memory_equal(&again, &rec, offsetof(struct repl_session, notes) + rec.notes_len);

	assert_true(tunnel_export(2, &t));
	assert_int_equal(tunnel_remove(2, ++version), INSTALL_DONE);
	assert_false(session_export(7, &again));
	assert_int_equal(iptab_count(), 0);
	t.version = ++version;
	t.nr = 31;
	assert_int_equal(tunnel_install(&t), INSTALL_DONE);
	assert_true(tunnel_export(2, &t2));
	assert_memory_equal(&t2, &t, sizeof(t));
	assert_int_equal(tunnel_get(2)->nr, 31);
	drop_all();
}

static void
configure(const char *line)
{
	struct config_mode mode = { 0 };
	char why[256];

	assert_int_equal(config_line(&mode, line, why, sizeof(why)), 0);
}

/* A list that is not configured here denies all, and one that has left the configuration goes on:
 * nobody loses his, nor does a later record or the next master know less of it. */
static void
lists_go_by_their_names(void **state)
{
	static uint8_t packet[20] = { 0x45, 0, 0, 20 };
	struct ip4 ip;
	uint8_t list;

	(void)state;
	assert_true(ip4_decode(packet, sizeof(packet), &ip));
	be_slave();
	put_tunnels();
	make_session(1, 1, 10, 5);
	str_copy(rec.filter_in, sizeof(rec.filter_in), "late");
	assert_int_equal(session_install(&rec), INSTALL_DONE);
	list = session_get(1)->filter_in;
	assert_true(session_fast(1)->flags & SF_FILTER);
	assert_false(filter_permits(list, &ip));
	assert_int_equal(filter_find("late"), 0);
	configure("ip access-list standard late");
	assert_int_equal(filter_find("late"), list);
	rec.version = ++version;
	assert_int_equal(session_install(&rec), INSTALL_DONE);
	assert_int_equal(session_get(1)->filter_in, list);
	assert_true(session_export(1, &again));
	assert_string_equal(again.filter_in, "late");
	assert_int_equal(session_remove(1, ++version), INSTALL_DONE);
	configure("no ip access-list standard late");
	assert_int_equal(filter_find("late"), 0);
	drop_all();
}

/* A session is not installed before its tunnel, nor where there is no place. */
static void
misfits_are_refused(void **state)
{
	struct repl_tunnel t;

	(void)state;
	be_slave();
	make_session(1, 1, 1, 1);
	assert_int_equal(session_install(&rec), INSTALL_EARLY);
	put_tunnels();
	rec.id = conf->max_sessions + 1;
	assert_int_equal(session_install(&rec), INSTALL_REFUSED);
	rec.id = 0;
	assert_int_equal(session_install(&rec), INSTALL_REFUSED);
	make_tunnel(&t, conf->max_tunnels + 1, 9);
	assert_int_equal(tunnel_install(&t), INSTALL_REFUSED);
	make_tunnel(&t, 1, 0);
	assert_int_equal(tunnel_install(&t), INSTALL_REFUSED);
	drop_all();
}

/* The place of a tunnel has another one now: the sessions of the old one are no more. */
static void
tunnel_ids_are_used_again(void **state)
{
	struct repl_tunnel t;

	(void)state;
	be_slave();
	put_tunnels();
	make_session(3, 1, 10, 5);
	assert_int_equal(session_install(&rec), INSTALL_DONE);
	make_tunnel(&t, 1, 999);
	assert_int_equal(tunnel_install(&t), INSTALL_DONE);
	assert_int_equal(session_count(), 0);
	assert_int_equal(tunnel_by_wire(999), 1);
	assert_int_equal(tunnel_by_wire(701), 0);
	drop_all();
}

/* --- a takeover --- */

static void
hear_frame(sess_id s, uint16_t protocol, uint8_t code, uint8_t id, const void *data, size_t len)
{
	uint8_t buf[256];
	struct wr w = wr_init(buf, sizeof(buf));

	wr_u16(&w, protocol);
	wr_u8(&w, code);
	wr_u8(&w, id);
	wr_u16(&w, (uint16_t)(len + 4));
	wr_bytes(&w, data, len);
	hook_frame(s, rd_init(buf, wr_len(&w)));
}

static void
hear_control(tunn_id t, uint16_t ns, uint16_t nr, uint16_t wire_sid, uint16_t type)
{
	const struct tunnel *tun = tunnel_get(t);
	struct pkt pkt = { .from_ip = tun->peer_ip, .from_port = tun->peer_port };
	struct l2tp_hdr h = { .wire_tid = tun->wire_tid, .wire_sid = wire_sid, .ns = ns, .nr = nr };
	uint8_t buf[64];
	struct wr w = wr_init(buf, sizeof(buf));

	if (type) {
		wr_u16(&w, 0x8008);
		wr_u16(&w, 0);
		wr_u16(&w, 0);
		wr_u16(&w, type);
	}
	hook_control(&pkt, &h, rd_init(buf, wr_len(&w)));
}

static unsigned int
sent_frames(uint16_t protocol, uint8_t code)
{
	unsigned int i, n = 0;

	for (i = 0; i < n_sent; i++)
		n += !sent[i].control && sent[i].protocol == protocol && sent[i].code == code;
	return n;
}

static unsigned int
sent_messages(uint16_t type)
{
	unsigned int i, n = 0;

	for (i = 0; i < n_sent; i++)
		n += sent[i].control && sent[i].type == type;
	return n;
}

static void
an_established_link_goes_on(void **state)
{
	const uint8_t echo[] = { 0x07, 0x65, 0x43, 0x21, 'x' };
	uint8_t opts[6] = { 3, 6 };

	(void)state;
	be_slave();
	put_tunnels();
	make_session(3, 1, 10, 5);
	rec.rec.ip4 = address(1);
	rec.rec.accounted = 1;
	rec.acct.state = 2;
	assert_int_equal(session_install(&rec), INSTALL_DONE);
	be_master();
	assert_int_equal(sent_frames(PPP_LCP, CP_CONF_REQ), 0);
	assert_int_equal(n_events, 0); /* nobody hears of an UP again */
	assert_true(session_fast(3)->flags & SF_ON);
	hear_frame(3, PPP_LCP, CP_ECHO_REQ, 77, echo, sizeof(echo));
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[0].code, CP_ECHO_REPLY);
	assert_int_equal(sent[0].id, 77);
	assert_memory_equal(sent[0].data, "\x01\x23\x45\x67x", 5);
	/* he asks for his address anew, and gets it */
	memcpy(opts + 2, &(uint32_t){ address(1) }, 4);
	hear_frame(3, PPP_IPCP, CP_CONF_REQ, 5, opts, sizeof(opts));
	assert_int_equal(sent_frames(PPP_IPCP, CP_CONF_ACK), 1);
	assert_int_equal(sent_frames(PPP_IPCP, CP_CONF_REQ), 1);
	pass(3500); /* our own request is lost: it is one of ten */
	assert_int_equal(sent_frames(PPP_IPCP, CP_CONF_REQ), 2);
	assert_int_equal(session_get(3)->state, SESS_OPEN);
	n_events = 0;
	be_slave();
	pass(200000); /* no timer of ours acts any more */
	assert_int_equal(n_sent, 0);
	assert_int_equal(n_events, 0);
	assert_int_equal(iptab_lookup(address(1)), 3);
	drop_all();
}

/* Whoever has said nothing for long is asked whether he is there, but not all in the same moment.
 */
static void
all_are_asked_in_time(void **state)
{
	uint32_t id;

	(void)state;
	be_slave();
	put_tunnels();
	for (id = 1; id <= 100; id++) {
		make_session(id, 1, (uint16_t)id, id);
		assert_int_equal(session_install(&rec), INSTALL_DONE);
	}
	for (id = 1; id <= 100; id++)
		session_fast(id)->last_rx -= 300 * 10;
	be_master();
	pass(2000);
	assert_in_range(sent_frames(PPP_LCP, CP_ECHO_REQ), 1, 60);
	pass(8000);
	assert_int_equal(sent_frames(PPP_LCP, CP_ECHO_REQ), 100);
	assert_int_equal(session_count(), 100);
	be_slave();
	drop_all();
}

static uint64_t
key_of(sess_id id)
{
	return (uint64_t)(uint32_t)session_get(id)->opened << 32 | session_get(id)->unique;
}

static unsigned int
interims(uint32_t sessions)
{
	unsigned int n = 0;
	uint32_t id;

	for (id = 1; id <= sessions; id++)
		n += !acct_queue_takes_interim(key_of(id));
	return n;
}

/* The new master makes them as they come, and in the next 75 s those that were due without one. */
static void
interims_stay_apart(void **state)
{
	enum { N = 600, LOST = 60 };
	uint32_t id;

	(void)state;
	configure("set radius_accounting yes");
	configure("set radius_interim 600");
	configure("set disable_sending_hello yes"); /* nobody would answer */
	configure("set kill_timedout_sessions no");
	configure("set echo_timeout 86400");
	be_slave();
	put_tunnels();
	for (id = 1; id <= N; id++) {
		make_session(id, 1, (uint16_t)id, 1000 + id);
		rec.rec.accounted = 1;
		rec.acct.state = 2;
		rec.acct.interim_ds = 10 * id; /* one a second */
		assert_int_equal(session_install(&rec), INSTALL_DONE);
	}
	pass(3000 * 1000);
	for (id = LOST + 1; id <= N; id++)
		acct_interim_made(key_of(id), 10 * (N - id)); /* the next one in `id` seconds */
	be_master();
	pass(5 * 1000);
	assert_in_range(interims(N), 1, LOST / 2);
	pass(70 * 1000);
	assert_in_range(interims(N), LOST + 10, LOST + 20);
	pass(125 * 1000);
	assert_in_range(interims(N), 190, 210);
	pass(425 * 1000);
	assert_int_equal(interims(N), N);
	be_slave();
	drop_all();
	configure("set radius_accounting no");
	configure("set radius_interim 0");
	configure("set disable_sending_hello no");
	configure("set kill_timedout_sessions yes");
	configure("set echo_timeout 10");
}

/* A link that was not up yet is negotiated from where its record says. */
static void
others_begin_anew(void **state)
{
	(void)state;
	be_slave();
	put_tunnels();
	make_session(1, 1, 11, 5);
	rec.rec.phase = PPP_ESTABLISH;
	rec.rec.authed = rec.on = rec.ppp.announced = 0;
	assert_int_equal(session_install(&rec), INSTALL_DONE);
	make_session(2, 1, 12, 6);
	rec.rec.phase = PPP_AUTHENTICATE;
	rec.rec.auth = AUTH_CHAP;
	rec.rec.authed = rec.on = rec.ppp.announced = rec.ppp.auth_done = 0;
	assert_int_equal(session_install(&rec), INSTALL_DONE);
	make_session(3, 1, 13, 7);
	rec.rec.cp[SESS_CP_IPCP] = CP_ACK_RCVD;
	rec.rec.ip4 = address(1);
	rec.on = rec.ppp.announced = 0;
	assert_int_equal(session_install(&rec), INSTALL_DONE);
	be_master();
	assert_int_equal(sent_frames(PPP_LCP, CP_CONF_REQ), 1);
	assert_int_equal(sent_frames(PPP_CHAP, 1), 1);
	assert_int_equal(sent_frames(PPP_IPCP, CP_CONF_REQ), 1);
	assert_int_equal(sent_frames(PPP_PAP, 2), 1); /* its answer may have been lost */
	assert_int_equal(n_sent, 4);
	be_slave();
	drop_all();
}

/* The record is of the moment between the login's answer and what follows: whether he has heard the
 * answer or not, IPCP is next, and a repeated question is answered. */
static void
accepted_and_no_more(void **state)
{
	static const char pap[] = "\003joe\002pw";

	(void)state;
	be_slave();
	put_tunnels();
	make_session(1, 1, 11, 5);
	rec.rec.phase = PPP_AUTHENTICATE;
	rec.rec.cp[SESS_CP_IPCP] = CP_INITIAL;
	rec.rec.ip4 = address(1);
	rec.on = rec.ppp.announced = 0;
	assert_int_equal(session_install(&rec), INSTALL_DONE);
	be_master();
	assert_int_equal(sent_frames(PPP_IPCP, CP_CONF_REQ), 1);
	assert_int_equal(sent_frames(PPP_PAP, 2), 1);
	hear_frame(1, PPP_PAP, 1, 9, pap, sizeof(pap) - 1);
	assert_int_equal(sent_frames(PPP_PAP, 2), 2);
	be_slave();
	make_session(1, 1, 11, 5);
	rec.rec.auth = AUTH_CHAP;
	rec.ppp.auth_id = 77;
	rec.on = rec.rec.cp[SESS_CP_IPCP] = 0;
	assert_int_equal(session_install(&rec), INSTALL_DONE);
	be_master();
	assert_int_equal(sent[0].protocol, PPP_CHAP);
	assert_int_equal(sent[0].code, 3);
	assert_int_equal(sent[0].id, 77);
	be_slave();
	drop_all();
}

/* What was ending ends: with a CDN, and no second DOWN. One that waits for its ICRP gets it. */
static void
calls_in_between(void **state)
{
	(void)state;
	be_slave();
	put_tunnels();
	make_session(1, 1, 11, 5);
	rec.rec.state = SESS_CLOSING;
	rec.rec.down = 1;
	rec.rec.end.cause = TERM_IDLE_TIMEOUT;
	rec.on = 0;
	rec.rec.ip4 = address(1);
	assert_int_equal(session_install(&rec), INSTALL_DONE);
	assert_int_equal(iptab_lookup(address(1)), 0);
	make_session(2, 2, 12, 6);
	rec.rec.state = SESS_OPENING;
	rec.rec.phase = PPP_DEAD;
	rec.rec.authed = rec.on = rec.ppp.announced = rec.rec.answered = 0;
	memset(rec.rec.cp, 0, sizeof(rec.rec.cp));
	assert_int_equal(session_install(&rec), INSTALL_DONE);
	be_master();
	assert_int_equal(sent_messages(CTL_CDN), 1);
	assert_int_equal(sent_messages(CTL_ICRP), 1);
	assert_null(session_get(1));
	assert_int_equal(n_events, 0);
	assert_true(session_get(2)->answered);
	be_slave();
	drop_all();
}

/* Messages under way are sent again, and what the peer knows beyond our record counts. */
static void
channels_catch_up(void **state)
{
	struct repl_chan m = { .version = 1, .tunnel = 1 };
	struct repl_tunnel t;
	uint8_t buf[64];
	struct wr w = wr_init(buf, sizeof(buf));
	uint16_t ns = 18;
	unsigned int wait;

	(void)state;
	be_slave();
	make_tunnel(&t, 1, 701);
	t.acked = 18;
	assert_int_equal(tunnel_install(&t), INSTALL_DONE);
	ctl_begin(&w, CTL_HELLO);
	m.len = (uint16_t)ctl_end(&w, 501, 0);
	memcpy(m.data, buf, m.len);
	for (m.ns = 20; m.ns-- > 17;) /* 17 has arrived long since */
		assert_int_equal(chan_install(&m), INSTALL_DONE);
	assert_int_equal(chan_install(&m), INSTALL_DONE); /* again: nothing new */
	for (m.ns = 18; chan_export(1, &ns, &m); m.ns++)
		assert_int_equal(ns, m.ns + 1);
	assert_int_equal(ns, 20);
	be_master();
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[0].ns, 18);
	assert_int_equal(sent[0].nr, 30);
	/* the old master had sent two more, and taken the peer's 30 */
	n_sent = 0;
	hear_control(1, 31, 22, 0, CTL_HELLO);
	assert_true(l2tp_chan_idle(1));
	for (wait = 1000; wait <= 4000; wait *= 2) { /* he repeats it */
		pass(wait);
		hear_control(1, 31, 22, 0, CTL_HELLO);
	}
	assert_true(n_sent > 0);
	assert_int_equal(sent[n_sent - 1].nr, 32);
	assert_int_equal(sent[n_sent - 1].ns, 22);
	be_slave();
	drop_all();
}

/* A slave with more sessions than a batch. */
static void
put_many(void)
{
	uint32_t id;

	be_slave();
	put_tunnels();
	for (id = 1; id <= 3000; id++) {
		make_session(id, 1, (uint16_t)id, id);
		rec.rec.ip4 = htonl(0xc0a80000 + id);
		assert_int_equal(session_install(&rec), INSTALL_DONE);
	}
}

/* Something happens to a session before its turn: that adopts it, and its tunnel. */
static void
who_is_spoken_to_is_first(void **state)
{
	uint32_t id;

	(void)state;
	put_many();
	role_set(true, 0);
	repl_state_adopt(NULL);
	assert_false(repl_state_settled());
	assert_false(change_is_active(CHANGE_SESSION, 3000));
	hear_frame(3000, PPP_LCP, CP_ECHO_REQ, 1, "\x07\x65\x43\x21", 4);
	assert_true(change_is_active(CHANGE_SESSION, 3000));
	assert_false(change_is_active(CHANGE_SESSION, 2999));
	assert_int_equal(sent_frames(PPP_LCP, CP_ECHO_REPLY), 1);
	hear_control(1, 30, 20, 2999, CTL_CDN);
	assert_null(session_get(2999));
	role_set(false, 0); /* and back, before all had their turn */
	repl_state_yield(NULL);
	role_set(true, 0);
	repl_state_adopt(NULL);
	pass(100);
	assert_true(repl_state_settled());
	for (id = 1; id < 2999; id++)
		assert_true(change_is_active(CHANGE_SESSION, id));
	be_slave();
	drop_all();
}

static unsigned int n_done;

static void
count_done(void)
{
	n_done++;
}

/* A walk that is cut short by one which ends at once says no more when its time has come. */
static void
a_walk_ends_once(void **state)
{
	(void)state;
	put_many();
	role_set(true, 0);
	repl_state_adopt(NULL);
	assert_false(repl_state_settled());
	role_set(false, 0);
	drop_all();
	repl_state_yield(count_done);
	assert_true(repl_state_settled());
	assert_int_equal(n_done, 1);
	pass(50);
	assert_int_equal(n_done, 1);
}

/* --- two masters meet --- */

static const char *
user_of(uint32_t ip)
{
	sess_id s = iptab_lookup(ip);

	return s ? session_get(s)->user : "";
}

static void
hear_call(tunn_id t, uint16_t ns, uint16_t nr, uint16_t peer_sid)
{
	const struct tunnel *tun = tunnel_get(t);
	struct pkt pkt = { .from_ip = tun->peer_ip, .from_port = tun->peer_port };
	struct l2tp_hdr h = { .wire_tid = tun->wire_tid, .ns = ns, .nr = nr };
	uint8_t buf[64];
	struct wr w = wr_init(buf, sizeof(buf));

	ctl_begin(&w, CTL_ICRQ);
	avp_put_u16(&w, AVP_MANDATORY, AVP_ASSIGNED_SESSION_ID, peer_sid);
	avp_put_u32(&w, AVP_MANDATORY, AVP_CALL_SERIAL_NUMBER, 1);
	hook_control(
	    &pkt, &h, rd_init(buf + L2TP_CONTROL_HEADER, wr_len(&w) - (size_t)L2TP_CONTROL_HEADER));
}

/* Sessions that came by an offer are the carrier's as others are: so many, and no more. */
static void
offered_sessions_are_carried(void **state)
{
	(void)state;
	configure("lac 10.9.0.2 secret s max-sessions 2");
	be_slave();
	put_tunnels();
	be_master();
	match_tunnels();
	make_session(1, 2, 11, 5);
	assert_int_equal(session_offer(&rec), INSTALL_DONE);
	hear_call(2, 30, 20, 600);
	assert_int_equal(sent_messages(CTL_ICRP), 1);
	hear_call(2, 31, 21, 601); /* there are two */
	assert_int_equal(sent_messages(CTL_CDN), 1);
	hear_control(2, 32, 22, 11, CTL_CDN);
	assert_int_equal(session_count(), 1);
	hear_call(2, 33, 22, 602);
	assert_int_equal(sent_messages(CTL_ICRP), 2);
	be_slave(); /* and again, with what has been ours before */
	be_master();
	n_sent = 0;
	hear_call(2, 34, 23, 603);
	assert_int_equal(sent_messages(CTL_CDN), 1);
	configure("no lac 10.9.0.2");
	be_slave();
	drop_all();
}

/* A slave with all tunnels, and a session in the first. */
static void
put_session(void)
{
	be_slave();
	put_tunnels();
	make_session(1, 1, 11, 5);
	rec.rec.ip4 = address(1);
	assert_int_equal(session_install(&rec), INSTALL_DONE);
}

/* What the other one made of a place that we have given to another meanwhile: under another id. */
static void
offers_are_taken(void **state)
{
	struct repl_tunnel t;
	enum change_kind kind;
	uint32_t id, marked = 0;

	(void)state;
	put_session();
	be_master();
	change_subscribe(true);
	make_tunnel(&t, 2, 999);
	assert_int_equal(tunnel_offer(&t), INSTALL_DONE);
	assert_int_equal(tunnel_by_wire(999), TUNNELS + 1);
	make_tunnel(&t, 1, tunnel_get(1)->wire_tid); /* not taken, but known */
	tunnel_match(&t);
	make_tunnel(&t, 3, 701); /* a wire id that is another's here */
	assert_int_equal(tunnel_offer(&t), INSTALL_OLD);
	make_session(1, 2, 20, 6); /* his tunnel 2, place 1 */
	rec.rec.ip4 = address(2);
	assert_int_equal(session_offer(&rec), INSTALL_DONE);
	assert_int_equal(session_by_wire(999, 20), 2);
	assert_int_equal(iptab_lookup(address(2)), 2);
	assert_true(change_is_active(CHANGE_SESSION, 2));
	make_session(5, 4, 21, 7); /* a tunnel of which he has not told */
	assert_int_equal(session_offer(&rec), INSTALL_OLD);
	make_session(5, 3, 22, 8); /* one that is another's here */
	assert_int_equal(session_offer(&rec), INSTALL_OLD);
	make_tunnel(&t, 1, 701);
	tunnel_match(&t);
	make_session(1, 1, 11, 99); /* he gave the wire id to another call */
	assert_int_equal(session_offer(&rec), INSTALL_OLD);
	make_session(9, 3, 14, 77); /* his tunnel 3 is none of ours */
	assert_int_equal(session_offer(&rec), INSTALL_OLD);
	make_session(9, 4, 14, 77); /* of this we know nothing */
	assert_int_equal(session_offer(&rec), INSTALL_OLD);
	assert_null(session_get(9));
	while (change_next(&kind, &id))
		marked += kind == CHANGE_SESSION		  ? 1
			  : kind == CHANGE_TUNNEL && id > TUNNELS ? 100
								  : 0;
	assert_int_equal(marked, 101);
	change_subscribe(false);
	assert_int_equal(sent_messages(CTL_CDN), 0);
	be_slave();
	tunnel_remove(TUNNELS + 1, ++version);
	drop_all();
}

/* The LAC has repeated its request to us when the other master did not answer. */
static void
what_is_here_by_the_lacs_id_is_not_taken(void **state)
{
	struct repl_tunnel t;

	(void)state;
	be_slave();
	put_tunnels();
	be_master();
	make_tunnel(&t, 2, 999); /* the peer's id is that of our tunnel 2 */
	t.state = TUNNEL_OPENING;
	assert_int_equal(tunnel_offer(&t), INSTALL_OLD);
	match_tunnels();
	hear_call(2, 30, 20, 600);
	make_session(9, 2, 11, 5);
	rec.rec.peer_sid = 600;
	rec.rec.state = SESS_OPENING;
	rec.age_ds = 0;
	assert_int_equal(session_offer(&rec), INSTALL_OLD);
	rec.rec.state = SESS_OPEN; /* the LAC has heard the other one's ICRP */
	assert_int_equal(session_offer(&rec), INSTALL_DONE);
	assert_int_equal(session_by_peer(2, 600), session_by_wire(702, 11));
	assert_int_equal(session_count(), 1);
	make_session(10, 2, 12, 6); /* two that are open: the LAC's is the later one */
	rec.rec.peer_sid = 600;
	assert_int_equal(session_offer(&rec), INSTALL_OLD);
	pass(1000);
	rec.age_ds = 5;
	assert_int_equal(session_offer(&rec), INSTALL_DONE);
	assert_int_equal(session_by_peer(2, 600), session_by_wire(702, 12));
	assert_int_equal(session_count(), 1);
	assert_int_equal(sent_messages(CTL_CDN), 0);
	be_slave();
	drop_all();
}

/* A call that was told about was given up by the LAC: its id is used again. */
static void
an_id_is_used_again(void **state)
{
	(void)state;
	be_slave();
	put_tunnels();
	make_session(1, 2, 11, 5);
	rec.rec.peer_sid = 600;
	rec.rec.state = SESS_OPENING;
	rec.rec.call_serial = 77; /* that of hear_call() is 1 */
	assert_int_equal(session_install(&rec), INSTALL_DONE);
	be_master();
	n_sent = 0;
	hear_call(2, 30, 20, 600);
	assert_int_equal(sent_messages(CTL_ICRP), 1);
	assert_null(session_get(session_by_wire(702, 11)));
	assert_int_equal(session_count(), 1);
	hear_call(2, 31, 21, 600); /* the same call once more */
	assert_int_equal(sent_messages(CTL_ICRP), 1);
	assert_int_equal(sent_messages(CTL_CDN), 0);
	assert_int_equal(session_count(), 1);
	be_slave();
	drop_all();
}

/* A member that joins knows nothing of last packets: it says so, and as a master it begins with
 * now. */
static void
no_packet_is_made_up(void **state)
{
	(void)state;
	be_slave();
	put_tunnels();
	make_session(1, 1, 11, 5);
	rec.age_ds = 3000;
	assert_int_equal(session_install(&rec), INSTALL_DONE);
	make_session(2, 1, 13, 6);
	rec.age_ds = 5; /* he has just come */
	assert_int_equal(session_install(&rec), INSTALL_DONE);
	assert_int_equal(session_fast(1)->last_data, 0);
	assert_int_equal(session_idle(1), 300);
	assert_int_equal(session_fast(2)->last_data, loop_now_ds());
	be_master();
	assert_int_equal(session_idle(1), 0);
	assert_int_equal(session_idle(2), 0);
	be_slave();
	drop_all();
}

/* The LAC was on its way to another tunnel since it had started afresh. */
static void
a_new_beginning_goes_on(void **state)
{
	struct repl_tunnel t;

	(void)state;
	be_slave();
	put_tunnels();
	make_tunnel(&t, 2, 702);
	t.peer_ip = htonl(0x0a090001);
	t.peer_tid = 501;
	t.state = TUNNEL_OPENING;
	t.replaces = 701;
	assert_int_equal(tunnel_install(&t), INSTALL_DONE);
	make_tunnel(&t, 4, 704);
	t.state = TUNNEL_OPENING;
	t.replaces = 703; /* which is another peer's by now */
	assert_int_equal(tunnel_install(&t), INSTALL_DONE);
	be_master();
	be_slave(); /* and by way of another */
	be_master();
	hear_control(2, 30, 20, 0, CTL_SCCCN);
	hear_control(4, 30, 20, 0, CTL_SCCCN);
	assert_int_equal(tunnel_get(1)->state, TUNNEL_DIEING);
	assert_int_equal(tunnel_get(2)->state, TUNNEL_OPEN);
	assert_int_equal(tunnel_get(3)->state, TUNNEL_OPEN);
	assert_int_equal(tunnel_get(4)->state, TUNNEL_OPEN);
	be_slave();
	drop_all();
}

/* Who heard nobody has given all up, but we have not. */
static void
what_ends_is_not_taken(void **state)
{
	struct repl_tunnel t;

	(void)state;
	put_session();
	be_master();
	make_tunnel(&t, 1, 701);
	t.state = TUNNEL_DIEING;
	assert_int_equal(tunnel_offer(&t), INSTALL_OLD);
	rec.version = ++version;
	rec.rec.state = SESS_CLOSING;
	assert_int_equal(session_offer(&rec), INSTALL_OLD);
	rec.rec.state = SESS_OPEN;
	rec.rec.down = 1;
	assert_int_equal(session_offer(&rec), INSTALL_OLD);
	pass(1000);
	assert_int_equal(tunnel_get(1)->state, TUNNEL_OPEN);
	assert_int_equal(session_get(1)->state, SESS_OPEN);
	assert_true(session_fast(1)->flags & SF_ON);
	assert_int_equal(sent_messages(CTL_CDN) + sent_messages(CTL_STOPCCN), 0);
	be_slave();
	drop_all();
}

/* What he has ended goes, if it is that very session, and his is the Stop. */
static void
what_ended_there_ends_here(void **state)
{
	const struct repl_ended all[] = { { 6, 701, 11 }, { 5, 702, 11 }, { 5, 701, 12 },
		{ 5, 701, 11 }, { 5, 701, 11 } };
	static const enum install want[] = { INSTALL_OLD, INSTALL_OLD, INSTALL_OLD, INSTALL_DONE,
		INSTALL_OLD };
	enum change_kind kind;
	uint32_t id;
	size_t i;

	(void)state;
	put_session();
	be_master();
	change_subscribe(true);
	n_sent = n_events = 0;
	for (i = 0; i < ARRAY_LEN(all); i++) {
		assert_int_equal(session_get(1) != NULL, i <= 3);
		assert_int_equal(session_ended_elsewhere(&all[i]), want[i]);
	}
	assert_int_equal(iptab_lookup(address(1)), 0);
	assert_int_equal(n_events, 1); /* its DOWN */
	assert_int_equal(n_sent, 0);
	assert_true(change_next(&kind, &id)); /* its end is told */
	assert_int_equal(id, 1);
	change_subscribe(false);
	be_slave();
	drop_all();
}

static void
the_older_one_keeps_the_address(void **state)
{
	(void)state;
	be_slave();
	put_tunnels();
	make_session(1, 1, 11, 5);
	rec.rec.ip4 = address(1);
	str_copy(rec.rec.user, sizeof(rec.rec.user), "ours");
	rec.age_ds = 5000;
	assert_int_equal(session_install(&rec), INSTALL_DONE);
	be_master();
	match_tunnels();
	make_session(7, 2, 12, 6);
	rec.rec.ip4 = address(1);
	str_copy(rec.rec.user, sizeof(rec.rec.user), "younger");
	rec.age_ds = 4000;
	assert_int_equal(session_offer(&rec), INSTALL_DONE);
	assert_string_equal(user_of(address(1)), "ours");
	assert_int_equal(session_get(7)->state, SESS_CLOSING);
	assert_int_equal(sent_frames(PPP_LCP, CP_TERM_REQ), 1);
	make_session(8, 3, 13, 7);
	rec.rec.ip4 = address(1);
	str_copy(rec.rec.user, sizeof(rec.rec.user), "older");
	rec.age_ds = 6000;
	assert_int_equal(session_offer(&rec), INSTALL_DONE);
	assert_string_equal(user_of(address(1)), "older");
	assert_int_equal(session_get(1)->state, SESS_CLOSING);
	assert_int_equal(session_get(8)->state, SESS_OPEN);
	assert_int_equal(sent_frames(PPP_LCP, CP_TERM_REQ), 2);
	be_slave();
	drop_all();
}

/* Nor does one who is offered take a route: he waits for it, and has it when the other leaves. */
static void
who_has_a_route_keeps_it(void **state)
{
	struct note_route net = { .addr = htonl(0xc0a80900), .len = 24 };
	struct note_route single = { .addr = htonl(0xc0a80a01), .len = 32 };

	(void)state;
	be_slave();
	put_tunnels();
	make_session(1, 1, 11, 5);
	add_note(NOTE_ROUTE, &net, sizeof(net));
	add_note(NOTE_ROUTE, &single, sizeof(single));
	assert_int_equal(session_install(&rec), INSTALL_DONE);
	be_master();
	match_tunnels();
	make_session(7, 2, 12, 6);
	add_note(NOTE_CLASS, "first", 5);
	add_note(NOTE_ROUTE, &single, sizeof(single));
	add_note(NOTE_ROUTE, &net, sizeof(net));
	add_note(NOTE_CLASS, "last", 4);
	assert_int_equal(session_offer(&rec), INSTALL_DONE);
	assert_int_equal(iptab_lookup(net.addr), 1);
	assert_int_equal(iptab_lookup(single.addr), 1);
	assert_true(session_export(7, &again));
	assert_int_equal(again.notes_len, 4 * 3 + 5 + sizeof(net) + 4);
	assert_memory_equal(again.notes + again.notes_len - 4, "last", 4);
	hear_control(1, 30, 20, 11, CTL_CDN);
	assert_int_equal(iptab_lookup(net.addr), 7);
	assert_int_equal(iptab_lookup(single.addr), 0);
	be_slave();
	drop_all();
}

/* In the pool there is another one for who has to leave his. */
static void
the_younger_one_gets_another(void **state)
{
	char file[] = "/tmp/repl_state_XXXXXX";
	const char pool[] = "pool p 192.168.0.0/28\n";
	uint32_t ip = address(1), theirs;
	int fd = mkstemp(file);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, pool, strlen(pool)), strlen(pool));
	close(fd);
	assert_int_equal(ippool_stage(file, NULL, 0, NULL), 0);
	assert_true(ippool_commit());
	unlink(file);
	be_slave();
	put_tunnels();
	make_session(1, 1, 11, 5);
	rec.rec.ip4 = ip;
	rec.rec.pooled = 1;
	rec.age_ds = 5000;
	assert_int_equal(session_install(&rec), INSTALL_DONE);
	be_master();
	match_tunnels();
	n_sent = 0;
	make_session(7, 2, 12, 6);
	rec.rec.ip4 = ip;
	rec.rec.pooled = 1;
	rec.age_ds = 4000;
	assert_int_equal(session_offer(&rec), INSTALL_DONE);
	assert_int_equal(iptab_lookup(ip), 1);
	theirs = session_get(7)->ip4;
	assert_int_not_equal(theirs, ip);
	assert_int_equal(iptab_lookup(theirs), 7);
	assert_false(session_fast(7)->flags & SF_ON);
	assert_int_equal(sent_frames(PPP_IPCP, CP_CONF_REQ), 1); /* IPCP begins anew */
	make_session(8, 3, 13, 7);
	rec.rec.ip4 = ip;
	rec.rec.pooled = 1;
	rec.age_ds = 6000;
	assert_int_equal(session_offer(&rec), INSTALL_DONE);
	assert_int_equal(iptab_lookup(ip), 8);
	assert_int_equal(session_get(1)->state, SESS_OPEN);
	assert_int_equal(iptab_lookup(session_get(1)->ip4), 1);
	assert_int_equal(sent_frames(PPP_IPCP, CP_CONF_REQ), 2);
	assert_int_equal(n_events, 0);
	assert_int_equal(routes, 0); /* the pool's networks have theirs */
	be_slave();
	drop_all();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_records),
		cmocka_unit_test(all_comes_back),
		cmocka_unit_test(lists_go_by_their_names),
		cmocka_unit_test(misfits_are_refused),
		cmocka_unit_test(tunnel_ids_are_used_again),
		cmocka_unit_test(an_established_link_goes_on),
		cmocka_unit_test(all_are_asked_in_time),
		cmocka_unit_test(interims_stay_apart),
		cmocka_unit_test(others_begin_anew),
		cmocka_unit_test(accepted_and_no_more),
		cmocka_unit_test(calls_in_between),
		cmocka_unit_test(channels_catch_up),
		cmocka_unit_test(who_is_spoken_to_is_first),
		cmocka_unit_test(a_walk_ends_once),
		cmocka_unit_test(offered_sessions_are_carried),
		cmocka_unit_test(offers_are_taken),
		cmocka_unit_test(what_is_here_by_the_lacs_id_is_not_taken),
		cmocka_unit_test(an_id_is_used_again),
		cmocka_unit_test(a_new_beginning_goes_on),
		cmocka_unit_test(no_packet_is_made_up),
		cmocka_unit_test(what_ends_is_not_taken),
		cmocka_unit_test(what_ended_there_ends_here),
		cmocka_unit_test(the_older_one_keeps_the_address),
		cmocka_unit_test(who_has_a_route_keeps_it),
		cmocka_unit_test(the_younger_one_gets_another),
	};

	srandom(4711);
	loop_clock();
	timer_run(clock_ms);
	config_init();
	counter_init();
	note_init(100000);
	change_init(conf->max_tunnels, conf->max_sessions);
	tunnel_init(conf->max_tunnels);
	session_init(conf->max_sessions);
	ippool_init(conf->max_sessions);
	iptab_init(conf->max_sessions);
	bgp_route_init(2 * conf->max_sessions);
	addr_init();
	usage_init();
	filter_init();
	frame_init();
	tbf_init(conf->throttle_buckets, conf->max_sessions, on_output);
	l2tp_init();
	ppp_init();
	radius_init();
	acct_init();
	hook_init(&hooks);
	repl_state_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
