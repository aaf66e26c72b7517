/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole member of a cluster, with all engines as the daemon has them, among three others whose
 * words are the input: messages of every kind in any order, with the right key and head, or
 * wrong ones, through the socket of clsock.c. System calls are stand-ins, and so is the clock.
 *
 * An input says whether the member is to be a slave at first; then it is a row of steps, an octet
 * for what to do and its arguments. Behind each input all
 * fall silent for longer than anybody is remembered: then the member must be master again,
 * whatever it was told of terms, numbers and versions, and holds nothing. What it sends must be
 * sound at all times, and it must never hand on what was handed to it.
 *
 * fuzz_member_open.c is the same without cluster_secret.
 */
int l2tpns_main(int argc, char **argv);
#define main l2tpns_main
#include "../../l2tpns.c"
#undef main

#include "avp.h"
#include "clfield.h"
#include "clguard.h"
#include "clsock.h"
#include "iptab.h"
#include "l2tp_chan.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdarg.h>
#include <sys/select.h>
#include <sys/syscall.h>

#ifndef SECRET
#define SECRET "a secret"
#endif

enum {
	PEERS = 3,
	TUNNEL_LIMIT = 8,
	SESSION_LIMIT = 40,
	PENDING = 64,
	MOST_SAID = 6000, /* messages in a step: a synchronisation's parts, or what is sent again */
	QUIET_MS = 61000, /* longer than anybody is thought of */
};

#define OURS	htonl(0x0a000001)
#define SERVICE htonl(0x0a010001)

#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what))                                                                       \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- the others, as far as they are needed --- */

static struct peer {
	uint64_t incarnation, counter;
	uint32_t address;
	uint32_t sync; /* number of the last SYNC_ASK it got */
	uint32_t part;
	uint64_t seq;	 /* of its last CHANGE */
	uint64_t number; /* of its last FORWARD */
	uint8_t nonce[CLMSG_NONCE];
	bool asked; /* it got a challenge */
} peers[PEERS];

static uint64_t ours; /* incarnation of the member, as it says */
static uint32_t term; /* and its term */
static uint64_t lives = 1000;

/* --- what stands for the kernel --- */

static struct {
	uint32_t from;
	size_t len;
	uint8_t data[CLMSG_LARGEST];
} pending[PENDING];
static unsigned int n_pending;

static uint64_t fake_ms = 1000000;
static int cluster_fd = -1;
static unsigned int no_room;		   /* so many messages are refused */
static unsigned int quiet_turns, quiet_ms; /* before the next step */
static struct rd input;			   /* steps to come */
static unsigned int said;		   /* messages since the last step */
static struct clmsg_key right_key;

static void do_step(void);

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	if (id != CLOCK_MONOTONIC)
		return (int)syscall(SYS_clock_gettime, id, ts);
	ts->tv_sec = (time_t)(fake_ms / 1000);
	ts->tv_nsec = (long)(fake_ms % 1000) * 1000000;
	return 0;
}

int
socket(int domain, int type, int protocol)
{
	(void)domain;
	(void)type;
	(void)protocol;
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

int
bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	(void)fd;
	(void)addr;
	(void)len;
	return 0;
}

int
setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	(void)value;
	(void)len;
	if (level == SOL_SOCKET && name == SO_BINDTODEVICE)
		cluster_fd = fd;
	return 0;
}

int
getifaddrs(struct ifaddrs **list)
{
	static struct sockaddr_in addr = { .sin_family = AF_INET },
				  mask = { .sin_family = AF_INET };
	static char name[] = "fuzz0";
	static struct ifaddrs one = { .ifa_name = name, .ifa_flags = IFF_UP };

	addr.sin_addr.s_addr = OURS;
	mask.sin_addr.s_addr = htonl(0xffffff00);
	one.ifa_addr = (struct sockaddr *)&addr;
	one.ifa_netmask = (struct sockaddr *)&mask;
	*list = &one;
	return 0;
}

void
freeifaddrs(struct ifaddrs *list)
{
	(void)list;
}

unsigned int
if_nametoindex(const char *name)
{
	(void)name;
	return 1;
}

int
recvmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags, struct timespec *timeout)
{
	unsigned int i;

	(void)flags;
	(void)timeout;
	if (fd != cluster_fd || n_pending == 0) {
		errno = EAGAIN;
		return -1;
	}
	n = MIN(n, n_pending);
	for (i = 0; i < n; i++) {
		struct msghdr *m = &msgs[i].msg_hdr;
		struct sockaddr_in from = { .sin_family = AF_INET };

		from.sin_addr.s_addr = pending[i].from;
		memcpy(m->msg_name, &from, sizeof(from));
		msgs[i].msg_len = (unsigned int)MIN(pending[i].len, m->msg_iov->iov_len);
		memcpy(m->msg_iov->iov_base, pending[i].data, msgs[i].msg_len);
	}
	n_pending -= n;
	memmove(pending, pending + n, n_pending * sizeof(pending[0]));
	return (int)n;
}

static struct peer *
peer_at(uint32_t address)
{
	unsigned int i;

	for (i = 0; i < PEERS; i++)
		if (peers[i].address == address)
			return &peers[i];
	return NULL;
}

