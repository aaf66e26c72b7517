/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The RADIUS client: slots and the schedules of Access- and Accounting-Requests
 * (RFC 2865 2, 3 and 4.1 to 4.4; RFC 3579 3.2 for Message-Authenticator; RFC 2866 2 to
 * 4.2). What is in the packets is rad_auth.c's, rad_acct.c's and rad_reply.c's, which
 * server to ask rad_server.c's; sockets and identifiers are rad_sock.c's; what becomes of
 * an accounting record is acct_line.c's. What differs between the uses of a request
 * stands in the table `uses`. Besides logins and records there is the Status-Server
 * that asks a dead server whether it lives (RFC 5997).
 *
 * A slot is one identifier of one socket. The slots, with what people may see of them,
 * lie in shared memory. The request behind a slot (packet, secrets, timer) is private: a
 * child does not even have the memory, and it is wiped when the slot is freed. Of those
 * the last one freed is the next one used, so that only so much memory is touched as
 * requests were ever in flight at once.
 *
 * A session has one login request at a time; its slot stands in a table beside the
 * sessions.
 *
 * A request keeps the servers and the secrets it began with, whatever is configured
 * later. For the next server its packet gets a new authenticator, and the password is
 * hidden anew under the secret of that one; the identifier stays, as it is another one
 * for each server (RFC 2865 3). A reply must come from a server this request was sent to,
 * with its id, and prove that it knows what was sent there and the secret; all else is
 * counted and dropped, and the request goes on waiting as if nothing had come.
 *
 * Called by the loop, by the hooks for logins and session events, and by the CLI's
 * children, which only read.
 */
#include "radius.h"
#include "config.h"
#include "counter.h"
#include "loop.h"
#include "rad_auth.h"
#include "rad_reply.h"
#include "rad_sess.h"
#include "rad_sock.h"
#include "role.h"
#include "shm.h"
#include "timer.h"
#include "util.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	IDS = 256,	    /* of a socket */
	DELAY_TIME_LEN = 6, /* the attribute Acct-Delay-Time */
	SETTLE_MS = 200,    /* what is waited for replies at the end */
	PACKET_MAX = MAX((int)RAD_AUTH_MAX, RAD_HEADER + (int)RADIUS_ACCT_ATTRS + DELAY_TIME_LEN),
};

/* What a child may see. In use while the state is not RADIUS_NULL. */
struct slot {
	sess_id s;
	uint32_t due_ds; /* next sending, 0.1 s of the loop clock */
	uint16_t req;	 /* index in reqs[] */
	uint8_t state;	 /* enum radius_state */
	uint8_t tries;	 /* sent so often */
};

struct shared {
	struct slot slots[RADIUS_SLOTS];
};

struct rad_req {
	struct timer timer;
	uint64_t due_ms;	       /* loop clock at the next sending */
	uint32_t number;	       /* of the login or record it is about */
	radius_accounted_fn accounted; /* who hears of the end of a record */
	uint16_t next_free;	       /* index; 0: last */
	uint16_t len;		       /* of the packet */
	uint8_t use;		       /* enum use */
	uint8_t n_dest;
	uint8_t now;	      /* index in dest[] of the server that is asked */
	uint8_t tries_before; /* at those before it */
	struct rad_dest dest[RAD_ASKED];
	uint64_t sent_ms[RAD_ASKED];	       /* to each, the last time */
	uint8_t auth[RAD_ASKED][RAD_AUTH_LEN]; /* Request Authenticator each has got */
	uint8_t packet[PACKET_MAX];
};

/* When a request is sent, to which of its servers, and how long it then waits. */
struct step {
	uint8_t dest;
	uint16_t wait_ms;
};

static const struct step login_steps[] = {
	{ 0, 1000 }, /* at 0 s */
	{ 0, 2000 }, /* at 1 s */
	{ 0, 2000 }, /* at 3 s */
	{ 1, 1000 }, /* at 5 s */
	{ 1, 2000 }, /* at 6 s */
	{ 1, 4000 }, /* at 8 s; refused at 12 s */
};

