/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address pool. Two kinds of records: a struct net for each line of the ip_pool
 * file, and a struct entry for each address that is in use or remembered; a network
 * costs the same whatever its size.
 *
 * Networks may lie inside one another: an address belongs to the smallest around it,
 * so none is handed out twice. An address without an entry is "unseen"; each network
 * counts those and has a cursor that goes round over them. A free address with an
 * entry hangs in its pool's list, longest free first. To give an address: the one
 * this user had, else an unseen one, else the head of the list. When all entries are
 * in use or remembered, the address that is free longest is forgotten.
 *
 * Nothing is allocated after ippool_init(). Entries and the list of networks lie in
 * shared memory for `show pool`; maps and cursors are the parent's. Called by the
 * PPP engine, start-up and the CLI; ippool_file.c reads the file.
 */
#include "ippool.h"
#include "counter.h"
#include "hash.h"
#include "idset.h"
#include "ippool_file.h"
#include "ll.h"
#include "log.h"
#include "loop.h"
#include "seq.h"
#include "shm.h"
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	NO_POOL = 255,	/* of an address in use that has left the file */
	KEPT_USER = 64, /* as much of a name as is kept; the key is of all of it */
	SEARCH = 64,	/* addresses looked at for an unseen one before the list is asked */
};

struct net {
	uint32_t first, last; /* host order */
	uint32_t around;      /* number of the smallest network around it plus one; 0: none */
	uint32_t next;	      /* of the same pool, the same way */
	uint32_t cursor;      /* where to look for the next unseen address */
	uint32_t unseen;      /* its usable addresses without an entry */
	uint8_t len, pool;
};

struct pool {
	uint32_t first, last; /* its networks in the file's order: number plus one; 0: none */
	uint32_t current;     /* the one addresses are taken from */
	uint64_t unseen;      /* of all its networks */
	uint64_t salt;	      /* from its name, see map_key() */
	struct id_list free;  /* entries by the time they became free */
};

struct entry {
	uint32_t seq;
	struct id_link link;
	uint32_t addr;	/* network order; 0: record not in use */
	sess_id s;	/* 0: free */
	uint32_t freed; /* 0.1 s */
	uint64_t key;	/* of the user; 0: none */
	uint8_t pool;
	char user[KEPT_USER];
};

/* What children see beside the entries. */
struct shared {
	uint32_t highest; /* entry ever used */
	uint64_t free_count, used_count;
	struct ippool_file file;
};

static struct shared *shared;
static struct ippool_file *draft;
static struct entry *entries;
static struct idset ids;
static struct hash by_addr; /* network order address -> entry */
static struct hash by_user; /* map_key() -> the entry he had last */
static struct net *nets;
static uint32_t *sorted; /* numbers of nets by first address, larger ones first */
static uint32_t n_nets, n_pools;
static uint64_t sum; /* ippool_sum() */
static struct pool pools[IPPOOL_POOLS];
static uint32_t reserved[IPPOOL_RESERVED]; /* our own addresses, host order */
static unsigned int n_reserved;
static bool reserved_anew; /* since the last ippool_commit() */
static bool staged;	   /* draft: a file was read into it and is not in force yet */

void
ippool_init(uint32_t n)
{
	shared = shm_map("address pool", sizeof(*shared));
	entries = shm_map("pool addresses", (n + (size_t)1) * sizeof(*entries));
	draft = shm_map_private("address pool file", sizeof(*draft));
	nets = shm_map_private("pool networks", IPPOOL_NETS * sizeof(*nets));
	sorted = shm_map_private("pool networks in order", IPPOOL_NETS * sizeof(*sorted));
	shared->file.n_pools = n_pools = 1; /* the one without a name, empty */
	idset_init(&ids, "pool address ids", n);
	hash_init(&by_addr, "pool addresses by address", n);
	hash_init(&by_user, "pool addresses by user", n);
}

static struct id_link *
link_of(uint32_t id)
{
	return &entries[id].link;
}

/* ---- networks ---- */