/* What the member says. */
static void
hear(uint32_t to, const uint8_t *data, size_t len)
{
	struct peer *p = peer_at(to);
	struct cl_sync_ask ask;
	struct cl_proof proof;
	struct cl_head head;
	struct rd fields;

	MUST(clmsg_open(data, len, &right_key, &head, &fields) == CLMSG_OK);
	MUST(head.kind < CLMSG_KINDS && (!clmsg_names_receiver(head.kind) || head.receiver));
	MUST(++said <= MOST_SAID);
	MUST(head.kind != CL_FORWARD); /* nothing came that was not handed on once already */
	ours = head.incarnation;
	term = head.term;
	if (head.kind == CL_CHALLENGE) {
		MUST(head.len <= CLMSG_CHALLENGE && clmsg_get_proof(fields, &proof));
		if (p) {
			memcpy(p->nonce, proof.nonce, sizeof(p->nonce));
			p->asked = true;
		}
	}
	if (head.kind == CL_SYNC_ASK && p && clmsg_get_sync_ask(fields, &ask)) {
		p->part = ask.sync == p->sync ? p->part : 0;
		p->sync = ask.sync;
	}
}

int
sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags)
{
	unsigned int i;

	(void)flags;
	for (i = 0; i < n; i++) {
		const struct msghdr *m = &msgs[i].msg_hdr;
		struct sockaddr_in to;

		if (no_room > 0) {
			no_room--;
			errno = no_room % 2 ? EAGAIN : ENOBUFS;
			return i ? (int)i : -1;
		}
		if (fd != cluster_fd)
			continue;
		memcpy(&to, m->msg_name, sizeof(to));
		hear(to.sin_addr.s_addr, m->msg_iov->iov_base, m->msg_iov->iov_len);
	}
	return (int)n;
}

ssize_t
sendmsg(int fd, const struct msghdr *msg, int flags)
{
	(void)fd;
	(void)flags;
	return (ssize_t)msg->msg_iov->iov_len;
}

ssize_t
sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to, socklen_t to_len)
{
	(void)fd;
	(void)data;
	(void)flags;
	(void)to;
	(void)to_len;
	return (ssize_t)len;
}

/* The loop waits: the next step is due, or the input has come to its end. */
int
pselect(
    int n, fd_set *r, fd_set *w, fd_set *e, const struct timespec *timeout, const sigset_t *mask)
{
	(void)n;
	(void)e;
	(void)timeout;
	(void)mask;
	FD_ZERO(r);
	FD_ZERO(w);
	if (n_pending == 0)
		do_step();
	if (n_pending == 0)
		return 0;
	FD_SET(cluster_fd, r);
	return 1;
}

/* --- what comes --- */

static uint8_t
octet(void)
{
	return rd_u8(&input);
}

/* How many octets of the input are to be taken. */
static size_t
some(void)
{
	size_t n = octet();

	return MIN(n, rd_left(&input));
}

static void
deliver(uint32_t from, const void *data, size_t len)
{
	if (n_pending == PENDING || len > CLMSG_LARGEST)
		return;
	pending[n_pending].from = from;
	pending[n_pending].len = len;
	memcpy(pending[n_pending].data, data, len);
	n_pending++;
}

/* A number near the one that would be right, or far off. */
static uint64_t
near(uint64_t right)
{
	static const uint64_t far[] = { 0, 1, UINT32_MAX, (uint64_t)1 << 40, INT64_MAX,
		UINT64_MAX };
	uint8_t how = octet();

	if (how < 0x80)
		return right + how % 16;
	if (how < 0xc0)
		return right - how % 16;
	return far[how % ARRAY_LEN(far)];
}

static struct cl_head
head_of(struct peer *p, uint8_t kind)
{
	uint8_t how = octet();
	struct cl_head head = { .kind = kind, .incarnation = p->incarnation, .term = term };

	head.counter = how & 1 ? near(p->counter) : ++p->counter;
	p->counter = MAX(p->counter, head.counter < UINT32_MAX ? head.counter : 0);
	head.receiver = clmsg_names_receiver(kind) || how & 2 ? ours : 0;
	if (how & 4)
		head.receiver = near(ours);
	if (how & 8)
		head.term = (uint32_t)near(term);
	return head;
}

static void
seal(struct peer *p, struct wr *w)
{
	uint8_t how = octet();
	struct clmsg_key wrong;
	size_t len;

	clmsg_set_key(&wrong, how == 1 ? "" : "another");
	len = clmsg_seal(w, how == 1 || how == 2 ? &wrong : &right_key);
	if (how == 3 && len > 0)
		len--;
	if (how == 4 && len > 0)
		w->buf[near(len) % len] ^= octet();
	deliver(how == 5 ? htonl(0x0b000001) : p->address, w->buf, len);
}

static struct wr
begin_of(struct peer *p, uint8_t kind)
{
	static uint8_t buf[CLMSG_LARGEST];
	struct cl_head head = head_of(p, kind);

	return clmsg_begin(buf, sizeof(buf), &head);
}

/* So many octets of the input as it says: where they are. */
static const uint8_t *
some_octets(size_t *n)
{
	*n = some();
	return rd_bytes(&input, *n);
}

/* Fields as they come from the input. */
static void
put_octets(struct wr *w)
{
	size_t n;
	const uint8_t *p = some_octets(&n);

	if (n > 0)
		wr_bytes(w, p, n);
}

static uint64_t
incarnation_of(uint8_t who)
{
	return who < PEERS ? peers[who].incarnation : who == PEERS ? ours : who & 1 ? 0 : 99;
}

static void
heartbeat(struct peer *p)
{
	struct wr w = begin_of(p, CL_HEARTBEAT);
	struct cl_heartbeat hb = {
		.role = octet() & 1,
		.flags = octet() & 3,
		.uptime_ms = near(p->counter * 100),
		.version = near(change_table_version()),
		.seq = near(p->seq),
		.master = incarnation_of(octet() % 6),
		.base = near(change_table_version()),
		.before = incarnation_of(octet() % 6),
		.address = p->address,
	};

	clmsg_put_heartbeat(&w, &hb);
	seal(p, &w);
}

