/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The RADIUS client: sockets, slots and the schedules of Access- and Accounting-Requests
 * (RFC 2865 2, 3 and 4.1 to 4.4; RFC 3579 3.2 for Message-Authenticator; RFC 2866 2 to
 * 4.2). What is in the packets is rad_auth.c's, rad_acct.c's and rad_reply.c's, which
 * server to ask rad_server.c's; what becomes of an accounting record is acct_queue.c's.
 * What differs between the two kinds of request stands in the table `kinds`.
 *
 * A slot is one identifier of one of 64 sockets: socket * 256 + RADIUS id. The sockets
 * take turns, and the identifiers of each are taken first in, first out, so that one
 * comes back as late as possible and a late reply meets nobody (RFC 2865 3). The slots,
 * with what people may see of them, lie in shared memory. The request behind a slot
 * (packet, secret, timer) is private: a child does not even have the memory, and it is
 * wiped when the slot is freed. Of those the last one freed is the next one used, so
 * that only so much memory is touched as requests were ever in flight at once.
 *
 * A session has one login request at a time; its slot stands in a table beside the
 * sessions. While accounting is on it has slots that logins may not take: when all is
 * too much, logins wait.
 *
 * A request keeps the servers and the secret it began with, whatever is configured
 * later. A reply must come from a server this request was sent to, with its id, and
 * prove that it knows the secret; all else is counted and dropped, and the request
 * goes on waiting as if nothing had come.
 *
 * Sockets are opened when their first slot is used, and are not bound to bind_address:
 * cluster members share that one, and a reply to it may reach another member.
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
#include "rad_server.h"
#include "shm.h"
#include "timer.h"
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	IDS = 256,	      /* of a socket */
	BATCH = 16,	      /* replies taken from a socket in a turn */
	DELAY_TIME_LEN = 6,   /* the attribute Acct-Delay-Time */
	SETTLE_MS = 200,      /* what is waited for replies at the end */
	SOCKET_RETRY_SEC = 5, /* before opening a socket is tried again */
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
	uint32_t used;
	struct slot slots[RADIUS_SLOTS];
};

struct rad_req {
	struct timer timer;
	uint64_t due_ms;	       /* loop clock at the next sending */
	uint32_t number;	       /* of the login or record it is about */
	radius_accounted_fn accounted; /* who hears of the end of a record */
	uint16_t next_free;	       /* index; 0: last */
	uint16_t len;		       /* of the packet */
	uint8_t n_dest;
	uint8_t now; /* index in dest[] of the server that is asked */
	struct rad_dest dest[RAD_SERVERS];
	char secret[SECRET_LEN];
	uint8_t kind; /* enum rad_kind */
	uint8_t packet[PACKET_MAX];
};

struct sock {
	int fd;		   /* -1: closed */
	bool stale;	   /* bound as is not configured any more: to be opened again when empty */
	uint16_t used;	   /* slots */
	uint8_t head;	   /* of ids[], the next to be used */
	uint8_t ids[IDS];  /* the free ones, in the order they are to be used */
	uint64_t retry_ms; /* loop clock before which opening is not tried */
};

/* When a request is sent, to which of its servers, and how long it then waits. */
static const struct step {
	uint8_t dest;
	uint16_t wait_ms;
} schedule[] = {
	{ 0, 1000 }, /* at 0 s */
	{ 0, 2000 }, /* at 1 s */
	{ 0, 2000 }, /* at 3 s; accounting ends here at 5 s */
	{ 1, 1000 }, /* at 5 s */
	{ 1, 2000 }, /* at 6 s */
	{ 1, 4000 }, /* at 8 s; refused at 12 s */
};

static bool is_access_reply(uint8_t code);
static bool is_acct_reply(uint8_t code);
static void end_login(unsigned int id, const struct rad_packet *reply);
static void end_record(unsigned int id, const struct rad_packet *reply);

static const struct kind {
	unsigned int steps; /* of the schedule */
	bool (*is_answer)(uint8_t code);
	void (*end)(unsigned int id, const struct rad_packet *reply); /* NULL: there was none */
} kinds[RAD_KINDS] = {
	[RAD_KIND_ACCESS] = { 6, is_access_reply, end_login },
	[RAD_KIND_ACCT] = { 3, is_acct_reply, end_record },
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
static unsigned int in_use[RAD_KINDS];
static unsigned int current; /* the socket that slots are taken of */
static struct sock socks[RADIUS_SOCKETS];

static void on_readable(int fd, void *arg);

/* Binds within the configured range; socket i tries every 64th port from the i-th on. */
static int
bind_in_range(int fd, unsigned int i)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	unsigned int port;

	for (port = conf->radius_bind_min + i; port <= conf->radius_bind_max;
	     port += RADIUS_SOCKETS) {
		sin.sin_port = htons((uint16_t)port);
		if (bind(fd, (const struct sockaddr *)&sin, sizeof(sin)) == 0)
			return 0;
		if (errno != EADDRINUSE)
			return -1;
	}
	errno = EADDRINUSE;
	return -1;
}

