/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The session table, its indices and all writing to it. Owns struct session, struct
 * sess_fast and the maps (wire ids, the LAC's ids, numbers since start, user names, calling
 * numbers) that find a session.
 * Ids are given lowest first, so that the table stays dense and its upper pages can
 * be given back after a rush; a slow timer does that, for the private tables of the
 * engines too.
 *
 * Called by the engines and the CLI's children (reading only). Sends nothing.
 */
#include "session.h"
#include "change.h"
#include "config.h"
#include "counter.h"
#include "ended.h"
#include "hash.h"
#include "idset.h"
#include "loop.h"
#include "note.h"
#include "role.h"
#include "seq.h"
#include "shm.h"
#include "timer.h"
#include "tunnel.h"
#include "util.h"

#include <arpa/inet.h>
#include <string.h>

enum { MAX_TABLES = 16, TRIM_SECONDS = 10, TRIM_SLACK = 1024, RANDOM_TRIES = 64 };

/* What children must see of the indices. */
struct shared {
	uint32_t count;
	uint32_t highest;
};

static struct session *sessions;
static struct sess_fast *fast;
static struct shared *shared;
static uint32_t limit;
static struct idset ids;
static struct hash by_wire, by_peer, by_unique, by_user, by_calling;
static uint32_t next_unique;
static uint32_t last_login;

static struct {
	void *map;
	size_t size; /* of a record */
} tables[MAX_TABLES];
static unsigned int n_tables;
static struct timer trim_timer;
static uint32_t touched; /* records up to this one may have memory */

const char *const ppp_phase_names[] = {
	[PPP_DEAD] = "Dead",
	[PPP_ESTABLISH] = "Establish",
	[PPP_AUTHENTICATE] = "Authenticate",
	[PPP_NETWORK] = "Network",
	[PPP_TERMINATE] = "Terminate",
};

const char *const term_cause_names[] = {
	[TERM_NONE] = "none",
	[TERM_USER_REQUEST] = "User-Request",
	[TERM_LOST_CARRIER] = "Lost-Carrier",
	[TERM_LOST_SERVICE] = "Lost-Service",
	[TERM_IDLE_TIMEOUT] = "Idle-Timeout",
	[TERM_SESSION_TIMEOUT] = "Session-Timeout",
	[TERM_ADMIN_RESET] = "Admin-Reset",
	[TERM_ADMIN_REBOOT] = "Admin-Reboot",
	[TERM_PORT_ERROR] = "Port-Error",
	[TERM_NAS_ERROR] = "NAS-Error",
	[TERM_NAS_REQUEST] = "NAS-Request",
	[TERM_NAS_REBOOT] = "NAS-Reboot",
	[TERM_USER_ERROR] = "User-Error",
	[TERM_HOST_REQUEST] = "Host-Request",
};

static void
give_back_memory(uint32_t unused)
{
	unsigned int i;

	(void)unused;
	if (touched > shared->highest + TRIM_SLACK) {
		for (i = 0; i < n_tables; i++)
			shm_trim(tables[i].map, (limit + (size_t)1) * tables[i].size,
			    (shared->highest + (size_t)1) * tables[i].size);
		touched = shared->highest;
	}
	timer_set(&trim_timer, SEC(TRIM_SECONDS));
}

static void *
add_table(void *map, size_t size)
{
	if (n_tables == MAX_TABLES)
		fatal("too many tables beside the session table");
	tables[n_tables].map = map;
	tables[n_tables].size = size;
	n_tables++;
	return map;
}

void
session_init(uint32_t max_sessions)
{
	size_t n = max_sessions + (size_t)1;

	limit = max_sessions;
	sessions = add_table(shm_map("sessions", n * sizeof(*sessions)), sizeof(*sessions));
	fast = add_table(shm_map("session fast part", n * sizeof(*fast)), sizeof(*fast));
	shared = shm_map("session counts", sizeof(*shared));
	idset_init(&ids, "session ids", max_sessions);
	hash_init(&by_wire, "sessions by wire id", max_sessions);
	hash_init(&by_peer, "sessions by LAC id", max_sessions);
	hash_init(&by_unique, "sessions by number", max_sessions);
	hash_init(&by_user, "sessions by user", max_sessions);
	hash_init(&by_calling, "sessions by calling number", max_sessions);
	/* two processes in one second must not make the same Acct-Session-Ids */
	next_unique = 1 + random_u32() / 2;
	timer_init(&trim_timer, give_back_memory, 0);
	timer_set(&trim_timer, SEC(TRIM_SECONDS));
}