static void
proof(struct peer *p, uint8_t kind)
{
	struct wr w = begin_of(p, kind);
	struct cl_proof m = { .address = p->address };

	memcpy(m.nonce, p->nonce, sizeof(m.nonce));
	if (octet() & 1)
		m.nonce[octet() % CLMSG_NONCE] ^= 1;
	clmsg_put_proof(&w, &m);
	seal(p, &w);
}

/* --- records --- */

static struct note
some_note(void)
{
	struct note n = { .kind = (uint8_t)(octet() % NOTE_KINDS), .tag = octet() % 64 };
	struct note_route route = { .addr = htonl(0x0a090000u + octet() % 32), .len = 28 };

	n.len = (uint8_t)some();
	rd_copy(&input, n.data, n.len);
	if (n.kind != NOTE_ROUTE && n.kind != NOTE_WAITS)
		return n;
	route.len = (uint8_t)(route.len + octet() % 5);
	n.len = sizeof(route);
	memcpy(n.data, &route, sizeof(route));
	return n;
}

static void
fill_ppp(struct repl_ppp *p)
{
	uint8_t bits = octet() ^ 0x86; /* accepted, served, announced */

	p->authtype = octet() % 4;
	p->auth_id = octet();
	p->lcp_id = octet();
	p->ipcp_id = octet();
	p->heard = bits & 1;
	p->auth_done = bits >> 1 & 1;
	p->served = bits >> 2 & 1;
	p->proxied = bits >> 3 & 1;
	p->ask_address = bits >> 4 & 1;
	p->any_address = bits >> 5 & 1;
	p->has_address = bits >> 6 & 1;
	p->announced = bits >> 7 & 1;
	p->our_mru = (uint16_t)near(1492);
}

static void
fill_account(struct repl_account *a)
{
	a->state = octet() % 3;
	a->age_ds = (uint32_t)near(100);
	a->interim_ds = (uint32_t)near(100);
	a->rx_bytes = near(1000);
}

static void
put_session(struct wr *w, uint32_t id, uint64_t version)
{
	static struct repl_session s;
	unsigned int notes;
	struct note n;

	repl_clear_session(&s);
	s.id = id;
	s.version = version;
	s.rec.tunnel = 1 + octet() % (TUNNEL_LIMIT + 1);
	s.rec.wire_sid = octet() % 16 + 1;
	s.rec.peer_sid = octet() % 16 + 1;
	s.rec.unique = octet() % 8;
	s.rec.state = (SESS_OPEN + octet()) % 4;
	s.rec.phase = (PPP_NETWORK + octet()) % 5;
	s.rec.cp[SESS_CP_LCP] = (9 + octet()) % 10;
	s.rec.cp[SESS_CP_IPCP] = (9 + octet()) % 10;
	s.rec.ip4 = htonl(0x0a090000u + octet() % 16);
	s.rec.pooled = octet() & 1;
	s.rec.authed = ~octet() & 1;
	s.rec.down = octet() & 1;
	s.rec.garden = octet() & 1;
	s.rec.answered = octet() & 1;
	s.rec.sequencing = octet() & 1;
	s.rec.rate_in = octet();
	s.rec.peer_mru = (uint16_t)near(1500);
	s.rec.session_timeout = octet();
	s.rec.idle_timeout = octet();
	s.rec.snoop_ip = octet() & 1 ? htonl(0x0a020001) : 0;
	s.rec.snoop_port = 9;
	s.rec.auth = octet() % 4;
	s.on = ~octet() & 1;
	fill_ppp(&s.ppp);
	fill_account(&s.acct);
	s.age_ds = (uint32_t)near(100);
	snprintf(s.rec.user, sizeof(s.rec.user), "user%u", octet() % 4);
	snprintf(s.rec.calling, sizeof(s.rec.calling), "0733%u", octet() % 4);
	for (notes = octet() % 4; notes > 0; notes--) {
		n = some_note();
		if (n.kind)
			(void)repl_add_note(&s, &n);
	}
	(void)repl_put_session(w, &s);
}

static void
put_tunnel(struct wr *w, uint32_t id, uint64_t version)
{
	struct repl_tunnel t = {
		.id = id,
		.version = version,
		.state = (TUNNEL_OPEN + octet()) % 4,
		.chan_open = ~octet() & 1,
		.wire_tid = octet() % 8 + 1,
		.peer_tid = octet() % 8 + 1,
		.local_ip = octet() % 8 == 7 ? htonl(0x0a010002) : SERVICE,
		.peer_ip = htonl(0x0a030001),
		.peer_port = 1701,
		.peer_window = octet(),
		.ns = (uint16_t)near(10),
		.acked = (uint16_t)near(10),
		.high = (uint16_t)near(10),
		.nr = (uint16_t)near(10),
	};

	(void)repl_put_tunnel(w, &t);
}

/* A control message as one that waits for its acknowledgement. */
static void
put_chan(struct wr *w, uint32_t tunnel, uint64_t version)
{
	static struct repl_chan c;

	c = (struct repl_chan){
		.version = version, .tunnel = (uint16_t)tunnel, .ns = (uint16_t)near(10)
	};
	c.len = (uint16_t)(12 + 5 * some());
	(void)repl_put_chan(w, &c);
}