static int
open_socket(unsigned int i)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if ((conf->radius_bind_max && bind_in_range(fd, i) < 0) ||
	    loop_add(fd, on_readable, &socks[i]) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void
close_socket(struct sock *sock)
{
	if (sock->fd < 0)
		return;
	loop_del(sock->fd);
	close(sock->fd);
	sock->fd = -1;
}

/* Whether the socket can take one more request; opens it if need be. */
static bool
socket_ready(unsigned int i)
{
	struct sock *sock = &socks[i];

	if (sock->stale && sock->used == 0)
		close_socket(sock);
	if (sock->fd >= 0)
		return !sock->stale;
	if (loop_now_ms() < sock->retry_ms)
		return false;
	sock->fd = open_socket(i);
	sock->stale = false;
	if (sock->fd >= 0)
		return true;
	sock->retry_ms = loop_now_ms() + SEC(SOCKET_RETRY_SEC);
	plog_limit(LOG_ERROR, "RADIUS: cannot open socket %u: %s", i, strerror(errno));
	return false;
}

/* The ports are configured otherwise: sockets take no more requests until they are empty and opened
 * again. */
static void
bind_changed(void)
{
	unsigned int i;

	for (i = 0; i < RADIUS_SOCKETS; i++) {
		socks[i].stale = true;
		socks[i].retry_ms = 0;
	}
	if (conf->radius_bind_max &&
	    conf->radius_bind_max - conf->radius_bind_min + 1 < RADIUS_SOCKETS)
		plog(LOG_WARNING,
		    "radius_bind_min..max: %d ports are wanted, less serve fewer requests",
		    RADIUS_SOCKETS);
}

/* Puts a slot that was in use behind the free ones of its socket. */
static void
give_slot(unsigned int slot)
{
	struct sock *sock = &socks[slot / IDS];

	sock->ids[(sock->head + IDS - sock->used) % IDS] = (uint8_t)(slot % IDS);
	sock->used--;
	shared->used--;
}

static void
next_socket(void)
{
	current = (current + 1) % RADIUS_SOCKETS;
}

/* How many requests of a kind there may be: a quarter for accounting, also of the fewer sockets
 * that fit into a narrow range of ports. */
static unsigned int
most_of(enum rad_kind kind)
{
	unsigned int ports = conf->radius_bind_max
				 ? conf->radius_bind_max - conf->radius_bind_min + 1
				 : RADIUS_SOCKETS;
	unsigned int all = MIN(ports, (unsigned int)RADIUS_SOCKETS) * IDS, acct = all / 4;

	if (kind == RAD_KIND_ACCT)
		return acct;
	return conf->radius_accounting ? all - acct : RADIUS_SLOTS;
}

/* The next slot: of one socket until all its identifiers had their turn, or it has no more; -1:
 * none works. */
static int
take_slot(enum rad_kind kind)
{
	struct sock *sock;
	unsigned int n, slot;

	if (in_use[kind] >= most_of(kind))
		return -1;
	for (n = 0; n < RADIUS_SOCKETS; n++, next_socket()) {
		sock = &socks[current];
		if (sock->used == IDS || !socket_ready(current))
			continue;
		slot = current * IDS + sock->ids[sock->head++];
		sock->used++;
		shared->used++;
		if (sock->head == 0)
			next_socket();
		return (int)slot;
	}
	return -1;
}

static uint16_t
take_req(void)
{
	uint16_t i = free_req;

	if (!i)
		return ++highest_req;
	free_req = reqs[i].next_free;
	return i;
}

static void
free_slot(unsigned int id)
{
	struct slot *slot = &shared->slots[id];
	struct rad_req *r = &reqs[slot->req];

	timer_stop(&r->timer);
	explicit_bzero(r->packet, r->len);
	explicit_bzero(r->secret, sizeof(r->secret));
	r->next_free = free_req;
	free_req = slot->req;
	in_use[r->kind]--;
	if (r->kind == RAD_KIND_ACCESS)
		pending[slot->s] = 0;
	*slot = (struct slot){ 0 };
	give_slot(id);
}

/* Ends a request with its answer. The slot is free before others hear of it. */
static void
finish(unsigned int id, struct auth_result *res)
{
	sess_id s = shared->slots[id].s;

	res->number = reqs[shared->slots[id].req].number;
	free_slot(id);
	hook_auth_result(s, res);
}

static void
send_packet(unsigned int id, const struct rad_dest *d)
{
	const struct rad_req *r = &reqs[shared->slots[id].req];
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = d->ip,
		.sin_port = htons(d->port),
	};

	COUNT(radius_sent);
	if (sendto(socks[id / IDS].fd, r->packet, r->len, 0, (const struct sockaddr *)&sin,
		sizeof(sin)) < 0)
		plog_limit(LOG_WARNING, "RADIUS: sending to %s:%u: %s", ip4_text(d->ip), d->port,
		    strerror(errno));
}