/* A login that asks a dead server first: the subscriber waits a second longer. */
static const struct step trial_steps[] = {
	{ 0, 1000 }, /* at 0 s */
	{ 1, 1000 }, /* at 1 s */
	{ 1, 2000 }, /* at 2 s */
	{ 1, 2000 }, /* at 4 s */
	{ 2, 1000 }, /* at 6 s */
	{ 2, 2000 }, /* at 7 s */
	{ 2, 3000 }, /* at 9 s; refused at 12 s */
};

static const struct step record_steps[] = {
	{ 0, 1000 }, /* at 0 s */
	{ 0, 2000 }, /* at 1 s */
	{ 0, 2000 }, /* at 3 s; given back at 5 s */
};

static const struct step probe_steps[] = {
	{ 0, 5000 },
};

static bool is_access_reply(uint8_t code);
static bool is_acct_reply(uint8_t code);
static void end_login(unsigned int id, const struct rad_packet *reply);
static void end_record(unsigned int id, const struct rad_packet *reply);
static void end_probe(unsigned int id, const struct rad_packet *reply);

enum use { USE_LOGIN, USE_TRIAL, USE_RECORD, USE_PROBE };

static const struct use_row {
	const struct step *steps;
	unsigned int n_steps;
	void (*end)(unsigned int id, const struct rad_packet *reply); /* NULL: there was none */
} uses[] = {
	[USE_LOGIN] = { login_steps, ARRAY_LEN(login_steps), end_login },
	[USE_TRIAL] = { trial_steps, ARRAY_LEN(trial_steps), end_login },
	[USE_RECORD] = { record_steps, ARRAY_LEN(record_steps), end_record },
	[USE_PROBE] = { probe_steps, ARRAY_LEN(probe_steps), end_probe },
};

/* What answers a request; a Status-Server too (RFC 5997 3). */
static bool (*const is_answer[RAD_KINDS])(uint8_t code) = {
	[RAD_KIND_ACCESS] = is_access_reply,
	[RAD_KIND_ACCT] = is_acct_reply,
};

const char *const radius_state_names[] = {
	[RADIUS_NULL] = "NULL",
	[RADIUS_CHAP] = "CHAP",
	[RADIUS_AUTH] = "AUTH",
	[RADIUS_WAIT] = "WAIT",
	[RADIUS_START] = "START",
	[RADIUS_STOP] = "STOP",
	[RADIUS_INTERIM] = "INTERIM",
};

static struct shared *shared;
static struct rad_req *reqs; /* 1..RADIUS_SLOTS */
static uint16_t free_req;    /* head of those freed */
static uint16_t highest_req; /* those above were never used */
static uint16_t *pending;    /* by session: slot of its login + 1, or 0 */
static unsigned int records; /* in flight */

static uint16_t
take_req(void)
{
	uint16_t i = free_req;

	if (!i)
		return ++highest_req;
	free_req = reqs[i].next_free;
	return i;
}

static enum rad_kind
kind_of(const struct rad_req *r)
{
	return r->use == USE_LOGIN || r->use == USE_TRIAL ? RAD_KIND_ACCESS
							  : (enum rad_kind)r->dest[0].kind;
}

/* Ends a request. An identifier rests when an answer may still come: it had none, or it was sent
 * more than once. */
static void
free_slot(unsigned int id, bool answered)
{
	struct slot *slot = &shared->slots[id];
	struct rad_req *r = &reqs[slot->req];
	enum rad_kind kind = kind_of(r);
	bool rest = slot->tries > 1 || (slot->tries == 1 && !answered);

	timer_stop(&r->timer);
	explicit_bzero(r->packet, r->len);
	explicit_bzero(r->dest, sizeof(r->dest));
	r->next_free = free_req;
	free_req = slot->req;
	records -= r->use == USE_RECORD;
	if (slot->s && kind == RAD_KIND_ACCESS)
		pending[slot->s] = 0;
	*slot = (struct slot){ 0 };
	rad_sock_give(id, kind, rest);
}