static void
put_acct(struct wr *w, uint32_t session, uint64_t version)
{
	static struct repl_acct a;

	a = (struct repl_acct){ .id = octet(),
		.version = octet() & 1 ? version : octet() % 4,
		.origin = incarnation_of(octet() % 6),
		.done = octet() & 1,
		.status = octet() % 9,
		.session = session,
		.key = octet() % 8,
		.len = 12,
		.attrs = { 1, 6, 'u', 's', 'e', 'r', 4, 6, 10, 0, 0, 1 } };
	if (octet() & 1) {
		a.len = (uint16_t)some();
		rd_copy(&input, a.attrs, a.len);
	}
	(void)repl_put_acct(w, &a);
}

static void
put_count(struct wr *w, uint32_t id, uint64_t version)
{
	static struct repl_count n;
	unsigned int i;

	n = (struct repl_count){ .id = id,
		.version = version,
		.unique = octet() % 8,
		.rx_bytes = near(1000),
		.n = octet() % 4 };
	for (i = 0; i < n.n; i++)
		n.member[i] = (struct repl_member){ .incarnation = incarnation_of(octet() % 6),
			.rx_bytes = near(1000),
			.rx_packets = octet() };
	(void)repl_put_count(w, &n);
}

static void
put_dae(struct wr *w, uint64_t version)
{
	struct repl_dae d = { .id = octet() % 8,
		.version = version,
		.ip = htonl(0x0a020000u + octet() % 4),
		.port = octet(),
		.request = octet(),
		.stamped = octet() & 1,
		.cause = (uint16_t)near(0),
		.age_ds = (uint32_t)near(100) };

	(void)repl_put_dae(w, &d);
}

/* What the master tells of usage files, or who was master too. */
static void
put_usage(struct wr *w, uint8_t kind, uint32_t id, uint64_t version)
{
	struct repl_usage u = { .id = id,
		.unique = octet() % 8,
		.run = octet() % 16,
		.up = near(1000),
		.down = near(1000),
		.own_up = octet() };
	struct repl_usage_run r = { .id = octet() % 16,
		.version = octet() & 1 ? version : octet(),
		.origin = incarnation_of(octet() % 6),
		.told = octet(),
		.over = octet() & 1 };
	struct repl_usage_end e = { .id = octet() + 1,
		.origin = incarnation_of(octet() % 6),
		.unique = octet() % 8,
		.run = octet() % 16,
		.up = near(1000),
		.place = octet(),
		.user = "user0" };

	if (kind == REPL_USAGE)
		(void)repl_put_usage(w, &u);
	else if (kind == REPL_USAGE_RUN)
		(void)repl_put_usage_run(w, &r);
	else if (kind == REPL_USAGE_END)
		(void)repl_put_usage_end(w, &e);
}

static void
put_small_record(struct wr *w, uint8_t kind, uint32_t id, uint64_t version)
{
	struct repl_pool pool = { .version = version, .user = "user0" };
	struct repl_ended ended = { .unique = id % 8 };
	struct repl_mark mark = { .id = id, .version = version };

	if (kind == REPL_CHAN)
		put_chan(w, (id - 1) % (TUNNEL_LIMIT + 1) + 1, version);
	else if (kind == REPL_ACCT)
		put_acct(w, id, version);
	else if (kind == REPL_COUNT)
		put_count(w, id, version);
	else if (kind == REPL_DAE)
		put_dae(w, version);
	else if (kind >= REPL_USAGE)
		put_usage(w, kind, id, version);
	pool.ip4 = htonl(0x0a090000u + octet() % 16);
	pool.age_ds = (uint32_t)near(100);
	pool.user[4] = (char)('0' + octet() % 4);
	ended.wire_tid = octet() % 8 + 1;
	ended.wire_sid = octet() % 16 + 1;
	mark.origin = incarnation_of(octet() % 6);
	if (kind == REPL_POOL)
		(void)repl_put_pool(w, &pool);
	else if (kind == REPL_ENDED)
		(void)repl_put_ended(w, &ended);
	else if (kind == REPL_MARK)
		(void)repl_put_mark(w, &mark);
}

/* Fields behind those of the record that was put last, at `at`: others of the same tags count. */
static void
put_more_fields(struct wr *w, size_t at)
{
	unsigned int n;
	size_t len;

	for (n = octet() % 4; n > 0; n--) {
		uint16_t tag = octet() % 96;
		const uint8_t *p = some_octets(&len);

		clfield_put_octets(w, tag, p, len);
	}
	len = wr_len(w) - at - 4;
	if (wr_len(w) > at + 4) {
		w->buf[at + 2] = (uint8_t)(len >> 8);
		w->buf[at + 3] = (uint8_t)len;
	}
}

static void
put_record(struct wr *w)
{
	uint8_t kind = (REPL_SESSION + octet()) % REPL_KINDS;
	uint32_t id = 1 + octet() % (SESSION_LIMIT + 3);
	uint64_t version = near(change_table_version() + 1);
	size_t at = wr_len(w);
	uint8_t how;

	if (kind == 0)
		(void)repl_put_gone(w, octet() % REPL_KINDS, id, version);
	else if (kind == REPL_SESSION)
		put_session(w, id, version);
	else if (kind == REPL_TUNNEL)
		put_tunnel(w, (id - 1) % (TUNNEL_LIMIT + 1) + 1, version);
	else
		put_small_record(w, kind, id, version);
	how = octet();
	if (how == 2)
		put_more_fields(w, at);
	if (how == 1 && wr_len(w) > at)
		w->buf[at + octet() % (wr_len(w) - at)] ^= octet();
}