void *
session_table(const char *what, size_t size)
{
	return add_table(shm_map_private(what, (limit + (size_t)1) * size), size);
}

static uint64_t
pair_key(uint32_t high, uint16_t low)
{
	return (uint64_t)high << 16 | low;
}

const struct session *
session_get(sess_id id)
{
	if (id == 0 || id > limit || sessions[id].state == SESS_FREE)
		return NULL;
	return &sessions[id];
}

struct sess_fast *
session_fast(sess_id id)
{
	return &fast[id];
}

sess_id
session_id(const struct session *s)
{
	return (sess_id)(s - sessions);
}

sess_id
session_by_wire(uint16_t wire_tid, uint16_t wire_sid)
{
	return hash_get(&by_wire, pair_key(wire_tid, wire_sid));
}

void
session_prefetch(uint16_t wire_tid, uint16_t wire_sid)
{
	hash_prefetch(&by_wire, pair_key(wire_tid, wire_sid));
}

sess_id
session_by_peer(tunn_id t, uint16_t peer_sid)
{
	return hash_get(&by_peer, pair_key(t, peer_sid));
}

sess_id
session_by_unique(uint32_t unique)
{
	return hash_get(&by_unique, unique);
}

uint32_t
session_count(void)
{
	return shared->count;
}

sess_id
session_highest(void)
{
	return shared->highest;
}

/* An id that is free in the tunnel: by chance, or, in a very full one, the next free behind a
 * random one. */
static uint16_t
free_wire_sid(uint16_t wire_tid)
{
	uint16_t sid = 0;
	unsigned int i;

	for (i = 0; i < RANDOM_TRIES; i++) {
		sid = random_u16();
		if (sid && !session_by_wire(wire_tid, sid))
			return sid;
	}
	for (i = 0; i < 0x10000; i++, sid++)
		if (sid && !session_by_wire(wire_tid, sid))
			return sid;
	return 0;
}

static struct id_link *
tunnel_link(uint32_t id)
{
	return &sessions[id].tunnel_link;
}

static struct id_link *
user_link(uint32_t id)
{
	return &sessions[id].user_link;
}

static struct id_link *
calling_link(uint32_t id)
{
	return &sessions[id].calling_link;
}

static void
update_shared(void)
{
	shared->count = ids.used;
	shared->highest = idset_highest(&ids);
	touched = MAX(touched, shared->highest);
}

/* Others' sessions, from when they were the master, have numbers of another row. */
static uint32_t
new_unique(void)
{
	while (session_by_unique(next_unique))
		next_unique++;
	return next_unique++;
}

sess_id
session_new(tunn_id tid, uint16_t peer_sid)
{
	const struct tunnel *t = tunnel_get(tid);
	uint16_t wire_sid =
	    tunnel_sessions(tid)->count < UINT16_MAX ? free_wire_sid(t->wire_tid) : 0;
	sess_id id = wire_sid ? idset_take(&ids) : 0;
	struct session *s = &sessions[id];

	if (!id) {
		COUNT(session_overflow);
		return 0;
	}
	seq_begin(&s->seq);
	s->tunnel = tid;
	s->wire_sid = wire_sid;
	s->peer_sid = peer_sid;
	s->unique = new_unique();
	s->opened = loop_time();
	s->began_ds = loop_now_ds();
	s->peer_mru = 1500;
	s->state = SESS_OPENING;
	seq_end(&s->seq);
	hash_put(&by_wire, pair_key(t->wire_tid, wire_sid), id);
	hash_put(&by_peer, pair_key(tid, peer_sid), id);
	hash_put(&by_unique, s->unique, id);
	ll_append(tunnel_sessions(tid), id, tunnel_link);
	update_shared();
	change_set_active(CHANGE_SESSION, id, true);
	change_mark(CHANGE_SESSION, id);
	COUNT(session_created);
	return id;
}