/* How often the server was asked that a login is at now: that those before it are silent is no sign
 * that this one is busy. */
static uint8_t
tries_of(const struct slot *slot)
{
	return (uint8_t)(slot->tries - reqs[slot->req].tries_before);
}

/* Ends a login with its result. The slot is free before others hear of it. */
static void
finish(unsigned int id, struct auth_result *res, bool answered)
{
	sess_id s = shared->slots[id].s;

	res->number = reqs[shared->slots[id].req].number;
	res->tries = tries_of(&shared->slots[id]);
	free_slot(id, answered);
	hook_auth_result(s, res);
}

/* The request is given to the next of its servers, under the secret of that one. */
static void
move_on(struct rad_req *r, unsigned int next)
{
	const char *before = r->dest[r->now].secret;

	rad_server_silent(&r->dest[r->now], r->sent_ms[r->now]);
	COUNT(radius_failover);
	r->now = (uint8_t)next;
	random_bytes(r->auth[next], RAD_AUTH_LEN);
	rad_rekey(r->packet, r->len, before, r->dest[next].secret, r->auth[next]);
	rad_server_asked(&r->dest[next]);
}

/* The next sending of the schedule. Where there is no next server it goes to the last once more. */
static void
send_step(unsigned int id)
{
	struct slot *slot = &shared->slots[id];
	struct rad_req *r = &reqs[slot->req];
	const struct step *step = &uses[r->use].steps[slot->tries];

	if (slot->tries > 0)
		COUNT(radius_retries);
	if (step->dest != r->now && step->dest < r->n_dest) {
		move_on(r, step->dest);
		r->tries_before = slot->tries;
	}
	slot->tries++;
	r->sent_ms[r->now] = loop_now_ms();
	r->due_ms = loop_now_ms() + step->wait_ms;
	slot->due_ds = (uint32_t)(r->due_ms / 100);
	timer_set(&r->timer, step->wait_ms);
	rad_sock_send(id, &r->dest[r->now], r->packet, r->len);
}

/* The first sending. */
static void
send_first(unsigned int id)
{
	struct rad_req *r = &reqs[shared->slots[id].req];

	memcpy(r->auth[0], r->packet + RAD_HEADER - RAD_AUTH_LEN, RAD_AUTH_LEN);
	if (r->use != USE_PROBE)
		rad_server_asked(&r->dest[0]);
	send_step(id);
}

static void
give_up(unsigned int id)
{
	const struct rad_req *r = &reqs[shared->slots[id].req];

	if (r->use != USE_PROBE)
		rad_server_silent(&r->dest[r->now], r->sent_ms[r->now]);
	uses[r->use].end(id, NULL);
}

static void
on_timer(uint32_t id)
{
	const struct slot *slot = &shared->slots[id];
	struct rad_req *r = &reqs[slot->req];

	if (loop_now_ms() < r->due_ms) /* the wheel lags the clock by as long as the loop slept */
		timer_set(&r->timer, r->due_ms - loop_now_ms());
	else if (r->use == USE_RECORD && !role_is_master())
		end_record(id, NULL); /* the next master's to send, if it is at all */
	else if (slot->tries < uses[r->use].n_steps)
		send_step(id);
	else
		give_up(id);
}

/* The index of the server of this request that a reply comes from; -1: it was not asked. */
static int
asked(const struct rad_req *r, const struct sockaddr_in *from)
{
	int i;

	for (i = 0; i <= r->now; i++)
		if (r->dest[i].ip == from->sin_addr.s_addr &&
		    r->dest[i].port == ntohs(from->sin_port))
			return i;
	return -1;
}

static bool
is_access_reply(uint8_t code)
{
	return code == RAD_ACCESS_ACCEPT || code == RAD_ACCESS_REJECT ||
	       code == RAD_ACCESS_CHALLENGE;
}

