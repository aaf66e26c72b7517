/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets between a slave and the master (SPEC 13). A slave passes on the data of up
 * sessions itself; what would change state it hands to the master as it came, with the
 * addresses and ports it came from and was sent to: L2TP control messages, PPP that is not
 * IP, requests of RADIUS servers, and IP of sessions that the master alone passes on. There
 * it goes in by the same doors as what the master's own sockets bring, and the answers
 * leave from the address that was asked.
 *
 * What controls something is repeated until the master has it (clpending.h), IP is not. Nothing is
 * handed on further: the master never forwards, and who is no master any more
 * drops what slaves send (a LAC sends control messages again, and the slave hears soon who
 * the new master is). Packets of sessions that a slave does not know may be strays, or a
 * flood; or it lags. So many in a tenth of a second go to the master, and no more.
 *
 * Nothing here allocates or makes a system call. A slave's packets are copied into the
 * cluster's output batch; those that come in are copied to two batches, one a direction,
 * since they must outlive the message and need room in front.
 *
 * Owns the batches. Called by data.c and dae.c on a slave, by cluster.c on a master.
 */
#include "clfwd.h"
#include "clmsg.h"
#include "clpending.h"
#include "counter.h"
#include "l2tp_hdr.h"
#include "log.h"
#include "loop.h"
#include "role.h"
#include "shm.h"
#include "util.h"

enum {
	FIELDS_ROOM = CLFWD_PAYLOAD + 128, /* of a message, behind its header */
	SLOT = PKT_HEADROOM + CLFWD_PAYLOAD,
};

/* What came for a door and waits for more. */
struct batch {
	void (*door)(struct pkt *pkts, unsigned int n);
	uint8_t *room;
	struct pkt pkt[UDP_BATCH];
	unsigned int n;
};

static const struct clfwd_doors *doors;
static struct batch up, down;
static uint8_t *fields_room;

/* Packets of unknown sessions in the running tenth of a second. */
static struct {
	uint32_t tenth, packets;
} unknown;

void
clfwd_init(const struct clfwd_doors *d)
{
	doors = d;
	up.door = d->from_lacs;
	down.door = d->to_subscribers;
	up.room = shm_map_parent("forwarded from LACs", (size_t)UDP_BATCH * SLOT);
	down.room = shm_map_parent("forwarded to subscribers", (size_t)UDP_BATCH * SLOT);
	fields_room = shm_map_parent("forwarded to the master", FIELDS_ROOM);
	clpending_init(d->send);
}

/* --- on a slave --- */

static int
once(uint32_t master, const struct cl_forward *f, const struct wr *w)
{
	if (w->bad || !doors->send(master, CL_FORWARD, fields_room, wr_len(w)))
		return DROP(forward_failed, "%zu octets", f->len);
	COUNT(cluster_forwarded);
	return 0;
}

/* Data packets - these are PPP frames - of a session go in order; control messages have their own.
 */
static uint32_t
order_of(const struct cl_forward *f)
{
	struct rd r = rd_init(f->payload, f->len);
	struct l2tp_hdr h;

	if (f->what != CL_L2TP || l2tp_hdr_decode(&r, &h) != L2TP_HDR_OK ||
	    h.flags & L2TP_FLAG_TYPE)
		return 0;
	return (uint32_t)h.wire_tid << 16 | h.wire_sid;
}

static int
hand_on(struct cl_forward *f, enum clfwd_care care)
{
	uint32_t master = role_master_address();
	struct wr w = wr_init(fields_room, FIELDS_ROOM);

	if (!master)
		return DROP(forward_no_master, "from %s", ip4_text(f->from_ip));
	if (care == CLFWD_REPEAT && f->len <= CLPENDING_PAYLOAD && doors->acknowledges())
		f->number = clpending_number();
	clmsg_put_forward(&w, f);
	if (!f->number)
		return once(master, f, &w);
	if (!clpending_send(f->number, order_of(f), fields_room, wr_len(&w)))
		return DROP(forward_failed, "%zu octets: too many of its session wait", f->len);
	COUNT(cluster_forwarded);
	return 0;
}