/*
 * Sessions of one name, or of one calling number: a list that hangs on its first member,
 * which the map knows. Another text of the same hash may be in it.
 */
typedef struct id_link *(*link_fn)(uint32_t id);

/* Behind the one who is found first. */
static void
link_behind(sess_id head, sess_id id, link_fn link)
{
	sess_id next = link(head)->next;

	*link(id) = (struct id_link){ .prev = head, .next = next };
	link(head)->next = id;
	if (next)
		link(next)->prev = id;
}

/*
 * The newest is found first; but one in the garden may only claim the name, and gives
 * way to others.
 */
static void
list_add(struct hash *heads, const char *text, sess_id id, link_fn link)
{
	uint64_t key = hash_text(text);
	sess_id head = hash_get(heads, key);

	if (head && sessions[id].garden) {
		link_behind(head, id, link);
		return;
	}
	*link(id) = (struct id_link){ .next = head };
	if (head)
		link(head)->prev = id;
	hash_put(heads, key, id);
}

static void
list_remove(struct hash *heads, const char *text, sess_id id, link_fn link)
{
	struct id_link *l = link(id);

	if (l->prev)
		link(l->prev)->next = l->next;
	else if (l->next)
		hash_put(heads, hash_text(text), l->next);
	else
		hash_del(heads, hash_text(text));
	if (l->next)
		link(l->next)->prev = l->prev;
	*l = (struct id_link){ 0 };
}

static void
forget_user(sess_id id)
{
	if (sessions[id].authed)
		list_remove(&by_user, sessions[id].user, id, user_link);
}

static void
forget_calling(sess_id id)
{
	if (sessions[id].calling[0])
		list_remove(&by_calling, sessions[id].calling, id, calling_link);
}

void
session_free(sess_id id)
{
	struct session *s = &sessions[id];
	const struct tunnel *t = tunnel_get(s->tunnel);

	if (role_is_master())
		ended_note(&(struct ended){ t->wire_tid, s->wire_sid, s->unique, s->end.guess });
	forget_user(id);
	forget_calling(id);
	ll_remove(tunnel_sessions(s->tunnel), id, tunnel_link);
	hash_del(&by_wire, pair_key(t->wire_tid, s->wire_sid));
	if (session_by_peer(s->tunnel, s->peer_sid) == id)
		hash_del(&by_peer, pair_key(s->tunnel, s->peer_sid));
	if (session_by_unique(s->unique) == id)
		hash_del(&by_unique, s->unique);
	note_free(&s->notes);
	note_free(&s->scratch);
	seq_begin(&s->seq);
	memset((char *)s + sizeof(s->seq), 0, sizeof(*s) - sizeof(s->seq));
	seq_end(&s->seq);
	fast[id] = (struct sess_fast){ 0 };
	idset_give(&ids, id);
	update_shared();
	change_set_active(CHANGE_SESSION, id, false);
	change_mark(CHANGE_SESSION, id);
}

sess_id
session_by_user(const char *user)
{
	sess_id id = user[0] ? hash_get(&by_user, hash_text(user)) : 0;

	while (id && strcmp(sessions[id].user, user) != 0) /* another name of the same hash */
		id = sessions[id].user_link.next;
	return id;
}

sess_id
session_next_of_user(sess_id id)
{
	const char *user = sessions[id].user;

	do
		id = sessions[id].user_link.next;
	while (id && strcmp(sessions[id].user, user) != 0);
	return id;
}

sess_id
session_by_calling(const char *calling)
{
	sess_id id = calling[0] ? hash_get(&by_calling, hash_text(calling)) : 0;

	while (id && strcmp(sessions[id].calling, calling) != 0)
		id = sessions[id].calling_link.next;
	return id;
}

sess_id
session_next_of_calling(sess_id id)
{
	const char *calling = sessions[id].calling;

	do
		id = sessions[id].calling_link.next;
	while (id && strcmp(sessions[id].calling, calling) != 0);
	return id;
}

uint32_t
session_last_login(void)
{
	return last_login;
}

sess_id
session_first_of_tunnel(tunn_id t)
{
	return tunnel_sessions(t)->head;
}

sess_id
session_next_of_tunnel(sess_id id)
{
	return sessions[id].tunnel_link.next;
}