static bool
is_acct_reply(uint8_t code)
{
	return code == RAD_ACCOUNTING_RESPONSE;
}

/* Whether a reply is genuine and ours, RFC 2865 3, 4.2 and RFC 3579 3.2. */
static int
check_reply(const struct rad_packet *p, unsigned int id, const struct sockaddr_in *from)
{
	const struct slot *slot = &shared->slots[id];
	const struct rad_req *r = &reqs[slot->req];
	const struct rad_dest *d;
	struct rad_answer a = { .status = r->use == USE_PROBE };
	enum rad_check check;
	int i;

	if (slot->state == RADIUS_NULL)
		return DROP(radius_bad_id, "%u from %s", p->id, ip4_text(from->sin_addr.s_addr));
	i = asked(r, from);
	if (i < 0)
		return DROP(radius_bad_source, "%s:%u", ip4_text(from->sin_addr.s_addr),
		    ntohs(from->sin_port));
	d = &r->dest[i];
	if (!is_answer[d->kind](p->code))
		return DROP(
		    radius_malformed, "code %u for a request of code %u", p->code, r->packet[0]);
	check = rad_check_reply(p, r->auth[i], d->secret, &a.has_ma);
	if (check == RAD_CHECK_AUTHENTICATOR)
		return DROP(
		    radius_bad_authenticator, "from %s (is the secret the same?)", ip4_text(d->ip));
	if (check == RAD_CHECK_MESSAGE_AUTHENTICATOR)
		return DROP(radius_no_message_authenticator, "from %s: wrong", ip4_text(d->ip));
	if (!a.has_ma && rad_server_must_sign(d))
		return DROP(radius_no_message_authenticator, "from %s: missing", ip4_text(d->ip));
	a.rtt_ms = (uint32_t)(loop_now_ms() - r->sent_ms[i]);
	rad_server_answered(d, &a);
	return 0;
}

static void
log_reply(sess_id id, const struct rad_packet *p, const struct auth_result *res)
{
	const struct session *s = session_get(id);
	const char *what = p->code == RAD_ACCESS_ACCEPT	  ? "accepts"
			   : p->code == RAD_ACCESS_REJECT ? "refuses"
							  : "asks back, which counts as refusing";

	if (s)
		slog(s, LOG_CALL, "RADIUS %s %s%s%s", what, s->user, res->message[0] ? ": " : "",
		    res->message);
}

/* The server has answered a login, or none would (NULL). */
static void
end_login(unsigned int id, const struct rad_packet *reply)
{
	struct auth_result res = { .verdict = AUTH_NO_ANSWER };
	const struct session *s = session_get(shared->slots[id].s);

	if (!reply) {
		COUNT(radius_timeout);
		if (s)
			slog_limit(s, LOG_WARNING, "RADIUS: no answer for %s", s->user);
	} else {
		if (reply->code == RAD_ACCESS_ACCEPT)
			radius_decode_accept(reply, &res);
		else
			radius_decode_reject(reply, &res);
		log_reply(shared->slots[id].s, reply, &res);
	}
	finish(id, &res, reply != NULL);
}

static void
end_record(unsigned int id, const struct rad_packet *reply)
{
	const struct rad_req *r = &reqs[shared->slots[id].req];
	radius_accounted_fn accounted = r->accounted;
	uint32_t record = r->number;
	unsigned int tries = shared->slots[id].tries;

	free_slot(id, reply != NULL);
	accounted(record, reply != NULL, tries);
}

static void
end_probe(unsigned int id, const struct rad_packet *reply)
{
	free_slot(id, reply != NULL);
}

static void
input(unsigned int sock, const uint8_t *data, size_t len, const struct sockaddr_in *from)
{
	struct rad_packet p;
	unsigned int id;

	COUNT(radius_received);
	if (!rad_decode(data, len, &p)) {
		(void)DROP(
		    radius_malformed, "%zu octets from %s", len, ip4_text(from->sin_addr.s_addr));
		return;
	}
	id = sock * IDS + p.id;
	if (check_reply(&p, id, from) < 0)
		return;
	uses[reqs[shared->slots[id].req].use].end(id, &p);
}