static void
put_records(struct wr *w)
{
	unsigned int n;

	for (n = 1 + octet() % 7; n > 0; n--)
		put_record(w);
}

static void
change(struct peer *p)
{
	struct wr w = begin_of(p, CL_CHANGE);
	struct cl_change m = { .seq = octet() & 1 ? near(p->seq) : ++p->seq };

	clmsg_put_change(&w, &m);
	put_records(&w);
	seal(p, &w);
}

static void
part(struct peer *p, uint8_t kind)
{
	struct wr w = begin_of(p, kind);
	struct cl_sync m = {
		.sync = octet() & 1 ? (uint32_t)near(p->sync) : p->sync,
		.part = octet() & 1 ? (uint32_t)near(p->part) : ++p->part,
		.last = octet() & 1,
		.seq = near(p->seq),
		.version = near(change_table_version()),
	};

	clmsg_put_sync(&w, &m);
	put_records(&w);
	seal(p, &w);
}

/* --- what slaves ask of a master --- */

static void
request(struct peer *p, uint8_t kind)
{
	struct wr w = begin_of(p, kind);
	struct cl_resend resend = { .from = near(1), .to = near(10) };
	struct cl_sync_ask ask = { .sync = octet() };
	struct cl_sync_ack ack = { .sync = octet(), .part = (uint32_t)near(1) };
	struct cl_leave leave = { .successor = incarnation_of(octet() % 6) };

	if (kind == CL_RESEND)
		clmsg_put_resend(&w, &resend);
	else if (kind == CL_SYNC_ASK)
		clmsg_put_sync_ask(&w, &ask);
	else if (kind == CL_SYNC_ACK)
		clmsg_put_sync_ack(&w, &ack);
	else
		clmsg_put_leave(&w, &leave);
	seal(p, &w);
}

/* An AVP as the kinds of messages have them, or any. */
static void
put_avp(struct wr *w)
{
	static const uint16_t numbers[] = { AVP_ASSIGNED_TUNNEL_ID, AVP_ASSIGNED_SESSION_ID,
		AVP_RECEIVE_WINDOW_SIZE, AVP_PROTOCOL_VERSION };
	uint8_t what = octet() % 8;
	uint16_t type = octet() % 128;
	const uint8_t *p;
	size_t n;

	if (what < ARRAY_LEN(numbers))
		avp_put_u16(w, AVP_MANDATORY, numbers[what], octet() % 17);
	else if (what == 4)
		avp_put_str(w, AVP_MANDATORY, AVP_HOST_NAME, "lac");
	else if (what == 5)
		avp_put_result(w, octet() % 12, octet() % 8, "why");
	else if (what == 6)
		avp_put_u32(w, AVP_MANDATORY, type, octet());
	else if ((p = some_octets(&n)) && n > 0)
		avp_put(w, 0, type, p, n);
}

/* What a message of that type must have. */
static void
put_usual_avps(struct wr *w, uint16_t type)
{
	if (type == CTL_SCCRQ) {
		avp_put_u16(w, AVP_MANDATORY, AVP_PROTOCOL_VERSION, 0x100);
		avp_put_u32(w, AVP_MANDATORY, AVP_FRAMING_CAPABILITIES, 3);
		avp_put_str(w, AVP_MANDATORY, AVP_HOST_NAME, "lac");
	}
	if (type == CTL_SCCRQ || type == CTL_STOPCCN)
		avp_put_u16(w, AVP_MANDATORY, AVP_ASSIGNED_TUNNEL_ID, 1 + octet() % 8);
	if (type == CTL_STOPCCN || type == CTL_CDN)
		avp_put_result(w, 1 + octet() % 12, octet() % 9, NULL);
	if (type == CTL_ICRQ || type == CTL_CDN)
		avp_put_u16(w, AVP_MANDATORY, AVP_ASSIGNED_SESSION_ID, 1 + octet() % 16);
	if (type == CTL_ICRQ)
		avp_put_u32(w, AVP_MANDATORY, AVP_CALL_SERIAL_NUMBER, 1);
	if (type == CTL_ICCN) {
		avp_put_u32(w, AVP_MANDATORY, AVP_TX_CONNECT_SPEED, 64000);
		avp_put_u32(w, AVP_MANDATORY, AVP_FRAMING_TYPE, 1);
	}
}

/* A message of the LAC's whose numbers are those that its channel waits for, or near them. */
static size_t
lacs_control(uint8_t *buf, size_t size)
{
	static const uint16_t types[] = { CTL_ICRQ, CTL_ICCN, CTL_SCCRQ, CTL_CDN, CTL_SCCCN,
		CTL_HELLO, CTL_STOPCCN, CTL_ZLB };
	struct wr w = wr_init(buf, size);
	uint8_t what = octet();
	uint16_t type = what < 0xc0 ? types[what % ARRAY_LEN(types)] : what % 32;
	uint16_t tid = type == CTL_SCCRQ ? 0 : (1 + octet()) % 9, sid = (1 + octet()) % 17;
	const struct tunnel *t = tunnel_get(tunnel_by_wire(tid));
	unsigned int n;
	size_t len;

	ctl_begin(&w, type);
	put_usual_avps(&w, type);
	for (n = octet() % 4; n > 0; n--)
		put_avp(&w);
	len = ctl_end(&w, tid, type == CTL_ICRQ ? 0 : sid);
	if (len > 0)
		ctl_set_sequence(buf, (uint16_t)near(t ? t->nr : 0), (uint16_t)near(t ? t->ns : 0));
	return len;
}