/* Position in sorted[] of the last network that begins at or below the address; -1: none. */
static int64_t
last_begun(uint32_t addr)
{
	int64_t low = 0, high = n_nets;

	while (low < high) {
		int64_t mid = (low + high) / 2;

		if (nets[sorted[mid]].first <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low - 1;
}

/* The network an address (host order) belongs to, NULL: none. */
static struct net *
owner(uint32_t addr)
{
	int64_t i = last_begun(addr);
	struct net *n = i < 0 ? NULL : &nets[sorted[i]];

	while (n && n->last < addr)
		n = n->around ? &nets[n->around - 1] : NULL;
	return n;
}

static bool
is_edge(const struct net *n, uint32_t addr)
{
	return n->len < 31 && (addr == n->first || addr == n->last);
}

static bool
is_reserved(uint32_t addr)
{
	unsigned int i;

	for (i = 0; i < n_reserved; i++)
		if (reserved[i] == addr)
			return true;
	return false;
}

/* The same, NULL also for network and broadcast addresses and for our own. */
static struct net *
usable(uint32_t addr)
{
	struct net *n = owner(addr);

	return n && !is_edge(n, addr) && !is_reserved(addr) ? n : NULL;
}

static void
count_unseen(struct net *n, int diff)
{
	n->unseen += (uint32_t)diff;
	pools[n->pool].unseen += (uint64_t)(int64_t)diff;
}

/* ---- entries ---- */

static uint64_t
key_of(const char *user)
{
	return user && user[0] ? hash_text(user) : 0;
}

/* A user's key in by_user: names of one user in two pools are two. */
static uint64_t
map_key(uint64_t key, const struct pool *p)
{
	return key ^ p->salt;
}

static void
link_user(uint32_t id)
{
	const struct entry *e = &entries[id];

	if (e->key)
		hash_put(&by_user, map_key(e->key, &pools[e->pool]), id);
}

/* True when this was the address he had last. */
static bool
unlink_user(uint32_t id, const struct pool *p)
{
	uint64_t key = map_key(entries[id].key, p);

	if (!entries[id].key || hash_get(&by_user, key) != id)
		return false;
	hash_del(&by_user, key);
	return true;
}

/* The address is unseen again; its entry can serve another. It hangs in no list. */
static void
forget(uint32_t id)
{
	struct entry *e = &entries[id];
	struct net *n = usable(ntohl(e->addr));

	hash_del(&by_addr, e->addr);
	if (e->pool != NO_POOL)
		unlink_user(id, &pools[e->pool]);
	if (n)
		count_unseen(n, 1);
	seq_begin(&e->seq);
	e->addr = 0;
	e->s = 0;
	e->key = 0;
	e->user[0] = '\0';
	seq_end(&e->seq);
	idset_give(&ids, id);
}

/* Forgets the address that is free longest of all pools. False when none is free. */
static bool
forget_oldest(void)
{
	uint32_t now = loop_now_ds(), id, oldest = 0, i;
	struct pool *of = NULL;

	for (i = 0; i < n_pools; i++) {
		id = pools[i].free.head;
		if (id && (!oldest || now - entries[id].freed > now - entries[oldest].freed)) {
			oldest = id;
			of = &pools[i];
		}
	}
	if (!oldest)
		return false;
	ll_remove(&of->free, oldest, link_of);
	forget(oldest);
	return true;
}

/* An entry for an unseen address of the network; 0 when all are in use. */
static uint32_t
new_entry(struct net *n, uint32_t addr)
{
	uint32_t id = idset_take(&ids);

	if (!id && forget_oldest())
		id = idset_take(&ids);
	if (!id)
		return 0;
	entries[id].addr = htonl(addr);
	entries[id].pool = n->pool;
	hash_put(&by_addr, entries[id].addr, id);
	count_unseen(n, -1);
	shared->highest = MAX(shared->highest, id);
	return id;
}

/* Hands a free entry, which hangs in no list, to a session. */
static void
use(uint32_t id, const char *user, sess_id s)
{
	struct entry *e = &entries[id];

	unlink_user(id, &pools[e->pool]);
	seq_begin(&e->seq);
	e->s = s;
	e->key = key_of(user);
	str_copy(e->user, sizeof(e->user), user ? user : "");
	seq_end(&e->seq);
	link_user(id);
	shared->free_count--;
	shared->used_count++;
	COUNT(ip_allocated);
}

/* ---- taking and giving ---- */

static int
find_pool(const char *name)
{
	uint32_t i;

	for (i = 0; i < n_pools; i++)
		if (strcmp(shared->file.names[i], name ? name : "") == 0)
			return (int)i;
	return -1;
}

/* The free address this user had last; 0: none. */
static uint32_t
remembered(uint8_t pool, const char *user)
{
	uint64_t key = key_of(user);
	uint32_t id = key ? hash_get(&by_user, map_key(key, &pools[pool])) : 0;
	const struct entry *e = &entries[id];

	if (!id || e->s || e->pool != pool || strncmp(e->user, user, KEPT_USER - 1) != 0)
		return 0;
	return id;
}

static void
step_to(struct net *n, uint32_t addr)
{
	n->cursor = addr < n->last ? addr + 1 : n->first;
}

/* One look at the cursor of the pool's current network: an unseen address, or 0 after moving on. */
static uint32_t
look(struct pool *p)
{
	struct net *n = &nets[p->current - 1], *of;
	uint32_t addr = n->cursor;

	if (n->unseen == 0) {
		p->current = n->next ? n->next : p->first;
		return 0;
	}
	of = owner(addr);
	if (of != n) {
		step_to(n, of->last); /* a network inside it: over the whole of it */
		return 0;
	}
	step_to(n, addr);
	return !usable(addr) || hash_get(&by_addr, htonl(addr)) ? 0 : addr;
}

/* An entry for an address that has none; 0: none found within so many looks, or no entry. */
static uint32_t
take_unseen(struct pool *p, uint64_t looks)
{
	uint32_t addr = 0, id;
	struct net *n;

	while (p->unseen > 0 && looks-- > 0 && !addr)
		addr = look(p);
	if (!addr)
		return 0;
	n = owner(addr);
	id = new_entry(n, addr);
	if (!id)
		n->cursor = addr; /* still the next one */
	return id;
}

uint32_t
ippool_take(const char *pool_name, const char *user, sess_id s)
{
	int number = find_pool(pool_name);
	struct pool *p;
	uint32_t id;

	if (number < 0)
		return 0;
	p = &pools[number];
	id = remembered((uint8_t)number, user);
	if (!id)
		id = take_unseen(p, SEARCH);
	if (!id)
		id = p->free.head;
	if (!id)
		id = take_unseen(p, UINT64_MAX);
	if (!id)
		return 0;
	if (link_of(id)->prev || p->free.head == id)
		ll_remove(&p->free, id, link_of);
	use(id, user, s);
	return entries[id].addr;
}

int
ippool_claim(uint32_t addr, const char *user, sess_id s)
{
	uint32_t id = hash_get(&by_addr, addr);
	struct net *n = usable(ntohl(addr));

	if (id && entries[id].s)
		return entries[id].s == s ? 0 : -1;
	if (!n)
		return 0;
	if (id)
		ll_remove(&pools[n->pool].free, id, link_of);
	else
		id = new_entry(n, ntohl(addr));
	if (!id)
		return -1;
	use(id, user, s);
	return 0;
}

void
ippool_give(uint32_t addr, sess_id s)
{
	uint32_t id = hash_get(&by_addr, addr);
	struct entry *e = &entries[id];

	if (!id || e->s != s || !s)
		return;
	COUNT(ip_freed);
	if (e->pool == NO_POOL) {
		forget(id);
		return;
	}
	seq_begin(&e->seq);
	e->s = 0;
	e->freed = loop_now_ds();
	seq_end(&e->seq);
	ll_append(&pools[e->pool].free, id, link_of);
	link_user(id);
	shared->free_count++;
	shared->used_count--;
}

/* He has another one since. */
static bool
has_later(uint32_t id)
{
	const struct entry *e = &entries[id], *k;
	uint32_t other = e->key ? hash_get(&by_user, map_key(e->key, &pools[e->pool])) : 0;

	k = &entries[other];
	return other && other != id && (k->s || (int32_t)(k->freed - e->freed) > 0);
}

void
ippool_remember(uint32_t addr, const char *user, uint32_t freed)
{
	uint32_t id = hash_get(&by_addr, addr);
	struct net *n = usable(ntohl(addr));
	struct entry *e;

	if (!n || (id && entries[id].s))
		return;
	if (id) {
		ll_remove(&pools[n->pool].free, id, link_of);
		unlink_user(id, &pools[n->pool]);
	} else {
		id = new_entry(n, ntohl(addr));
	}
	if (!id)
		return;
	e = &entries[id];
	seq_begin(&e->seq);
	e->freed = freed;
	e->key = key_of(user);
	str_copy(e->user, sizeof(e->user), user);
	seq_end(&e->seq);
	ll_append(&pools[n->pool].free, id, link_of);
	if (!has_later(id))
		link_user(id);
}

bool
ippool_has(uint32_t addr)
{
	return usable(ntohl(addr)) != NULL;
}

bool
ippool_pool_has(const char *pool, uint32_t addr)
{
	const struct net *n = usable(ntohl(addr));

	return n && n->pool == find_pool(pool);
}

bool
ippool_pool_exists(const char *pool)
{
	return find_pool(pool) >= 0;
}

/* ---- a new file ---- */

static int
by_place(const void *a, const void *b)
{
	const struct net *x = &nets[*(const uint32_t *)a], *y = &nets[*(const uint32_t *)b];

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->last > y->last ? -1 : x->last < y->last;
}

/* Which networks lie in which; each one's own size. */
static void
nest_nets(void)
{
	struct net *n, *outer;
	uint32_t i, around = 0;

	for (i = 0; i < n_nets; i++)
		sorted[i] = i;
	qsort(sorted, n_nets, sizeof(*sorted), by_place);
	for (i = 0; i < n_nets; i++) {
		n = &nets[sorted[i]];
		while (around && nets[around - 1].last < n->first)
			around = nets[around - 1].around;
		n->around = around;
		outer = around ? &nets[around - 1] : NULL;
		if (outer)
			outer->unseen -= n->unseen;
		around = sorted[i] + 1;
	}
}

static void
make_nets(const struct ippool_file *f)
{
	struct net *n;
	uint32_t i;

	n_nets = f->n_specs;
	for (i = 0; i < n_nets; i++)
		nets[i] = (struct net){
			.first = f->specs[i].first,
			.last = f->specs[i].last,
			.cursor = f->specs[i].first,
			.unseen = f->specs[i].last - f->specs[i].first + 1,
			.len = f->specs[i].len,
			.pool = f->specs[i].pool,
		};
	nest_nets();
	for (i = 0; i < n_nets; i++) {
		if (nets[i].len >= 31)
			continue;
		nets[i].unseen -= owner(nets[i].first) == &nets[i];
		nets[i].unseen -= owner(nets[i].last) == &nets[i];
	}
	for (i = 0; i < n_reserved; i++) {
		n = owner(reserved[i]);
		if (n && !is_edge(n, reserved[i]))
			n->unseen--;
	}
}

/* The same on all machines: FNV-1a of each, added. */
static void
add_up(const struct ippool_file *f)
{
	char text[IPPOOL_NAME + 32];
	const char *c;
	uint64_t h;
	uint32_t i;

	for (i = 0, sum = 0; i < f->n_specs; i++, sum += h) {
		snprintf(text, sizeof(text), "%s %u/%u", f->names[f->specs[i].pool],
		    f->specs[i].first, f->specs[i].len);
		for (c = text, h = UINT64_C(0xcbf29ce484222325); *c; c++)
			h = (h ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
	}
}

static void
make_pools(const struct ippool_file *f)
{
	struct pool *p;
	uint32_t i;

	n_pools = f->n_pools;
	memset(pools, 0, sizeof(pools));
	for (i = 0; i < n_pools; i++)
		pools[i].salt = hash_text(f->names[i]) * UINT64_C(0x9e3779b97f4a7c15);
	for (i = 0; i < n_nets; i++) {
		p = &pools[nets[i].pool];
		if (p->last)
			nets[p->last - 1].next = i + 1;
		else
			p->first = p->current = i + 1;
		p->last = i + 1;
		p->unseen += nets[i].unseen;
	}
}

/* Finds the place of an address in the new file. False: it is not there any more. */
static bool
rehome(uint32_t id, const struct pool *old_pools)
{
	struct entry *e = &entries[id];
	struct net *n = usable(ntohl(e->addr));
	bool latest = e->pool != NO_POOL && unlink_user(id, &old_pools[e->pool]);

	e->pool = n ? n->pool : NO_POOL;
	if (!n)
		return false;
	count_unseen(n, -1);
	if (latest)
		link_user(id);
	return true;
}

static void
rehome_all(const struct pool *old_pools, uint32_t n_old)
{
	uint32_t i, id, next;

	for (i = 0; i < n_old; i++) {
		for (id = old_pools[i].free.head; id; id = next) {
			next = link_of(id)->next;
			*link_of(id) = (struct id_link){ 0 };
			if (rehome(id, old_pools))
				ll_append(&pools[entries[id].pool].free, id, link_of);
			else
				forget(id);
		}
	}
	shared->used_count = 0;
	for (id = 1; id <= shared->highest; id++)
		if (entries[id].s && rehome(id, old_pools))
			shared->used_count++;
}

static void
come_into_force(const struct ippool_file *f)
{
	static struct pool old_pools[IPPOOL_POOLS];
	uint32_t n_old = n_pools, i;

	memcpy(old_pools, pools, sizeof(pools));
	if (f != &shared->file)
		ippool_file_copy(&shared->file, f);
	make_nets(f);
	add_up(f);
	make_pools(f);
	rehome_all(old_pools, n_old);
	shared->free_count = 0;
	for (i = 0; i < n_pools; i++)
		shared->free_count += pools[i].unseen + pools[i].free.count;
}

int
ippool_stage(const char *file, const uint32_t *our_addrs, unsigned int n_addrs,
    void (*error)(const char *line))
{
	int errors;

	staged = false;
	if (access(file, F_OK) < 0 && errno == ENOENT)
		return 0;
	errors = ippool_file_read(draft, file, our_addrs, n_addrs, error);
	staged = errors >= 0;
	return errors;
}

bool
ippool_commit(void)
{
	bool another = staged && !ippool_file_equal(draft, &shared->file);
	bool changed = another || reserved_anew;

	if (changed)
		come_into_force(another ? draft : &shared->file);
	staged = reserved_anew = false;
	return changed;
}

void
ippool_reserve(const uint32_t *addrs, unsigned int n)
{
	unsigned int i;

	staged = false;
	reserved_anew = true;
	n_reserved = 0;
	for (i = 0; i < n && n_reserved < IPPOOL_RESERVED; i++)
		if (!is_reserved(ntohl(addrs[i])))
			reserved[n_reserved++] = ntohl(addrs[i]);
}

sess_id
ippool_orphan(uint32_t *pos)
{
	const struct entry *e;

	while (*pos < shared->highest) {
		e = &entries[++*pos];
		if (e->s && e->pool == NO_POOL)
			return e->s;
	}
	return 0;
}

uint64_t
ippool_sum(void)
{
	return sum;
}

/* ---- for show ---- */

void
ippool_counts(uint64_t *free_count, uint64_t *used_count)
{
	*free_count = shared->free_count;
	*used_count = shared->used_count;
}

bool
ippool_net(unsigned int i, struct ippool_net *net)
{
	const struct ippool_spec *sp = &shared->file.specs[i];

	if (i >= shared->file.n_specs)
		return false;
	net->addr = htonl(sp->first);
	net->len = sp->len;
	str_copy(net->name, sizeof(net->name), shared->file.names[sp->pool]);
	return true;
}

bool
ippool_row(uint32_t *pos, struct ippool_row *row)
{
	struct entry copy;

	while (*pos < shared->highest) {
		const struct entry *e = &entries[++*pos];

		if (!seq_copy(&e->seq, &copy, e, sizeof(copy)) || !copy.addr)
			continue;
		row->addr = copy.addr;
		row->s = copy.s;
		row->freed = copy.freed;
		str_copy_n(row->user, sizeof(row->user), copy.user, sizeof(copy.user));
		return true;
	}
	return false;
}

uint32_t
ippool_next(uint32_t addr)
{
	uint32_t a = ntohl(addr);
	int64_t i;

	while (a++ < UINT32_MAX) {
		if (usable(a))
			return htonl(a);
		if (owner(a))
			continue;
		i = last_begun(a) + 1;
		if (i == n_nets)
			return 0;
		a = nets[sorted[i]].first - 1;
	}
	return 0;
}
