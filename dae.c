/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server of Disconnect- and CoA-Requests, RFC 5176. What is in a packet is dae_msg.c's,
 * which sessions it means dae_find.c's, what was answered already dae_guard.c's. Here: the
 * sockets, who may ask, and doing it.
 *
 * Requests are heard from the addresses of radius_dae_client, or from the RADIUS servers when
 * that is empty, with the secret that is shared with the server. What comes from elsewhere,
 * is malformed, wrongly signed or out of time (Event-Timestamp) gets no answer: it is counted,
 * and told in the log at a limited rate. All else is answered at once, from the address that
 * was asked; a request that comes again is not carried out again.
 *
 * A request is decoded and checked as a whole, and its session found, before anything is
 * changed. A Disconnect-Request may mean many sessions, and ends all; those beyond a few are
 * evict.c's. A CoA-Request must mean one. Cisco-AVPairs of a CoA are the plugins': they are
 * asked whether they can be (hook_avpair_check()), told to forget the pairs that were in
 * force (hook_avpair_reset()), then get the new ones.
 *
 * A slave of a cluster carries out nothing: what is a genuine request it hands to the master,
 * which keeps what was answered for all members, and answers from the address that was asked.
 *
 * A turn of the loop takes so many packets of a socket, looks at so many sessions and ends so
 * many, and no more: the rest waits in the socket.
 *
 * Owns the sockets. Called by the loop; started by l2tpns.c.
 */
#include "dae.h"
#include "config.h"
#include "counter.h"
#include "dae_find.h"
#include "dae_guard.h"
#include "dgram.h"
#include "evict.h"
#include "hook.h"
#include "log.h"
#include "loop.h"
#include "note.h"
#include "policy.h"
#include "rad_server.h"
#include "role.h"
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	MAX_SOCKETS = 32,
	SOCKET_ROOM =
	    1 << 22, /* octets; thousands of requests may come at once, at a change of tariff */
	TURN_PACKETS = 32,	/* of a socket in a turn, at most */
	TURN_ENDS = DAE_MOST,	/* sessions ended in a turn; the last request may go beyond */
	CLOSED_BY_OPERATOR = 3, /* CDN result code: administrative reasons */
	NAMES_TEXT = 512,
};

static struct {
	int fd;
	uint32_t addr; /* bound to, network order */
} socks[MAX_SOCKETS];
static unsigned int n_socks;

/* What this turn has cost up to now. */
static struct turn {
	unsigned int looks, ends;
	uint64_t forwarded_ms; /* loop clock: slaves' requests of this turn are counted */
} turn;

/* --- the answer --- */

static void
answer(const struct dgram_peer *c, const struct rad_packet *p, enum dae_cause cause, bool sign,
    const char *secret)
{
	uint8_t packet[RAD_MAX_PACKET];
	size_t len = dae_encode(p, cause, sign, secret, packet);

	if (len > 0 && dgram_send(c, packet, len) < 0)
		plog_limit(LOG_WARNING, "DAE %s: cannot answer: %s", c->who, strerror(errno));
}

/* --- what is asked for --- */

/* The Stop carries these beside the session's own; RFC 5176 3.6, note 4. */
static void
add_classes(sess_id id, const struct dae_request *r)
{
	unsigned int i;

	for (i = 0; i < r->n_classes; i++)
		(void)session_add_note(id, NOTE_CLASS, 0, r->classes[i].p, r->classes[i].len);
}

static enum dae_cause
disconnect(const struct dae_request *r, const struct dae_found *f)
{
	struct sess_end end = {
		.cause = TERM_ADMIN_RESET,
		.result = CLOSED_BY_OPERATOR,
		.disconnect = DISC_ADMIN,
	};
	struct evict_who who = { 0 };
	unsigned int i;

	str_copy(end.message, sizeof(end.message),
	    r->message[0] ? r->message : "disconnected by RADIUS");
	if (f->more) {
		str_copy(who.user, sizeof(who.user), r->user);
		str_copy(who.calling, sizeof(who.calling), r->calling);
		str_copy(who.called, sizeof(who.called), r->called);
		turn.ends += EVICT_BATCH;
		return evict_matching(&who, &end) ? DAE_OK : DAE_NOT_REMOVABLE;
	}
	turn.ends += f->n;
	for (i = 0; i < f->n; i++) {
		add_classes(f->ids[i], r);
		hook_close(f->ids[i], &end);
	}
	return DAE_OK;
}

