/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last step towards the LAC and the first odd cases from it. Owns the sequence
 * numbers of sessions that use them (RFC 2661 5.4) and a small store for PPP frames
 * that overtook their ICCN: a LAC may send LCP right behind it, and UDP does not keep
 * order. Frames of one session are kept in order, at most EARLY_PER_SESSION of them.
 *
 * Frames leave with address, control and protocol fields uncompressed, which every
 * peer must accept whatever was negotiated (RFC 1661 6.5, 6.6).
 *
 * In a cluster the numbers of a session are the master's; they are not told to the others.
 */
#include "frame.h"
#include "counter.h"
#include "cpopt.h"
#include "hook.h"
#include "idset.h"
#include "l2tp_hdr.h"
#include "shm.h"
#include "tunnel.h"
#include "udp.h"

#include <arpa/inet.h>

enum {
	EARLY_CELLS = 8192,
	EARLY_SIZE = 240, /* octets of a kept frame: negotiation is small */
	EARLY_PER_SESSION = 4,
	PPP_HEADER = 4,
	MAX_HEADER = L2TP_DATA_HEADER + 4 + PPP_HEADER,
	FRAME_MAX = 1600,
	LATE_RUN = 32,
	HALF_THE_NUMBERS = 0x8000,
	LCP_DISCARD_REQUEST = 11,
	DISCARD_SIZE = 8,
};

struct numbers {
	uint16_t ns;	/* of the next packet out */
	uint16_t nr;	/* expected next */
	uint16_t early; /* first kept frame; 0: none */
	uint8_t synced; /* nr is known */
	uint8_t late;	/* packets in a row that were late */
};

struct cell {
	uint16_t next;
	uint16_t len;
	uint8_t data[EARLY_SIZE];
};

static struct numbers *numbers;
static struct cell *cells;
static struct idset cell_ids;

void
frame_init(void)
{
	numbers = session_table("data sequence numbers", sizeof(*numbers));
	cells = shm_map_private("early frames", (EARLY_CELLS + 1) * sizeof(*cells));
	idset_init(&cell_ids, "early frame ids", EARLY_CELLS);
}

/* Writes the header before `data`; returns where it begins. */
static uint8_t *
put_header(const struct sess_fast *f, sess_id s, uint8_t *data, uint16_t protocol)
{
	bool sequence = f->flags & SF_SEQUENCE;
	size_t size = L2TP_DATA_HEADER + (sequence ? 4 : 0) + PPP_HEADER;
	struct wr w = wr_init(data - size, size);

	wr_u16(&w, L2TP_VERSION | (sequence ? L2TP_FLAG_SEQUENCE : 0));
	wr_bytes(&w, &f->peer_tid, 2);
	wr_bytes(&w, &f->peer_sid, 2);
	if (sequence) {
		wr_u16(&w, numbers[s].ns++);
		wr_u16(&w, 0); /* Nr of data messages is not used */
	}
	wr_u16(&w, 0xff03);
	wr_u16(&w, protocol);
	return data - size;
}

void
frame_send_ip(struct sess_fast *f, sess_id s, uint8_t *data, size_t len)
{
	uint8_t *start = put_header(f, s, data, 0x0021);

	udp_send_in_place(f->local, f->peer_ip, f->peer_port, start, len + (size_t)(data - start));
}

void
frame_send(sess_id s, uint16_t protocol, const void *data, size_t len)
{
	uint8_t buf[MAX_HEADER + FRAME_MAX];
	const struct sess_fast *f = session_fast(s);
	uint8_t *start;

	if (len > FRAME_MAX)
		return;
	memcpy(buf + MAX_HEADER, data, len);
	start = put_header(f, s, buf + MAX_HEADER, protocol);
	udp_send(f->local, f->peer_ip, ntohs(f->peer_port), start,
	    len + (size_t)(buf + MAX_HEADER - start));
}

bool
frame_in_sequence(sess_id s, uint16_t ns)
{
	struct numbers *n = &numbers[s];

	/* so many in a row are not late: those between went by another member of the cluster */
	if (n->synced && (int16_t)(ns - n->nr) < 0 && ++n->late < LATE_RUN) {
		COUNT(rx_late_sequence);
		return false;
	}
	n->nr = (uint16_t)(ns + 1);
	n->late = 0;
	n->synced = 1;
	return true;
}

void
frame_keep_early(sess_id s, struct rd frame)
{
	uint16_t *link = &numbers[s].early;
	size_t len = rd_left(&frame);
	unsigned int n = 0;
	uint32_t id;

	for (; *link; link = &cells[*link].next)
		n++;
	id = n < EARLY_PER_SESSION && len <= EARLY_SIZE ? idset_take(&cell_ids) : 0;
	if (!id) {
		COUNT(rx_early_dropped);
		return;
	}
	cells[id].next = 0;
	cells[id].len = (uint16_t)len;
	rd_copy(&frame, cells[id].data, len);
	*link = (uint16_t)id;
	COUNT(rx_early_frames);
}

bool
frame_has_early(sess_id s)
{
	return numbers[s].early != 0;
}

void
frame_replay_early(sess_id s)
{
	uint16_t id = numbers[s].early, next;

	numbers[s].early = 0;
	for (; id; id = next) {
		next = cells[id].next;
		if (session_get(s)) /* an earlier one may have ended it */
			hook_frame(s, rd_init(cells[id].data, cells[id].len));
		idset_give(&cell_ids, id);
	}
}

void
frame_drop_early(sess_id s)
{
	uint16_t id = numbers[s].early, next;

	numbers[s].early = 0;
	for (; id; id = next) {
		next = cells[id].next;
		idset_give(&cell_ids, id);
	}
}

static void
forget(sess_id s)
{
	frame_drop_early(s);
	numbers[s] = (struct numbers){ 0 };
}

void
frame_session(sess_id s, enum sess_event ev)
{
	if (ev == SESS_EV_GONE)
		forget(s);
}

/*
 * The master before us has numbered its packets up to a number that we do not know, and the LAC
 * drops what is behind it: up to half of all numbers. So it gets two LCP Discard-Requests (RFC
 * 1661 5.9), half of all numbers apart: whichever it takes, it takes what follows them.
 */
static void
adopt(sess_id s)
{
	uint8_t discard[DISCARD_SIZE] = { LCP_DISCARD_REQUEST, 0, 0, DISCARD_SIZE };
	struct wr magic = wr_init(discard + 4, 4);

	if (!(session_fast(s)->flags & SF_SEQUENCE))
		return;
	wr_u32(&magic, session_get(s)->magic);
	numbers[s].synced = 0;
	frame_send(s, PPP_LCP, discard, sizeof(discard));
	numbers[s].ns += HALF_THE_NUMBERS - 2;
	frame_send(s, PPP_LCP, discard, sizeof(discard));
}

const struct hook_member frame_member = { .remove = forget, .adopt = adopt };