/* Options of LCP or IPCP, most of them with the length that is right. */
static void
put_options(struct wr *w)
{
	unsigned int n = octet() % 6;
	const uint8_t *p;
	uint8_t type;
	size_t len;

	for (; n > 0; n--) {
		type = octet() % 16;
		p = some_octets(&len);
		len = MIN(len, 8);
		wr_u8(w, type);
		wr_u8(w, (uint8_t)(octet() == 1 ? octet() : len + 2));
		if (len > 0)
			wr_bytes(w, p, len);
	}
}

/* What is in front of a name or password: how long it is. */
static void
put_counted(struct wr *w, uint8_t usual)
{
	uint8_t n = octet() & 1 ? octet() : usual, i;

	wr_u8(w, n);
	for (i = 0; i < n; i++)
		wr_u8(w, 'x');
}

/* A frame of PPP, the length right or not. */
static size_t
lacs_frame(uint8_t *buf, size_t size)
{
	static const uint16_t protocols[] = { 0xc021, 0x8021, 0xc023, 0xc223, 0x0021, 0x8057 };
	struct wr w = wr_init(buf, size);
	uint16_t protocol;
	size_t at;

	wr_u16(&w, 0x0002);
	wr_u16(&w, (1 + octet()) % 9);
	wr_u16(&w, (1 + octet()) % 17);
	wr_u16(&w, 0xff03);
	protocol = protocols[octet() % ARRAY_LEN(protocols)];
	wr_u16(&w, protocol);
	at = wr_len(&w);
	wr_u8(&w, (1 + octet()) % 16);
	wr_u8(&w, octet());
	wr_u16(&w, 0);
	if (protocol == 0xc023 || protocol == 0xc223)
		put_counted(&w, protocol == 0xc223 ? 16 : 4);
	if (protocol == 0xc023)
		put_counted(&w, 4);
	else
		put_options(&w);
	if (w.bad)
		return 0;
	buf[at + 3] = (uint8_t)(octet() == 1 ? octet() : wr_len(&w) - at);
	return wr_len(&w);
}

/* An IP packet for a subscriber, or from one behind the header of a data message. */
static size_t
ip_packet(uint8_t *buf, size_t size, bool up)
{
	struct wr w = wr_init(buf, size);
	uint8_t total = octet();

	if (up) {
		wr_u16(&w, 0x0002);
		wr_u16(&w, (1 + octet()) % 9);
		wr_u16(&w, (1 + octet()) % 17);
		wr_u32(&w, 0xff030021);
	}
	wr_u8(&w, octet() & 1 ? 0x45 : octet());
	wr_u8(&w, 0);
	wr_u16(&w, total);
	wr_u16(&w, 0);
	wr_u16(&w, octet() & 1 ? 0x4000 : octet());
	wr_u8(&w, octet());
	wr_u8(&w, octet() % 18);
	wr_u16(&w, 0);
	wr_u32(&w, 0x0a090000u + octet() % 32);
	wr_u32(&w, 0x0a090000u + octet() % 32);
	while (wr_len(&w) < total && !w.bad)
		wr_u8(&w, octet());
	return wr_len(&w);
}

/* Something for one of the doors. */
static void
fill_forward(struct cl_forward *m)
{
	static uint8_t packet[1500];
	uint8_t how = octet() % 10;

	m->what = how == 4 ? CL_IP_DOWN : how == 5 ? CL_DAE : how == 6 ? octet() : CL_L2TP;
	m->payload = packet;
	if (how == 0)
		m->len = lacs_frame(packet, sizeof(packet));
	else if (how == 3 || how == 4)
		m->len = ip_packet(packet, sizeof(packet), how == 3);
	else if (how == 5 || how == 6 || how == 7)
		m->payload = some_octets(&m->len);
	else
		m->len = lacs_control(packet, sizeof(packet));
}

static void
forward(struct peer *p)
{
	struct wr w = begin_of(p, CL_FORWARD);
	struct cl_forward m = {
		.from_ip = htonl(0x0a030001),
		.from_port = (uint16_t)(octet() % 8 == 7 ? 1702 : 1701),
		.to_ip = octet() % 8 == 7 ? OURS : SERVICE,
		.number = octet() % 2 ? near(p->number) : 0,
	};

	p->number++;
	fill_forward(&m);
	if (m.len > 0)
		clmsg_put_forward(&w, &m);
	seal(p, &w);
}

static void
forward_ack(struct peer *p)
{
	struct wr w = begin_of(p, CL_FORWARD_ACK);
	struct cl_forward_ack m = { .number = near(1) };

	m.heard[octet() % sizeof(m.heard)] = octet();
	clmsg_put_forward_ack(&w, &m);
	seal(p, &w);
}

static void
count(struct peer *p, uint8_t kind)
{
	struct wr w = begin_of(p, kind);
	struct cl_count c = { .session = octet() % SESSION_LIMIT + 1, .unique = octet() % 8 };

	if (kind == CL_COUNT) {
		c.rx_bytes = near(1000);
		c.rx_packets = octet();
		c.data_ds = octet();
	}
	(void)clmsg_put_count(&w, &c);
	put_octets(&w);
	seal(p, &w);
}

/* --- steps --- */

/* Started again. */
static void
revive(struct peer *p)
{
	*p = (struct peer){ .incarnation = ++lives,
		.address = htonl(0x0a000002u + (uint32_t)(p - peers)) };
}

/* What is not signed, or not even a message. */
static void
noise(struct peer *p)
{
	size_t n = some();

	if (n > 0)
		deliver(p->address, rd_bytes(&input, n), n);
}