bool
session_snapshot(sess_id id, struct session *copy)
{
	if (id == 0 || id > limit)
		return false;
	return seq_copy(&sessions[id].seq, copy, &sessions[id], sizeof(*copy)) &&
	       copy->state != SESS_FREE;
}

static uint32_t
policy_flags(const struct session *s)
{
	uint32_t flags = 0;

	if (s->filter_in || s->filter_out)
		flags |= SF_FILTER;
	if (s->rate_in || s->rate_out)
		flags |= SF_THROTTLE;
	if (s->snoop_ip)
		flags |= SF_SNOOP;
	if (s->garden)
		flags |= SF_GARDEN;
	return flags;
}

static void
update_policy(sess_id id)
{
	fast[id].flags = (fast[id].flags & ~(uint32_t)SF_POLICY) | policy_flags(&sessions[id]);
}

/* Setters: each opens and closes the record's number round its change. TELL is a WRITE that the
 * others of the cluster must hear of. */
#define WRITE(id, ...)                                                                             \
	do {                                                                                       \
		struct session *s = &sessions[id];                                                 \
		seq_begin(&s->seq);                                                                \
		__VA_ARGS__;                                                                       \
		seq_end(&s->seq);                                                                  \
	} while (0)

#define TELL(id, ...)                                                                              \
	do {                                                                                       \
		WRITE(id, __VA_ARGS__);                                                            \
		change_mark(CHANGE_SESSION, id);                                                   \
	} while (0)

void
session_set_state(sess_id id, enum sess_state state)
{
	TELL(id, s->state = (uint8_t)state);
}

void
session_set_phase(sess_id id, enum ppp_phase phase)
{
	slog(&sessions[id], LOG_CALL, "PPP phase %s --> %s", ppp_phase_names[sessions[id].phase],
	    ppp_phase_names[phase]);
	WRITE(id, s->phase = (uint8_t)phase);
	if (phase == PPP_AUTHENTICATE) /* the next master need not begin with LCP */
		change_mark(CHANGE_SESSION, id);
}

void
session_set_cp(sess_id id, enum sess_cp cp, uint8_t state)
{
	WRITE(id, s->cp[cp] = state);
}

void
session_set_numbers(sess_id id, const char *called, const char *calling, uint32_t serial)
{
	forget_calling(id);
	WRITE(id, str_copy(s->called, sizeof(s->called), called);
	      str_copy(s->calling, sizeof(s->calling), calling); s->call_serial = serial);
	if (sessions[id].calling[0])
		list_add(&by_calling, sessions[id].calling, id, calling_link);
}

void
session_set_speeds(sess_id id, uint32_t tx_speed, uint32_t rx_speed)
{
	TELL(id, s->tx_speed = tx_speed; s->rx_speed = rx_speed);
}

void
session_set_sequencing(sess_id id, bool on)
{
	WRITE(id, s->sequencing = on);
}

void
session_set_lcp(sess_id id, uint16_t mru, uint16_t peer_mru, uint32_t magic, uint32_t peer_magic)
{
	WRITE(id, s->mru = mru; s->peer_mru = peer_mru; s->magic = magic;
	      s->peer_magic = peer_magic);
}

void
session_set_auth(sess_id id, enum auth_proto auth)
{
	WRITE(id, s->auth = (uint8_t)auth);
}

void
session_set_user(sess_id id, const char *user)
{
	forget_user(id);
	WRITE(id, str_copy(s->user, sizeof(s->user), user); s->authed = 0);
}

void
session_set_authed(sess_id id)
{
	forget_user(id);
	TELL(id, s->authed = 1; s->login = ++last_login);
	list_add(&by_user, sessions[id].user, id, user_link);
}

void
session_set_ip4(sess_id id, uint32_t ip4, uint32_t netmask, bool pooled)
{
	TELL(id, s->ip4 = ip4; s->netmask = netmask; s->pooled = pooled);
}

void
session_set_dns(sess_id id, uint32_t dns1, uint32_t dns2)
{
	WRITE(id, s->dns1 = dns1; s->dns2 = dns2);
}

void
session_set_timeouts(sess_id id, uint32_t session_sec, uint32_t idle_sec)
{
	TELL(id, s->session_timeout = session_sec; s->idle_timeout = idle_sec);
}