/* The next sending of the schedule. A request with one server keeps to it. */
static void
send_step(unsigned int id)
{
	struct slot *slot = &shared->slots[id];
	struct rad_req *r = &reqs[slot->req];
	const struct step *step = &schedule[slot->tries];

	if (slot->tries > 0)
		COUNT(radius_retries);
	if (step->dest != r->now && step->dest < r->n_dest) {
		rad_server_silent(&r->dest[r->now]);
		COUNT(radius_failover);
		r->now = step->dest;
	}
	slot->tries++;
	r->due_ms = loop_now_ms() + step->wait_ms;
	slot->due_ds = (uint32_t)(r->due_ms / 100);
	timer_set(&r->timer, step->wait_ms);
	send_packet(id, &r->dest[r->now]);
}

static void
give_up(unsigned int id)
{
	const struct rad_req *r = &reqs[shared->slots[id].req];

	rad_server_silent(&r->dest[r->now]);
	kinds[r->kind].end(id, NULL);
}

static void
on_timer(uint32_t id)
{
	const struct slot *slot = &shared->slots[id];
	struct rad_req *r = &reqs[slot->req];

	if (loop_now_ms() < r->due_ms) /* the wheel lags the clock by as long as the loop slept */
		timer_set(&r->timer, r->due_ms - loop_now_ms());
	else if (slot->tries < kinds[r->kind].steps)
		send_step(id);
	else
		give_up(id);
}

/* The server of this request that a reply comes from; NULL when it was not asked. */
static const struct rad_dest *
asked(const struct rad_req *r, const struct sockaddr_in *from)
{
	unsigned int i;

	for (i = 0; i <= r->now; i++)
		if (r->dest[i].ip == from->sin_addr.s_addr &&
		    r->dest[i].port == ntohs(from->sin_port))
			return &r->dest[i];
	return NULL;
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
	enum rad_check check;
	bool has_ma;

	if (slot->state == RADIUS_NULL)
		return DROP(radius_bad_id, "%u from %s", p->id, ip4_text(from->sin_addr.s_addr));
	d = asked(r, from);
	if (!d)
		return DROP(radius_bad_source, "%s:%u", ip4_text(from->sin_addr.s_addr),
		    ntohs(from->sin_port));
	if (!kinds[r->kind].is_answer(p->code))
		return DROP(
		    radius_malformed, "code %u for a request of code %u", p->code, r->packet[0]);
	check = rad_check_reply(p, r->packet + 4, r->secret, &has_ma);
	if (check == RAD_CHECK_AUTHENTICATOR)
		return DROP(
		    radius_bad_authenticator, "from %s (is the secret the same?)", ip4_text(d->ip));
	if (check == RAD_CHECK_MESSAGE_AUTHENTICATOR)
		return DROP(radius_no_message_authenticator, "from %s: wrong", ip4_text(d->ip));
	if (!has_ma && rad_server_must_sign(d))
		return DROP(radius_no_message_authenticator, "from %s: missing", ip4_text(d->ip));
	rad_server_answered(d, has_ma);
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
	finish(id, &res);
}

static void
end_record(unsigned int id, const struct rad_packet *reply)
{
	const struct rad_req *r = &reqs[shared->slots[id].req];
	radius_accounted_fn accounted = r->accounted;
	uint32_t record = r->number;
	unsigned int tries = shared->slots[id].tries;

	free_slot(id);
	accounted(record, reply != NULL, tries);
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
	kinds[reqs[shared->slots[id].req].kind].end(id, &p);
}

static void
on_readable(int fd, void *arg)
{
	static uint8_t bufs[BATCH][RAD_MAX_PACKET];
	const struct sock *sock = arg;
	struct mmsghdr msgs[BATCH] = { 0 };
	struct iovec iov[BATCH];
	struct sockaddr_in from[BATCH];
	int i, n;

	for (i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ .iov_base = bufs[i], .iov_len = sizeof(bufs[i]) };
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
		msgs[i].msg_hdr.msg_name = &from[i];
		msgs[i].msg_hdr.msg_namelen = sizeof(from[i]);
	}
	n = recvmmsg(fd, msgs, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		plog_limit(LOG_WARNING, "RADIUS: receiving: %s", strerror(errno));
	for (i = 0; i < n; i++)
		input((unsigned int)(sock - socks), bufs[i], msgs[i].msg_len, &from[i]);
}