int
clfwd_from_lac(const struct pkt *pkt, enum clfwd_care care)
{
	struct cl_forward f = {
		.what = CL_L2TP,
		.from_ip = pkt->from_ip,
		.from_port = pkt->from_port,
		.to_ip = udp_local_address(pkt->local),
		.to_port = L2TP_PORT,
		.payload = pkt->data,
		.len = pkt->len,
	};

	return hand_on(&f, care);
}

int
clfwd_to_subscriber(const uint8_t *data, size_t len)
{
	struct cl_forward f = { .what = CL_IP_DOWN, .payload = data, .len = len };

	return hand_on(&f, CLFWD_ONCE);
}

int
clfwd_dae(const struct clfwd_from *from, const void *data, size_t len)
{
	struct cl_forward f = {
		.what = CL_DAE,
		.from_ip = from->ip,
		.from_port = from->port,
		.to_ip = from->asked,
		.payload = data,
		.len = len,
	};

	return hand_on(&f, CLFWD_REPEAT);
}

/* Whether there is room for one more in this tenth of a second. */
static bool
unknown_ok(void)
{
	if (unknown.tenth != loop_now_ds()) {
		unknown.tenth = loop_now_ds();
		unknown.packets = 0;
	}
	return ++unknown.packets <= CLFWD_PER_TENTH;
}

int
clfwd_unknown_from_lac(const struct pkt *pkt, enum clfwd_care care)
{
	if (!unknown_ok())
		return DROP(forward_unknown, "from %s", ip4_text(pkt->from_ip));
	return clfwd_from_lac(pkt, care);
}

int
clfwd_unknown_to_subscriber(const uint8_t *data, size_t len)
{
	if (!unknown_ok())
		return DROP(forward_unknown, "from the core, %zu octets", len);
	return clfwd_to_subscriber(data, len);
}

/* --- on the master --- */

static void
deliver(struct batch *b)
{
	unsigned int n = b->n;

	b->n = 0;
	if (n && role_is_master())
		b->door(b->pkt, n);
	else if (n)
		COUNT_ADD(forward_not_master, n);
	if (n && b == &down)
		udp_flush(); /* the packets are sent from where they lie */
}

static void
keep(struct batch *b, const struct cl_forward *f, uint8_t local)
{
	uint8_t *data;

	if (b->n == UDP_BATCH)
		deliver(b);
	data = b->room + (size_t)b->n * SLOT + PKT_HEADROOM;
	memcpy(data, f->payload, f->len);
	b->pkt[b->n++] = (struct pkt){
		.data = data,
		.len = (uint16_t)f->len,
		.from_ip = f->from_ip,
		.from_port = f->from_port,
		.local = local,
	};
}

static int
keep_from_lac(const struct cl_forward *f)
{
	int local = udp_local_of(f->to_ip);

	if (local < 0)
		return DROP(forward_bad_address, "to %s", ip4_text(f->to_ip));
	keep(&up, f, (uint8_t)local);
	return 0;
}

static int
take(const struct cl_forward *f)
{
	const struct clfwd_from from = {
		.ip = f->from_ip, .port = f->from_port, .asked = f->to_ip
	};

	switch (f->what) {
	case CL_L2TP:
		return keep_from_lac(f);
	case CL_IP_DOWN:
		keep(&down, f, 0);
		return 0;
	case CL_DAE:
		doors->dae(&from, f->payload, f->len);
		return 0;
	default:
		return DROP(forward_malformed, "kind %u", f->what);
	}
}

void
clfwd_input(uint32_t member, struct rd fields)
{
	struct cl_forward f;

	COUNT(recv_forward);
	if (!role_is_master())
		DROP(forward_not_master, "from %s", ip4_text(member));
	else if (!clmsg_get_forward(fields, &f) || f.len > CLFWD_PAYLOAD)
		DROP(forward_malformed, "from %s", ip4_text(member));
	else if (f.number == 0 || clpending_is_new(doors->sender(), member, f.number))
		(void)take(&f);
}

void
clfwd_acked(uint32_t member, struct rd fields)
{
	struct cl_forward_ack m;

	if (clmsg_get_forward_ack(fields, &m))
		clpending_acked(&m);
	else
		DROP(forward_malformed, "acknowledgement of %s", ip4_text(member));
}

void
clfwd_turn_end(void)
{
	deliver(&up);
	deliver(&down);
	clpending_turn_end();
}