/* Later records of the session carry these Classes; RFC 5176 3.6, note 3. */
static int
set_classes(sess_id id, const struct dae_request *r)
{
	struct note notes[DAE_MAX_CLASSES] = { 0 };
	unsigned int i;

	for (i = 0; i < r->n_classes; i++) {
		notes[i].len = r->classes[i].len;
		memcpy(notes[i].data, r->classes[i].p, r->classes[i].len);
	}
	return i ? session_replace_notes(id, NOTE_CLASS, notes, i) : 0;
}

static enum dae_cause
check_pairs(sess_id id, const struct dae_request *r)
{
	static const enum dae_cause causes[] = {
		[AVPAIR_GOOD] = DAE_OK,
		[AVPAIR_UNKNOWN] = DAE_UNSUPPORTED_ATTRIBUTE,
		[AVPAIR_BAD] = DAE_INVALID_VALUE,
	};
	enum dae_cause cause = DAE_OK;
	unsigned int i;

	for (i = 0; i < r->n_pairs && cause == DAE_OK; i++)
		cause = causes[hook_avpair_check(id, r->pairs[i].p, r->pairs[i].len)];
	return cause;
}

static void
set_pairs(sess_id id, const struct dae_request *r)
{
	unsigned int i;

	if (r->n_pairs > 0)
		hook_avpair_reset(id);
	for (i = 0; i < r->n_pairs; i++)
		hook_avpair(id, r->pairs[i].p, r->pairs[i].len);
}

/* What can fail comes first, and leaves nothing behind. */
static enum dae_cause
change(sess_id id, const struct dae_request *r)
{
	const struct session *s = session_get(id);
	int in = POLICY_KEEP_LIST, out = POLICY_KEEP_LIST;
	enum dae_cause cause = check_pairs(id, r);
	unsigned int i;

	for (i = 0; i < r->n_filters; i++)
		if (policy_filter_id(id, r->filters[i].p, r->filters[i].len, &in, &out) < 0)
			return DAE_INVALID_VALUE;
	if (cause != DAE_OK)
		return cause;
	if (set_classes(id, r) < 0)
		return DAE_NO_RESOURCES;
	policy_filter(id, in, out);
	policy_timeouts(id, r->has & DAE_SESSION_TIMEOUT ? r->session_timeout : s->session_timeout,
	    r->has & DAE_IDLE_TIMEOUT ? r->idle_timeout : s->idle_timeout);
	if (r->has & DAE_INTERIM)
		policy_interim(id, r->interim);
	set_pairs(id, r);
	return DAE_OK;
}

static bool
is_our_address(const struct dgram_peer *c, uint32_t ip)
{
	return ip && (ip == config_nas_ip() || ip == c->asked || config_is_own_address(ip));
}

/* Whether the NAS that it names is us. We tell no server of an IPv6 address. */
static bool
is_for_us(const struct dgram_peer *c, const struct dae_request *r)
{
	if (r->has & DAE_NAS_IP6 || (r->has & DAE_NAS_IP && !is_our_address(c, r->nas_ip)))
		return false;
	return !(r->has & DAE_NAS_ID) || strcmp(r->nas_id, conf->hostname) == 0;
}