void
session_set_accounting(sess_id id, enum authentic authentic, uint32_t interim_sec)
{
	TELL(id, s->authentic = (uint8_t)authentic; s->interim = interim_sec);
}

void
session_set_accounted(sess_id id, bool on)
{
	TELL(id, s->accounted = on);
}

void
session_set_answered(sess_id id)
{
	TELL(id, s->answered = 1);
}

void
session_set_mtu(sess_id id, uint16_t radius_mtu)
{
	WRITE(id, s->radius_mtu = radius_mtu);
}

/* The policy setters: the fast part must tell of it at once. */
void
session_set_rates(sess_id id, uint32_t in_kbit, uint32_t out_kbit)
{
	TELL(id, s->rate_in = in_kbit; s->rate_out = out_kbit);
	update_policy(id);
}

void
session_set_filters(sess_id id, uint8_t in, uint8_t out)
{
	TELL(id, s->filter_in = in; s->filter_out = out);
	update_policy(id);
}

void
session_set_snoop(sess_id id, uint32_t ip, uint16_t port)
{
	TELL(id, s->snoop_ip = ip; s->snoop_port = port);
	update_policy(id);
}

void
session_set_garden(sess_id id, bool on)
{
	TELL(id, s->garden = on);
	update_policy(id);
}

bool
session_set_end(sess_id id, const struct sess_end *end)
{
	if (sessions[id].end.cause != TERM_NONE)
		return false;
	TELL(id, s->end = *end);
	return true;
}

void
session_set_down(sess_id id)
{
	TELL(id, s->down = 1);
}

bool
session_is_unproven(const struct session *s)
{
	return s->garden && s->authentic == AUTHENTIC_NONE;
}

int
session_add_note(sess_id id, uint8_t kind, uint16_t tag, const void *data, size_t len)
{
	int result;

	WRITE(id,
	    result = note_add(kind >= NOTE_PROXY ? &s->scratch : &s->notes, kind, tag, data, len));
	if (result < 0)
		slog_limit(&sessions[id], LOG_WARNING, "no room to keep %s", note_kind_names[kind]);
	else if (kind == NOTE_ROUTE && fast[id].flags & SF_ON)
		fast[id].flags |= SF_ROUTES;
	if (kind < NOTE_PROXY && sessions[id].authed)
		change_mark(CHANGE_SESSION, id);
	return result;
}

int
session_replace_notes(sess_id id, uint8_t kind, const struct note *with, unsigned int n)
{
	int result;

	TELL(id, result = note_replace(&s->notes, kind, with, n));
	if (result < 0)
		slog_limit(&sessions[id], LOG_WARNING, "no room to keep %s", note_kind_names[kind]);
	return result;
}

void
session_drop_scratch(sess_id id)
{
	if (sessions[id].scratch)
		WRITE(id, note_free(&s->scratch));
}

/* The session MTU: the least of our tun's, the peer's MRU and Framed-MTU. */
static uint16_t
mtu_of(const struct session *s)
{
	uint16_t mtu = MIN(config_mru(), s->peer_mru);

	return s->radius_mtu ? MIN(mtu, s->radius_mtu) : mtu;
}

static uint32_t
fast_flags(const struct session *s)
{
	struct note_pos pos = note_first(s->notes);
	struct note n;
	uint32_t flags = policy_flags(s);

	if (s->sequencing)
		flags |= SF_SEQUENCE;
	while (note_next(&pos, &n))
		if (n.kind == NOTE_ROUTE)
			flags |= SF_ROUTES;
	return flags;
}

void
session_forwarding(sess_id id, bool on)
{
	const struct session *s = &sessions[id];
	const struct tunnel *t = tunnel_get(s->tunnel);
	struct sess_fast *f = &fast[id];

	f->flags &= ~(uint32_t)SF_ON;
	atomic_thread_fence(memory_order_release);
	f->peer_ip = t->peer_ip;
	f->peer_port = htons(t->peer_port);
	f->peer_tid = htons(t->peer_tid);
	f->peer_sid = htons(s->peer_sid);
	f->mtu = mtu_of(s);
	f->ip4 = s->ip4;
	f->tunnel = (uint16_t)s->tunnel;
	f->local = t->local;
	f->flags = fast_flags(s);
	atomic_thread_fence(memory_order_release);
	if (on)
		f->flags |= SF_ON;
	change_mark(CHANGE_SESSION, id);
}