static bool send_probe(const struct rad_dest *d);

void
radius_init(void)
{
	shared = shm_map("RADIUS slots", sizeof(*shared));
	reqs = shm_map_parent("RADIUS requests", (RADIUS_SLOTS + 1) * sizeof(*reqs));
	madvise(reqs, (RADIUS_SLOTS + 1) * sizeof(*reqs), MADV_DONTDUMP); /* passwords */
	pending = session_table("RADIUS by session", sizeof(*pending));
	free_req = highest_req = 0;
	rad_sock_init(input);
	rad_server_init(send_probe);
}

void
radius_fini(void)
{
	unsigned int i;

	for (i = 0; i < RADIUS_SLOTS; i++)
		if (shared->slots[i].state != RADIUS_NULL)
			free_slot(i, false);
	rad_sock_fini();
}

/* Fills a slot that was just taken, and the request behind it but for servers and packet. */
static struct rad_req *
begin(unsigned int id, enum use use, enum radius_state state, sess_id s, uint32_t number)
{
	struct slot *slot = &shared->slots[id];
	struct rad_req *r;

	slot->s = s;
	slot->req = take_req();
	slot->tries = 0;
	slot->state = (uint8_t)state;
	r = &reqs[slot->req];
	r->use = (uint8_t)use;
	r->number = number;
	r->n_dest = 1;
	r->now = 0;
	r->tries_before = 0;
	r->len = 0;
	timer_init(&r->timer, on_timer, id);
	return r;
}

/* Writes the packet of a login. -1: it cannot be put into one. */
static int
build_login(unsigned int id, sess_id s, const struct auth_request *login)
{
	struct rad_req *r = &reqs[shared->slots[id].req];
	uint8_t authenticator[RAD_AUTH_LEN];
	struct rad_access a = {
		.id = (uint8_t)(id % IDS),
		.authenticator = authenticator,
		.secret = r->dest[0].secret,
		.s = session_get(s),
		.login = login,
	};

	random_bytes(authenticator, sizeof(authenticator));
	r->len = (uint16_t)rad_auth_build(&a, r->packet, sizeof(r->packet));
	return r->len > 0 ? 0 : -1;
}

static void
start_login(unsigned int id, sess_id s, const struct auth_request *login)
{
	struct auth_result refused = { .verdict = AUTH_REFUSED };
	struct rad_route route;
	struct rad_req *r;

	rad_server_route(&route);
	r = begin(id, route.trial ? USE_TRIAL : USE_LOGIN,
	    login->proto == AUTH_PAP ? RADIUS_AUTH : RADIUS_CHAP, s, login->number);
	memcpy(r->dest, route.dest, route.n * sizeof(route.dest[0]));
	r->n_dest = route.n;
	explicit_bzero(&route, sizeof(route));
	pending[s] = (uint16_t)(id + 1);
	if (build_login(id, s, login) < 0)
		finish(id, &refused, false);
	else
		send_first(id);
}

/* Whether it is this login that is asked about. */
static bool
is_pending(sess_id s, uint32_t number)
{
	return pending[s] && reqs[shared->slots[pending[s] - 1u].req].number == number;
}

void
radius_cancel(sess_id s)
{
	if (pending[s])
		free_slot(pending[s] - 1u, false);
}

bool
radius_authenticate(sess_id s, const struct auth_request *login)
{
	struct auth_result busy = { .number = login->number, .verdict = AUTH_BUSY };
	int slot;

	if (!session_get(s) || is_pending(s, login->number))
		return true;
	radius_cancel(s);
	if (!rad_server_configured(RAD_KIND_ACCESS)) {
		plog_limit(LOG_ERROR, "RADIUS: no server asked for %s: %s is not set", login->user,
		    conf->radius_secret[0] ? "primary_radius" : "radius_secret");
		return false;
	}
	slot = rad_sock_take(RAD_KIND_ACCESS, false);
	if (slot < 0) {
		COUNT(radius_overflow);
		plog_limit(LOG_ERROR, "RADIUS: all %u slots in use; logins must wait",
		    rad_sock_most(RAD_KIND_ACCESS));
		hook_auth_result(s, &busy);
		return true;
	}
	start_login((unsigned int)slot, s, login);
	return true;
}