static enum dae_cause
carry_out(const struct dgram_peer *c, const struct dae_request *r)
{
	struct dae_found f;

	if (!is_for_us(c, r))
		return DAE_OTHER_NAS;
	if (r->cause != DAE_OK)
		return (enum dae_cause)r->cause;
	if (!(r->has & DAE_IDENTIFIES))
		return DAE_MISSING_ATTRIBUTE;
	dae_find(r, &f);
	turn.looks += f.looks;
	if (f.n == 0)
		return f.more ? DAE_NO_RESOURCES : DAE_NOT_FOUND;
	if (!r->is_coa)
		return disconnect(r, &f);
	if (f.n > 1 || f.more)
		return DAE_SEVERAL;
	return change(f.ids[0], r);
}

/* --- the log --- */

/* Adds ", what value" when the request has it. */
static void
add_name(char text[NAMES_TEXT], const char *what, const char *value, bool is_there)
{
	size_t len = strlen(text);

	if (is_there)
		snprintf(text + len, NAMES_TEXT - len, "%s%s %s", len ? ", " : "", what, value);
}

static void
log_request(const struct dgram_peer *c, const struct dae_request *r, enum dae_cause cause)
{
	char names[NAMES_TEXT] = "", port[16], attribute[16] = "";

	snprintf(port, sizeof(port), "%u", r->port);
	if (cause == r->cause && cause != DAE_OK)
		snprintf(attribute, sizeof(attribute), " %u", r->wrong);
	add_name(names, "user", r->user, r->has & DAE_USER);
	add_name(names, "session", r->acct_id, r->has & DAE_ACCT_ID);
	add_name(names, "address", ip4_text(r->framed_ip), r->has & DAE_FRAMED_IP);
	add_name(names, "port", port, r->has & DAE_PORT);
	add_name(names, "port", r->port_id, r->has & DAE_PORT_ID);
	add_name(names, "calling", r->calling, r->has & DAE_CALLING);
	add_name(names, "called", r->called, r->has & DAE_CALLED);
	plog_limit(LOG_INFO, "DAE %s: %s for %s: %s%s", c->who,
	    r->is_coa ? "CoA-Request" : "Disconnect-Request", names[0] ? names : "nobody",
	    dae_cause_text(cause), attribute);
}

/* --- who may ask, and when --- */

/* The secret shared with a client; NULL, and why not. */
static const char *
secret_of(uint32_t ip, const char **why)
{
	const char *secret = rad_server_secret(ip);

	*why = "it is no client of ours";
	if (conf->radius_dae_client[0] && !config_is_dae_client(ip))
		return NULL;
	if (conf->radius_dae_client[0] && !secret)
		secret = conf->radius_secret;
	if (secret && secret[0])
		return secret;
	if (secret)
		*why = "there is no secret shared with it";
	return NULL;
}

static int
refuse(const struct dgram_peer *c, const char *why)
{
	plog_limit(LOG_WARNING, "DAE %s: dropped: %s", c->who, why);
	return -1;
}

static bool
is_stale(const struct dae_request *r)
{
	int64_t off = (int64_t)loop_time() - r->timestamp;

	return r->has & DAE_TIMESTAMP && (off > DAE_WINDOW_SEC || off < -DAE_WINDOW_SEC);
}

/* A request that is genuine: once for all, however often it comes. */
static int
request(const struct dgram_peer *c, const struct rad_packet *p, const struct dae_request *r,
    bool sign, const char *secret)
{
	struct dae_id id = { .ip = c->ip, .port = c->port, .id = p->id };
	uint16_t cause;

	if (is_stale(r)) {
		COUNT(dae_stale);
		return refuse(c, "its Event-Timestamp is more than 300 s off our clock");
	}
	id.stamped = r->has & DAE_TIMESTAMP;
	memcpy(id.authenticator, p->authenticator, sizeof(id.authenticator));
	if (dae_guard_find(&id, loop_now_ms(), &cause)) {
		COUNT(dae_repeated);
		answer(c, p, (enum dae_cause)cause, sign, secret);
		return 0;
	}
	if (!dae_guard_room(loop_now_ms()))
		return DROP(dae_busy, "%s", c->who);
	cause = (uint16_t)carry_out(c, r);
	dae_guard_keep(&id, loop_now_ms(), cause);
	if (cause == DAE_OK)
		COUNT(dae_acked);
	else
		COUNT(dae_refused);
	log_request(c, r, (enum dae_cause)cause);
	answer(c, p, (enum dae_cause)cause, sign, secret);
	return 0;
}