void
session_follow_tunnel(sess_id id)
{
	const struct tunnel *t = tunnel_get(sessions[id].tunnel);

	fast[id].peer_ip = t->peer_ip;
	fast[id].peer_port = htons(t->peer_port);
}

/* A place for a record of another member: free, or this very session's. */
static bool
place_fits(sess_id id, const struct sess_rec *rec)
{
	const struct tunnel *t = tunnel_get((tunn_id)rec->tunnel);
	sess_id other = t ? session_by_wire(t->wire_tid, rec->wire_sid) : 0;

	if (!t || id == 0 || id > limit || rec->state == SESS_FREE || (other && other != id))
		return false;
	return sessions[id].state == SESS_FREE ||
	       (sessions[id].tunnel == rec->tunnel && sessions[id].wire_sid == rec->wire_sid &&
		   sessions[id].unique == rec->unique);
}

static void
begin_place(sess_id id, const struct sess_rec *rec)
{
	idset_claim(&ids, id);
	hash_put(&by_wire, pair_key(tunnel_get((tunn_id)rec->tunnel)->wire_tid, rec->wire_sid), id);
	hash_put(&by_peer, pair_key(rec->tunnel, rec->peer_sid), id);
	hash_put(&by_unique, rec->unique, id);
	ll_append(tunnel_sessions((tunn_id)rec->tunnel), id, tunnel_link);
	update_shared();
}

/* Which texts it is found by are others than before. */
static bool
is_found_otherwise(const struct session *s, const struct sess_rec *rec)
{
	return s->state == SESS_FREE || s->authed != rec->authed || s->garden != rec->garden ||
	       strcmp(s->user, rec->user) != 0 || strcmp(s->calling, rec->calling) != 0;
}

/* The LAC's id of a session is another one: a record that errs says so. */
static void
move_peer(sess_id id, const struct sess_rec *rec)
{
	const struct session *s = &sessions[id];

	if (session_by_peer(s->tunnel, s->peer_sid) == id)
		hash_del(&by_peer, pair_key(s->tunnel, s->peer_sid));
	hash_put(&by_peer, pair_key(rec->tunnel, rec->peer_sid), id);
}

static void
place_record(sess_id id, const struct sess_rec *rec, uint32_t age_ds, uint32_t login)
{
	struct session *s = &sessions[id];
	uint32_t notes = s->notes;

	seq_begin(&s->seq);
	memcpy((char *)s + offsetof(struct session, tunnel), rec, sizeof(*rec));
	s->notes = notes;
	s->login = login;
	s->began_ds = loop_now_ds() - age_ds;
	seq_end(&s->seq);
}

int
session_place(sess_id id, const struct sess_rec *rec, uint32_t age_ds, uint32_t login)
{
	bool anew;

	if (!place_fits(id, rec))
		return -1;
	anew = is_found_otherwise(&sessions[id], rec);
	if (sessions[id].state == SESS_FREE)
		begin_place(id, rec);
	else if (sessions[id].peer_sid != rec->peer_sid)
		move_peer(id, rec);
	if (anew) {
		forget_user(id);
		forget_calling(id);
	}
	place_record(id, rec, age_ds, login);
	if (anew && rec->authed)
		list_add(&by_user, rec->user, id, user_link);
	if (anew && rec->calling[0])
		list_add(&by_calling, rec->calling, id, calling_link);
	if ((int32_t)(login - last_login) > 0)
		last_login = login;
	update_policy(id);
	return 0;
}

sess_id
session_free_place(void)
{
	return idset_lowest(&ids);
}

void
session_drop_notes(sess_id id)
{
	WRITE(id, note_free(&s->notes); note_free(&s->scratch));
}

uint32_t
session_age(const struct session *s)
{
	return loop_seconds_since(s->began_ds);
}

uint32_t
session_idle(sess_id id)
{
	return MIN(loop_seconds_since(fast[id].last_data), session_age(&sessions[id]));
}