bool
radius_has_room(void)
{
	return rad_sock_has_room(RAD_KIND_ACCESS);
}

/* The packet round the attributes of a record, RFC 2866 3. */
static void
build_record(struct rad_req *r, uint8_t id, const struct radius_record *rec)
{
	struct wr w = wr_init(r->packet, sizeof(r->packet));

	rad_begin(&w, RAD_ACCOUNTING_REQUEST, id, NULL);
	wr_bytes(&w, rec->attrs, rec->len);
	rad_put_u32(&w, RAD_ACCT_DELAY_TIME, rec->delay_sec);
	r->len = (uint16_t)rad_end(&w);
	rad_sign_md5(r->packet, r->len, NULL, r->dest[0].secret);
}

bool
radius_account(const struct radius_record *rec)
{
	struct rad_req *r;
	unsigned int id;
	int slot;

	if (!rad_server_configured(RAD_KIND_ACCT))
		return false;
	slot = rad_sock_take(RAD_KIND_ACCT, false);
	if (slot < 0)
		return false;
	id = (unsigned int)slot;
	r = begin(id, USE_RECORD, rec->state, rec->s, rec->record);
	rad_server_next(rec->asked, &r->dest[0]);
	r->accounted = rec->done;
	records++;
	build_record(r, (uint8_t)(id % IDS), rec);
	send_first(id);
	return true;
}

/* RFC 5997 3: as an Access-Request signed, with nothing but who asks. */
static void
build_probe(struct rad_req *r, uint8_t id)
{
	struct wr w = wr_init(r->packet, sizeof(r->packet));
	uint8_t authenticator[RAD_AUTH_LEN];
	size_t place;

	random_bytes(authenticator, sizeof(authenticator));
	rad_begin(&w, RAD_STATUS_SERVER, id, authenticator);
	place = rad_put_message_authenticator(&w);
	rad_sess_put_nas(&w);
	r->len = (uint16_t)rad_end(&w);
	rad_sign(r->packet, r->len, place, r->dest[0].secret);
}

static bool
send_probe(const struct rad_dest *d)
{
	int slot = rad_sock_take((enum rad_kind)d->kind, true);
	struct rad_req *r;

	if (slot < 0)
		return false;
	r = begin((unsigned int)slot, USE_PROBE, RADIUS_WAIT, 0, 0);
	r->dest[0] = *d;
	COUNT(radius_probes);
	build_probe(r, (uint8_t)(slot % IDS));
	send_first((unsigned int)slot);
	return true;
}

void
radius_settle(void)
{
	unsigned int n;

	for (n = 0; n < SETTLE_MS && records > 0; n++) {
		if (n > 0)
			usleep(1000);
		rad_sock_poll();
	}
}

void
radius_session(sess_id s, enum sess_event ev)
{
	if (ev == SESS_EV_DOWN || ev == SESS_EV_GONE)
		radius_cancel(s);
}

bool
radius_row(uint32_t slot, struct radius_row *row)
{
	struct slot copy;

	if (slot >= RADIUS_SLOTS)
		return false;
	copy = shared->slots[slot];
	*row = (struct radius_row){
		.id = slot,
		.state = copy.state,
		.tries = copy.tries,
		.s = copy.s,
		.retry = copy.due_ds,
	};
	return copy.state != RADIUS_NULL;
}

void
radius_counts(struct radius_counts *c)
{
	rad_sock_counts(&c->used, &c->resting);
	c->free = RADIUS_SLOTS - c->used - c->resting;
}