static int
hand_on(const struct dgram_peer *c, const void *data, size_t len)
{
	const struct clfwd_from from = { .ip = c->ip, .port = c->port, .asked = c->asked };

	return clfwd_dae(&from, data, len);
}

static int
input(const struct dgram_peer *c, const void *data, size_t len)
{
	const char *why, *secret = secret_of(c->ip, &why);
	struct rad_packet p;
	struct dae_request r;
	bool has_ma;

	COUNT(dae_received);
	if (!secret) {
		COUNT(dae_foreign);
		return refuse(c, why);
	}
	if (!rad_decode(data, len, &p) || !dae_decode(&p, &r))
		return DROP(dae_malformed, "%s, %zu octets", c->who, len);
	if (rad_check_request(&p, secret, &has_ma) != RAD_CHECK_OK) {
		COUNT(dae_bad_authenticator);
		return refuse(c, "it was signed with another secret");
	}
	if (!role_is_master())
		return hand_on(c, data, len);
	return request(c, &p, &r, has_ma, secret);
}

/* --- the sockets --- */

/* One packet; false when there is none. */
static bool
receive(int fd)
{
	uint8_t packet[RAD_MAX_PACKET]; /* what is longer has a length that is wrong, or padding */
	struct dgram_peer from;
	ssize_t n = dgram_receive(fd, packet, sizeof(packet), &from);

	if (n < 0)
		return false;
	(void)input(&from, packet, (size_t)n);
	return true;
}

static void
on_readable(int fd, void *arg)
{
	unsigned int i;

	(void)arg;
	turn.looks = turn.ends = 0;
	for (i = 0; i < TURN_PACKETS && turn.looks < DAE_LOOKS && turn.ends < TURN_ENDS; i++)
		if (!receive(fd))
			return;
}

/* The socket that sends from an address; -1: none does. */
static int
socket_for(uint32_t addr)
{
	unsigned int i;

	for (i = 0; i < n_socks; i++)
		if (socks[i].addr == addr || socks[i].addr == 0)
			return socks[i].fd;
	return -1;
}

void
dae_forwarded(const struct clfwd_from *from, const void *data, size_t len)
{
	struct dgram_peer c = {
		.fd = socket_for(from->asked),
		.ip = from->ip,
		.port = from->port,
		.asked = from->asked,
	};

	dgram_name(&c);
	if (turn.forwarded_ms != loop_now_ms())
		turn = (struct turn){ .forwarded_ms = loop_now_ms() };
	if (c.fd < 0)
		DROP(forward_bad_address, "%s", ip4_text(from->asked));
	else if (turn.looks >= DAE_LOOKS || turn.ends >= TURN_ENDS)
		DROP(dae_busy, "%s", c.who);
	else
		(void)input(&c, data, MIN(len, (size_t)RAD_MAX_PACKET));
}

int
dae_start(const uint32_t *addrs, unsigned int n, char *why, size_t why_size)
{
	uint16_t port = (uint16_t)conf->radius_dae_port;
	unsigned int i;

	dae_guard_init();
	for (i = 0; i < n && n_socks < MAX_SOCKETS; i++) {
		socks[n_socks].addr = addrs[i];
		socks[n_socks].fd = dgram_open(addrs[i], port, SOCKET_ROOM, on_readable);
		if (socks[n_socks].fd < 0) {
			snprintf(why, why_size, "radius_dae_port: cannot listen on %s port %u: %s",
			    ip4_text(addrs[i]), (unsigned)port, strerror(errno));
			return -1;
		}
		n_socks++;
	}
	return 0;
}

void
dae_stop(void)
{
	while (n_socks > 0)
		dgram_close(socks[--n_socks].fd);
}