void
radius_init(void)
{
	unsigned int i;

	shared = shm_map("RADIUS slots", sizeof(*shared));
	reqs = shm_map_parent("RADIUS requests", (RADIUS_SLOTS + 1) * sizeof(*reqs));
	madvise(reqs, (RADIUS_SLOTS + 1) * sizeof(*reqs), MADV_DONTDUMP); /* passwords */
	pending = session_table("RADIUS by session", sizeof(*pending));
	for (i = 0; i < RADIUS_SOCKETS; i++)
		socks[i] = (struct sock){ .fd = -1 };
	for (i = 0; i < RADIUS_SLOTS; i++)
		socks[i / IDS].ids[i % IDS] = (uint8_t)(i % IDS);
	current = 0;
	free_req = highest_req = 0;
	config_on_change("radius_bind_min", bind_changed);
	config_on_change("radius_bind_max", bind_changed);
	bind_changed();
	rad_server_init();
}

void
radius_fini(void)
{
	unsigned int i;

	for (i = 0; i < RADIUS_SLOTS; i++)
		if (shared->slots[i].state != RADIUS_NULL)
			free_slot(i);
	for (i = 0; i < RADIUS_SOCKETS; i++)
		close_socket(&socks[i]);
}

/* Fills a slot that was just taken, and the request behind it but for the packet. */
static struct rad_req *
begin(unsigned int id, enum rad_kind kind, enum radius_state state, sess_id s, uint32_t number)
{
	struct slot *slot = &shared->slots[id];
	struct rad_req *r;

	slot->s = s;
	slot->req = take_req();
	slot->tries = 0;
	slot->state = (uint8_t)state;
	r = &reqs[slot->req];
	r->kind = (uint8_t)kind;
	r->number = number;
	r->n_dest = (uint8_t)rad_server_order(kind, r->dest);
	r->now = 0;
	str_copy(r->secret, sizeof(r->secret), conf->radius_secret);
	timer_init(&r->timer, on_timer, id);
	in_use[kind]++;
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
		.secret = r->secret,
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

	begin(id, RAD_KIND_ACCESS, login->proto == AUTH_PAP ? RADIUS_AUTH : RADIUS_CHAP, s,
	    login->number);
	pending[s] = (uint16_t)(id + 1);
	if (build_login(id, s, login) < 0)
		finish(id, &refused);
	else
		send_step(id);
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
		free_slot(pending[s] - 1u);
}

bool
radius_authenticate(sess_id s, const struct auth_request *login)
{
	struct auth_result busy = { .number = login->number, .verdict = AUTH_BUSY };
	int slot;

	if (!session_get(s) || is_pending(s, login->number))
		return true;
	radius_cancel(s);
	if (!rad_server_configured()) {
		plog_limit(LOG_ERROR, "RADIUS: no server asked for %s: %s is not set", login->user,
		    conf->radius_secret[0] ? "primary_radius" : "radius_secret");
		return false;
	}
	slot = take_slot(RAD_KIND_ACCESS);
	if (slot < 0) {
		COUNT(radius_overflow);
		plog_limit(LOG_ERROR, "RADIUS: all %u slots in use; logins must wait",
		    most_of(RAD_KIND_ACCESS));
		hook_auth_result(s, &busy);
		return true;
	}
	start_login((unsigned int)slot, s, login);
	return true;
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
	rad_sign_md5(r->packet, r->len, NULL, r->secret);
}

bool
radius_account(const struct radius_record *rec)
{
	struct rad_req *r;
	unsigned int id;
	int slot;

	if (!rad_server_configured())
		return false;
	slot = take_slot(RAD_KIND_ACCT);
	if (slot < 0)
		return false;
	id = (unsigned int)slot;
	r = begin(id, RAD_KIND_ACCT, rec->state, rec->s, rec->record);
	r->dest[0] = r->dest[rec->round % r->n_dest];
	r->n_dest = 1;
	r->accounted = rec->done;
	build_record(r, (uint8_t)(id % IDS), rec);
	send_step(id);
	return true;
}

void
radius_settle(void)
{
	unsigned int i, n;

	for (n = 0; n < SETTLE_MS && in_use[RAD_KIND_ACCT] > 0; n++) {
		if (n > 0)
			usleep(1000);
		for (i = 0; i < RADIUS_SOCKETS; i++)
			if (socks[i].fd >= 0 && socks[i].used > 0)
				on_readable(socks[i].fd, &socks[i]);
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
radius_counts(uint32_t *free_count, uint32_t *used_count)
{
	*used_count = shared->used;
	*free_count = RADIUS_SLOTS - shared->used;
}