static void
say(struct peer *p, uint8_t kind)
{
	struct wr w;

	switch (kind) {
	case CL_HEARTBEAT:
		heartbeat(p);
		return;
	case CL_CHALLENGE:
	case CL_PROOF:
		proof(p, kind);
		return;
	case CL_CHANGE:
		change(p);
		return;
	case CL_SYNC:
	case CL_OFFER:
		part(p, kind);
		return;
	case CL_FORWARD:
		forward(p);
		return;
	case CL_COUNT:
	case CL_COUNT_ASK:
		count(p, kind);
		return;
	case CL_FORWARD_ACK:
		forward_ack(p);
		return;
	case CL_RESEND:
	case CL_SYNC_ASK:
	case CL_SYNC_ACK:
	case CL_LEAVE:
		request(p, kind);
		return;
	default:
		w = begin_of(p, kind);
		put_octets(&w);
		seal(p, &w);
	}
}

/* There may be two masters: as on_gone() does. */
static void
doubt(void)
{
	l2tp_chan_doubt(true);
}

/* What the maps know is there, and what is there the maps know, as far as it is the only one. */
static void
check_tables(void)
{
	uint16_t tid, sid;
	uint32_t n = 0, id;

	for (id = 1; id <= session_highest(); id++) {
		const struct session *s = session_get(id);

		n += s != NULL;
		MUST(!s || tunnel_get((tunn_id)s->tunnel));
		MUST(!s ||
		     session_by_wire(tunnel_get((tunn_id)s->tunnel)->wire_tid, s->wire_sid) == id);
	}
	MUST(n == session_count());
	for (tid = 0; tid <= TUNNEL_LIMIT; tid++) {
		MUST(!tunnel_by_wire(tid) || tunnel_get(tunnel_by_wire(tid))->wire_tid == tid);
		for (sid = 0; sid <= 17; sid++) {
			id = session_by_peer(tid, sid);
			MUST(!id || (session_get(id) && session_get(id)->tunnel == tid &&
					session_get(id)->peer_sid == sid));
			id = session_by_wire(tid, sid);
			MUST(!id || session_get(id));
		}
	}
	for (id = 0; id < 8; id++)
		MUST(!session_by_unique(id) || session_get(session_by_unique(id)));
	for (id = 0; id < 16; id++) {
		uint32_t s = iptab_exact(htonl(0x0a090000u + id), 32);

		MUST(!s || session_get(s));
	}
}

/* Bits 0-1: who; the rest: a kind of message, or something else. */
static void
do_step(void)
{
	struct peer *p;
	uint8_t what;

	if (quiet_turns > 0) {
		quiet_turns--;
		fake_ms += quiet_ms;
		return;
	}
	check_tables();
	said = 0;
	what = octet();
	p = &peers[what % 4 % PEERS];
	if (input.bad) {
		loop_stop();
		return;
	}
	switch (what >> 2) {
	case 0:
		fake_ms += 10 * (uint64_t)octet();
		break;
	case 16:
		noise(p);
		break;
	case 17:
		no_room = octet();
		break;
	case 18:
		revive(p);
		break;
	case 19:
		fake_ms += 100;
		break;
	case 20:
		quiet_turns = octet() % 64;
		quiet_ms = 500; /* no longer: the member would think that it was frozen */
		break;
	case 21:
		doubt();
		break;
	case 22:
		quiet_turns = 12; /* who was its master is missed, and it is elected */
		quiet_ms = 200;
		break;
	default:
		say(p, what >> 2 & 15);
	}
}

/* A member that may be heard from the start: most inputs have nothing to say otherwise. */
static void
admit_all(void)
{
	static const uint8_t hello[] = { 0 };
	unsigned int i;

	for (i = 0; i < PEERS; i++) {
		revive(&peers[i]);
		input = rd_init(hello, 0);
		heartbeat(&peers[i]);
	}
	loop_run();
	for (i = 0; i < PEERS; i++) {
		MUST(peers[i].asked);
		input = rd_init(hello, 0);
		proof(&peers[i], CL_PROOF);
	}
	loop_run();
}

/* Turns in which nothing comes. */
static void
pass(unsigned int turns, unsigned int ms)
{
	quiet_turns = turns;
	quiet_ms = ms;
	input = rd_init("", 0);
	loop_run();
}

/* The first one becomes master, and the member its slave. */
static void
follow_first(void)
{
	struct peer *p = &peers[0];
	struct cl_head head = { .kind = CL_HEARTBEAT,
		.incarnation = p->incarnation,
		.counter = ++p->counter,
		.term = term + 1 };
	struct cl_heartbeat hb = { .role = CL_MASTER,
		.flags = 3,
		.uptime_ms = 100000,
		.version = change_table_version() + 1,
		.master = p->incarnation,
		.address = p->address };
	static uint8_t buf[CLMSG_PACKET];
	struct wr w = clmsg_begin(buf, sizeof(buf), &head);

	clmsg_put_heartbeat(&w, &hb);
	deliver(p->address, buf, clmsg_seal(&w, &right_key));
	pass(3, 100);
	MUST(term == UINT32_MAX || !role_is_master());
}

/* All are silent; then it is alone, and must be the master. What it holds is taken away. */
static void
fall_silent(void)
{
	uint32_t id;

	no_room = 0;
	pass(1, QUIET_MS);
	pass(10, 500);
	MUST(role_is_master());
	role_set(false, 0);
	for (id = 1; id <= SESSION_LIMIT; id++)
		(void)session_remove(id, change_version(CHANGE_SESSION, id) + 1);
	for (id = 1; id <= TUNNEL_LIMIT; id++)
		(void)tunnel_remove(id, change_version(CHANGE_TUNNEL, id) + 1);
	role_set(true, 0);
	MUST(session_count() == 0);
	MUST(tunnel_count() == 0);
}

/* --- start --- */

static void
no_error(const char *line)
{
	fprintf(stderr, "%s\n", line);
	abort();
}

static void
read_settings(void)
{
	static const char lines[] =
	    "set max_sessions 40\nset max_tunnels 8\nset cluster_interface fuzz0\n"
	    "set bind_address 10.1.0.1\nset cluster_hb_interval 1\n"
	    "set cluster_hb_timeout 10\nset state_dir /nonexistent\n"
	    "set throttle_buckets 20\nset radius_secret x\n"
	    "set primary_radius 10.0.2.1\nset radius_accounting yes\n"
	    "set radius_authtypes \"chap, pap, mschapv2\"\n"
	    "set cluster_secret \"" SECRET "\"\nset debug 0\n";
	char path[] = "/tmp/fuzz_member.XXXXXX";
	int fd = mkstemp(path);

	MUST(fd >= 0 && write(fd, lines, sizeof(lines) - 1) == sizeof(lines) - 1);
	config_init();
	MUST(config_read(path, no_error) == 0);
	unlink(path);
	close(fd);
}

static void
read_pool(void)
{
	static const char pool[] = "10.9.0.0/28\n";
	char path[] = "/tmp/fuzz_member.XXXXXX";
	int fd = mkstemp(path);

	MUST(fd >= 0 && write(fd, pool, sizeof(pool) - 1) == sizeof(pool) - 1);
	MUST(ippool_stage(path, NULL, 0, no_error) == 0 && ippool_commit());
	unlink(path);
	close(fd);
}

/* As on_role() of the daemon. */
static void
no_doubt(bool master)
{
	if (!master)
		l2tp_chan_doubt(false);
}

static void
start(void)
{
	uint32_t service = SERVICE;
	char why[512];

	loop_clock();
	timer_run(loop_now_ms());
	log_set_level(-1);
	read_settings();
	config_share();
	open_tables();
	read_pool();
	hook_init(&hooks);
	MUST(udp_init(&service, 1, L2TP_PORT, data_from_lacs, why, sizeof(why)) == 0);
	MUST(dae_start(&service, 1, why, sizeof(why)) == 0);
	MUST(snoop_init(why, sizeof(why)) == 0 && icmp_init(why, sizeof(why)) == 0);
	MUST(cluster_open(why, sizeof(why)) == 0 && cluster_fd >= 0);
	clmsg_set_key(&right_key, SECRET);
	loop_at_turn_end(clfwd_turn_end);
	loop_at_turn_end(l2tp_chan_flush);
	loop_at_turn_end(cluster_flush);
	udp_before_flush(cluster_flush);
	loop_at_turn_end(udp_flush);
	acct_on_stop(clfinal_begin);
	cluster_on_role(no_doubt);
	cluster_start();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;

	if (!started) {
		start();
		fall_silent();
	}
	started = true;
	admit_all();
	if (size > 0 && data[0] & 1)
		follow_first();
	input = rd_init(data + (size > 0), size - (size > 0));
	loop_run();
	fall_silent();
	return 0;
}

/* --- inputs that mean something --- */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most) __attribute__((weak));
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed);

/* An octet as generators above like it: what is as it should be, a small number, or any. */
static uint8_t
likely(unsigned int *seed)
{
	unsigned int n = (unsigned int)rand_r(seed), how = n % 20;

	n >>= 8;
	return (uint8_t)(how < 9 ? 0 : how < 11 ? 1 + n % 5 : how < 15 ? 6 + n % 32 : n);
}

/* A message with a good head, as long as one with a few records; or time. */
static size_t
new_step(uint8_t *to, size_t room, unsigned int *seed)
{
	static const uint8_t kinds[] = { CL_HEARTBEAT, CL_CHANGE, CL_CHANGE, CL_CHANGE, CL_SYNC,
		CL_OFFER, CL_OFFER, CL_FORWARD, CL_FORWARD, CL_FORWARD, CL_FORWARD, CL_COUNT,
		CL_LEAVE, CL_SYNC_ASK, CL_RESEND, 0, 0, 19, 20, 21, 22, 22 };
	uint8_t kind = kinds[(unsigned int)rand_r(seed) % ARRAY_LEN(kinds)];
	size_t len = kind > CL_FORWARD_ACK || kind == 0 ? 2 : 3 + (unsigned int)rand_r(seed) % 90,
	       i;

	for (i = 0; i < MIN(len, room); i++)
		to[i] = likely(seed);
	if (room > 0)
		to[0] = (uint8_t)(kind << 2 | to[0] % 4);
	if (room > 1 && kind == 0)
		to[1] = (uint8_t)rand_r(seed);
	else if (room > 1 && kind <= CL_FORWARD_ACK && (unsigned int)rand_r(seed) % 8)
		to[1] = 0;
	return i;
}

/* Half of all inputs are steps of these, behind a part of the old one. */
size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed)
{
	unsigned int n;
	size_t len;

	if (rand_r(&seed) % 2)
		return LLVMFuzzerMutate(data, size, most);
	len = size ? (unsigned int)rand_r(&seed) % size : 0;
	if (len == 0 && most > 0)
		data[len++] = (uint8_t)(rand_r(&seed) % 4 != 0);
	for (n = 1 + (unsigned int)rand_r(&seed) % 16; n > 0 && len < most; n--)
		len += new_step(data + len, most - len, &seed);
	return len;
}
