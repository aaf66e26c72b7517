/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RFC 1661 section 4 as a table, and the packets that drive it (section 5). Only
 * cp_event() changes a state; it logs the step and does the actions of the cell in a
 * fixed order, this-layer-down first and this-layer-up last.
 *
 * Configure-Requests are taken option by option: the protocol says Ack, Nak or Reject
 * of each, and this file makes the one answer. After ppp_max_failure Naks what would
 * be Nakked is Rejected (RFC 1661 4.6). A malformed packet is dropped and counted.
 * Called by the protocols of the PPP group; struct cp is theirs in memory only.
 */
#include "cp.h"
#include "config.h"
#include "counter.h"
#include "frame.h"
#include "role.h"

#include <string.h>

enum { PACKET_MAX = 1500, MAX_TERMINATE = 2, REPLY_MAX = 512, REJECT_MAX = 256 };

/* Actions, done in this order. */
enum {
	TLD = 1 << 0,
	IRC = 1 << 1, /* for Configure-Requests */
	IRT = 1 << 2, /* for Terminate-Requests */
	ZRC = 1 << 3,
	SCR = 1 << 4,
	SCA = 1 << 5, /* also scn: the answer has been prepared */
	STR = 1 << 6,
	STA = 1 << 7,
	SCJ = 1 << 8,
	SER = 1 << 9,
	TLU = 1 << 10,
	TLF = 1 << 11,
	LEGAL = 1 << 12,
};

#define SCN SCA
#define STEP(actions, next)                                                                        \
	{                                                                                          \
		(actions) | LEGAL, (next)                                                          \
	}
#define STAY(next)                                                                                 \
	{                                                                                          \
		LEGAL, (next)                                                                      \
	}

const char *const cp_state_names[CP_STATES] = {
	[CP_INITIAL] = "Initial",
	[CP_STARTING] = "Starting",
	[CP_CLOSED] = "Closed",
	[CP_STOPPED] = "Stopped",
	[CP_CLOSING] = "Closing",
	[CP_STOPPING] = "Stopping",
	[CP_REQ_SENT] = "Req-Sent",
	[CP_ACK_RCVD] = "Ack-Rcvd",
	[CP_ACK_SENT] = "Ack-Sent",
	[CP_OPENED] = "Opened",
};

static const char *const event_names[CP_EVENTS] = {
	"Up",
	"Down",
	"Open",
	"Close",
	"TO+",
	"TO-",
	"RCR+",
	"RCR-",
	"RCA",
	"RCN",
	"RTR",
	"RTA",
	"RUC",
	"RXJ+",
	"RXJ-",
	"RXR",
};

/* clang-format off */
static const struct {
	uint16_t actions;
	uint8_t next;
} table[CP_EVENTS][CP_STATES] = {
	[CP_UP] = {
		[CP_INITIAL]  = STAY(CP_CLOSED),
		[CP_STARTING] = STEP(IRC | SCR, CP_REQ_SENT),
	},
	[CP_DOWN] = {
		[CP_CLOSED]   = STAY(CP_INITIAL),
		[CP_STOPPED]  = STAY(CP_STARTING),
		[CP_CLOSING]  = STAY(CP_INITIAL),
		[CP_STOPPING] = STAY(CP_STARTING),
		[CP_REQ_SENT] = STAY(CP_STARTING),
		[CP_ACK_RCVD] = STAY(CP_STARTING),
		[CP_ACK_SENT] = STAY(CP_STARTING),
		[CP_OPENED]   = STEP(TLD, CP_STARTING),
	},
	[CP_OPEN] = {
		[CP_INITIAL]  = STAY(CP_STARTING),
		[CP_STARTING] = STAY(CP_STARTING),
		[CP_CLOSED]   = STEP(IRC | SCR, CP_REQ_SENT),
		[CP_STOPPED]  = STAY(CP_STOPPED),
		[CP_CLOSING]  = STAY(CP_STOPPING),
		[CP_STOPPING] = STAY(CP_STOPPING),
		[CP_REQ_SENT] = STAY(CP_REQ_SENT),
		[CP_ACK_RCVD] = STAY(CP_ACK_RCVD),
		[CP_ACK_SENT] = STAY(CP_ACK_SENT),
		[CP_OPENED]   = STAY(CP_OPENED),
	},
	[CP_CLOSE] = {
		[CP_INITIAL]  = STAY(CP_INITIAL),
		[CP_STARTING] = STEP(TLF, CP_INITIAL),
		[CP_CLOSED]   = STAY(CP_CLOSED),
		[CP_STOPPED]  = STAY(CP_CLOSED),
		[CP_CLOSING]  = STAY(CP_CLOSING),
		[CP_STOPPING] = STAY(CP_CLOSING),
		[CP_REQ_SENT] = STEP(IRT | STR, CP_CLOSING),
		[CP_ACK_RCVD] = STEP(IRT | STR, CP_CLOSING),
		[CP_ACK_SENT] = STEP(IRT | STR, CP_CLOSING),
		[CP_OPENED]   = STEP(TLD | IRT | STR, CP_CLOSING),
	},
	[CP_TO_MORE] = {
		[CP_CLOSING]  = STEP(STR, CP_CLOSING),
		[CP_STOPPING] = STEP(STR, CP_STOPPING),
		[CP_REQ_SENT] = STEP(SCR, CP_REQ_SENT),
		[CP_ACK_RCVD] = STEP(SCR, CP_REQ_SENT),
		[CP_ACK_SENT] = STEP(SCR, CP_ACK_SENT),
	},
	[CP_TO_LAST] = {
		[CP_CLOSING]  = STEP(TLF, CP_CLOSED),
		[CP_STOPPING] = STEP(TLF, CP_STOPPED),
		[CP_REQ_SENT] = STEP(TLF, CP_STOPPED),
		[CP_ACK_RCVD] = STEP(TLF, CP_STOPPED),
		[CP_ACK_SENT] = STEP(TLF, CP_STOPPED),
	},
	[CP_RCR_GOOD] = {
		[CP_CLOSED]   = STEP(STA, CP_CLOSED),
		[CP_STOPPED]  = STEP(IRC | SCR | SCA, CP_ACK_SENT),
		[CP_CLOSING]  = STAY(CP_CLOSING),
		[CP_STOPPING] = STAY(CP_STOPPING),
		[CP_REQ_SENT] = STEP(SCA, CP_ACK_SENT),
		[CP_ACK_RCVD] = STEP(SCA | TLU, CP_OPENED),
		[CP_ACK_SENT] = STEP(SCA, CP_ACK_SENT),
		[CP_OPENED]   = STEP(TLD | SCR | SCA, CP_ACK_SENT),
	},
	[CP_RCR_BAD] = {
		[CP_CLOSED]   = STEP(STA, CP_CLOSED),
		[CP_STOPPED]  = STEP(IRC | SCR | SCN, CP_REQ_SENT),
		[CP_CLOSING]  = STAY(CP_CLOSING),
		[CP_STOPPING] = STAY(CP_STOPPING),
		[CP_REQ_SENT] = STEP(SCN, CP_REQ_SENT),
		[CP_ACK_RCVD] = STEP(SCN, CP_ACK_RCVD),
		[CP_ACK_SENT] = STEP(SCN, CP_REQ_SENT),
		[CP_OPENED]   = STEP(TLD | SCR | SCN, CP_REQ_SENT),
	},
	[CP_RCA] = {
		[CP_CLOSED]   = STEP(STA, CP_CLOSED),
		[CP_STOPPED]  = STEP(STA, CP_STOPPED),
		[CP_CLOSING]  = STAY(CP_CLOSING),
		[CP_STOPPING] = STAY(CP_STOPPING),
		[CP_REQ_SENT] = STEP(IRC, CP_ACK_RCVD),
		[CP_ACK_RCVD] = STEP(SCR, CP_REQ_SENT),
		[CP_ACK_SENT] = STEP(IRC | TLU, CP_OPENED),
		[CP_OPENED]   = STEP(TLD | SCR, CP_REQ_SENT),
	},
	[CP_RCN] = {
		[CP_CLOSED]   = STEP(STA, CP_CLOSED),
		[CP_STOPPED]  = STEP(STA, CP_STOPPED),
		[CP_CLOSING]  = STAY(CP_CLOSING),
		[CP_STOPPING] = STAY(CP_STOPPING),
		[CP_REQ_SENT] = STEP(IRC | SCR, CP_REQ_SENT),
		[CP_ACK_RCVD] = STEP(SCR, CP_REQ_SENT),
		[CP_ACK_SENT] = STEP(IRC | SCR, CP_ACK_SENT),
		[CP_OPENED]   = STEP(TLD | SCR, CP_REQ_SENT),
	},
	[CP_RTR] = {
		[CP_CLOSED]   = STEP(STA, CP_CLOSED),
		[CP_STOPPED]  = STEP(STA, CP_STOPPED),
		[CP_CLOSING]  = STEP(STA, CP_CLOSING),
		[CP_STOPPING] = STEP(STA, CP_STOPPING),
		[CP_REQ_SENT] = STEP(STA, CP_REQ_SENT),
		[CP_ACK_RCVD] = STEP(STA, CP_REQ_SENT),
		[CP_ACK_SENT] = STEP(STA, CP_REQ_SENT),
		[CP_OPENED]   = STEP(TLD | ZRC | STA, CP_STOPPING),
	},
	[CP_RTA] = {
		[CP_CLOSED]   = STAY(CP_CLOSED),
		[CP_STOPPED]  = STAY(CP_STOPPED),
		[CP_CLOSING]  = STEP(TLF, CP_CLOSED),
		[CP_STOPPING] = STEP(TLF, CP_STOPPED),
		[CP_REQ_SENT] = STAY(CP_REQ_SENT),
		[CP_ACK_RCVD] = STAY(CP_REQ_SENT),
		[CP_ACK_SENT] = STAY(CP_ACK_SENT),
		[CP_OPENED]   = STEP(TLD | SCR, CP_REQ_SENT),
	},
	[CP_RUC] = {
		[CP_CLOSED]   = STEP(SCJ, CP_CLOSED),
		[CP_STOPPED]  = STEP(SCJ, CP_STOPPED),
		[CP_CLOSING]  = STEP(SCJ, CP_CLOSING),
		[CP_STOPPING] = STEP(SCJ, CP_STOPPING),
		[CP_REQ_SENT] = STEP(SCJ, CP_REQ_SENT),
		[CP_ACK_RCVD] = STEP(SCJ, CP_ACK_RCVD),
		[CP_ACK_SENT] = STEP(SCJ, CP_ACK_SENT),
		[CP_OPENED]   = STEP(SCJ, CP_OPENED),
	},
	[CP_RXJ_GOOD] = {
		[CP_CLOSED]   = STAY(CP_CLOSED),
		[CP_STOPPED]  = STAY(CP_STOPPED),
		[CP_CLOSING]  = STAY(CP_CLOSING),
		[CP_STOPPING] = STAY(CP_STOPPING),
		[CP_REQ_SENT] = STAY(CP_REQ_SENT),
		[CP_ACK_RCVD] = STAY(CP_REQ_SENT),
		[CP_ACK_SENT] = STAY(CP_ACK_SENT),
		[CP_OPENED]   = STAY(CP_OPENED),
	},
	[CP_RXJ_BAD] = {
		[CP_CLOSED]   = STEP(TLF, CP_CLOSED),
		[CP_STOPPED]  = STEP(TLF, CP_STOPPED),
		[CP_CLOSING]  = STEP(TLF, CP_CLOSED),
		[CP_STOPPING] = STEP(TLF, CP_STOPPED),
		[CP_REQ_SENT] = STEP(TLF, CP_STOPPED),
		[CP_ACK_RCVD] = STEP(TLF, CP_STOPPED),
		[CP_ACK_SENT] = STEP(TLF, CP_STOPPED),
		[CP_OPENED]   = STEP(TLD | IRT | STR, CP_STOPPING),
	},
	[CP_RXR] = {
		[CP_CLOSED]   = STAY(CP_CLOSED),
		[CP_STOPPED]  = STAY(CP_STOPPED),
		[CP_CLOSING]  = STAY(CP_CLOSING),
		[CP_STOPPING] = STAY(CP_STOPPING),
		[CP_REQ_SENT] = STAY(CP_REQ_SENT),
		[CP_ACK_RCVD] = STAY(CP_ACK_RCVD),
		[CP_ACK_SENT] = STAY(CP_ACK_SENT),
		[CP_OPENED]   = STEP(SER, CP_OPENED),
	},
};
/* clang-format on */

/* The answer to the packet in hand: for sca, scn, sta, scj and ser. */
static struct {
	uint8_t packet[PACKET_MAX];
	size_t len;
	uint8_t id;
} answer;

uint8_t
cp_new_id(struct cp *cp)
{
	return ++cp->last_id;
}

static void
send_request(const struct cp_proto *p, sess_id s)
{
	struct cp *cp = p->cp(s);
	uint8_t buf[REPLY_MAX];
	struct wr w = wr_init(buf, sizeof(buf));

	cp->id = cp_new_id(cp);
	cp_begin(&w, CP_CONF_REQ, cp->id);
	p->put_options(s, &w);
	frame_send(s, p->protocol, buf, cp_end(&w));
	if (cp->tries)
		cp->tries--;
	timer_set(&cp->restart, SEC(conf->ppp_restart_time));
}

static void
send_bare(const struct cp_proto *p, sess_id s, uint8_t code, uint8_t id, const char *text)
{
	uint8_t buf[128];
	struct wr w = wr_init(buf, sizeof(buf));

	cp_begin(&w, code, id);
	wr_bytes(&w, text, strnlen(text, sizeof(buf) - CP_HEADER));
	frame_send(s, p->protocol, buf, cp_end(&w));
}

static void
send_terminate(const struct cp_proto *p, sess_id s)
{
	struct cp *cp = p->cp(s);

	send_bare(p, s, CP_TERM_REQ, cp_new_id(cp), session_get(s)->end.message);
	if (cp->tries)
		cp->tries--;
	timer_set(&cp->restart, SEC(conf->ppp_restart_time));
}

static bool
waits(enum cp_state state)
{
	return state >= CP_CLOSING && state <= CP_ACK_SENT;
}

uint8_t
cp_full_tries(void)
{
	return (uint8_t)MIN(conf->ppp_max_configure, UINT8_MAX);
}

static void
set_counters(struct cp *cp, unsigned int actions)
{
	if (actions & IRC)
		cp->tries = cp_full_tries();
	if (actions & IRT)
		cp->tries = MAX_TERMINATE;
	if (actions & ZRC)
		cp->tries = 0;
}

static void
send_packets(const struct cp_proto *p, sess_id s, unsigned int actions)
{
	struct cp *cp = p->cp(s);

	if (actions & SCR)
		send_request(p, s);
	if (actions & (SCA | SCJ | SER))
		frame_send(s, p->protocol, answer.packet, answer.len);
	if (actions & STR)
		send_terminate(p, s);
	if (actions & STA)
		send_bare(p, s, CP_TERM_ACK, answer.id, "");
	if (actions & ZRC)
		timer_set(&cp->restart, SEC(conf->ppp_restart_time));
}

void
cp_event(const struct cp_proto *p, sess_id s, enum cp_event ev)
{
	struct cp *cp = p->cp(s);
	uint8_t from = cp->state;
	unsigned int actions = table[ev][from].actions;

	if (!(actions & LEGAL)) {
		COUNT(ppp_unexpected);
		return;
	}
	cp->state = table[ev][from].next;
	if (from != cp->state) {
		slog(session_get(s), LOG_CALL, "%s %s --%s--> %s", p->name, cp_state_names[from],
		    event_names[ev], cp_state_names[cp->state]);
		session_set_cp(s, p->slot, cp->state);
	}
	if (!waits(cp->state))
		timer_stop(&cp->restart);
	if (actions & TLD)
		p->down(s);
	set_counters(cp, actions);
	send_packets(p, s, actions);
	/* the last two may end the session: nothing is touched after them */
	if (actions & TLU) {
		cp->failures = 0;
		p->up(s);
	} else if (actions & TLF) {
		p->finished(s);
	}
}

void
cp_set_opened(const struct cp_proto *p, sess_id s)
{
	p->cp(s)->state = CP_OPENED;
	session_set_cp(s, p->slot, CP_OPENED);
	slog(session_get(s), LOG_CALL, "%s was negotiated by the LAC", p->name);
	p->up(s);
}

void
cp_timeout(const struct cp_proto *p, sess_id s)
{
	if (session_get(s) && role_is_master())
		cp_event(p, s, p->cp(s)->tries ? CP_TO_MORE : CP_TO_LAST);
}

void
cp_init(const struct cp_proto *p, sess_id s)
{
	struct cp *cp = p->cp(s);

	cp_stop(p, s);
	*cp = (struct cp){ 0 };
	timer_init(&cp->restart, p->timeout, s);
	session_set_cp(s, p->slot, CP_INITIAL);
}

void
cp_stop(const struct cp_proto *p, sess_id s)
{
	timer_stop(&p->cp(s)->restart);
}

/* --- packets --- */

/* Judges each option; true when all are fine. Naks and rejects are collected apart. */
static bool
judge_options(
    const struct cp_proto *p, sess_id s, struct rd *options, struct wr *nak, struct wr *rej)
{
	bool patient = p->cp(s)->failures < conf->ppp_max_failure;
	struct cp_opt o;
	enum cp_code verdict;

	p->begin(s);
	while (cp_opt_next(options, &o)) {
		struct wr before = *nak;

		verdict = p->option(s, &o, nak);
		if (verdict == CP_CONF_NAK && !patient) {
			*nak = before;
			verdict = CP_CONF_REJ;
		}
		if (verdict == CP_CONF_REJ)
			wr_bytes(rej, o.start, o.len);
	}
	if (patient && p->missing)
		p->missing(s, nak);
	return nak->pos == nak->buf + CP_HEADER && rej->pos == rej->buf + CP_HEADER;
}

/*
 * A new master's request leaves at once, but the answer may have been sent where the old one was.
 * A peer who then gets our Ack is open, and has to come down for our next request: so it goes in
 * front of that, as if the restart timer had run out now.
 */
static void
ask_first(const struct cp_proto *p, sess_id s)
{
	struct cp *cp = p->cp(s);

	if (cp->ask_first && cp->state == CP_REQ_SENT)
		cp_event(p, s, CP_TO_MORE);
	cp->ask_first = false;
}

static void
configure_request(const struct cp_proto *p, sess_id s, const struct cp_pkt *pkt)
{
	uint8_t nak_buf[REPLY_MAX], rej_buf[PACKET_MAX];
	struct wr nak = wr_init(nak_buf, sizeof(nak_buf)), rej = wr_init(rej_buf, sizeof(rej_buf));
	struct wr ack = wr_init(answer.packet, sizeof(answer.packet));
	struct rd options = pkt->data;
	bool good;

	if (p->cp(s)->state < CP_CLOSED) { /* before judging, which has effects */
		COUNT(ppp_unexpected);
		return;
	}
	if (rd_left(&pkt->data) > PACKET_MAX - CP_HEADER) { /* the answer would not fit */
		COUNT(ppp_malformed);
		return;
	}
	ask_first(p, s);
	cp_begin(&nak, CP_CONF_NAK, pkt->id);
	cp_begin(&rej, CP_CONF_REJ, pkt->id);
	good = judge_options(p, s, &options, &nak, &rej);
	if (options.bad || nak.bad || rej.bad) {
		COUNT(ppp_malformed);
		return;
	}
	if (good) {
		cp_begin(&ack, CP_CONF_ACK, pkt->id);
		wr_bytes(&ack, pkt->data.pos, rd_left(&pkt->data));
		answer.len = cp_end(&ack);
	} else if (rej.pos > rej.buf + CP_HEADER) {
		answer.len = cp_end(&rej);
		memcpy(answer.packet, rej_buf, answer.len);
	} else {
		p->cp(s)->failures++;
		answer.len = cp_end(&nak);
		memcpy(answer.packet, nak_buf, answer.len);
	}
	answer.id = pkt->id;
	cp_event(p, s, good ? CP_RCR_GOOD : CP_RCR_BAD);
}

/* An Ack repeats our request to the letter (RFC 1661 5.2). */
static bool
acks_our_request(const struct cp_proto *p, sess_id s, const struct cp_pkt *pkt)
{
	uint8_t buf[REPLY_MAX];
	struct wr w = wr_init(buf, sizeof(buf));

	p->put_options(s, &w);
	return wr_len(&w) == rd_left(&pkt->data) &&
	       (wr_len(&w) == 0 || memcmp(buf, pkt->data.pos, wr_len(&w)) == 0);
}

static void
refused_options(const struct cp_proto *p, sess_id s, const struct cp_pkt *pkt)
{
	struct rd options = pkt->data;
	struct cp_opt o;

	while (cp_opt_next(&options, &o))
		(pkt->code == CP_CONF_NAK ? p->nakked : p->rejected)(s, &o);
}

/* The answer to our request: only the last one's counts. */
static void
configure_answer(const struct cp_proto *p, sess_id s, const struct cp_pkt *pkt)
{
	struct cp *cp = p->cp(s);

	if (pkt->id != cp->id || (pkt->code == CP_CONF_ACK && !acks_our_request(p, s, pkt))) {
		COUNT(ppp_unexpected);
		return;
	}
	if (pkt->code == CP_CONF_ACK) {
		cp_event(p, s, CP_RCA);
		return;
	}
	if (cp->state == CP_REQ_SENT || cp->state == CP_ACK_SENT)
		refused_options(p, s, pkt);
	if (session_get(s))
		cp_event(p, s, CP_RCN);
}

static void
unknown_code(const struct cp_proto *p, sess_id s, struct rd frame)
{
	struct wr w = wr_init(answer.packet, sizeof(answer.packet));
	size_t room = MIN(session_get(s)->peer_mru - (size_t)CP_HEADER, REJECT_MAX);

	cp_begin(&w, CP_CODE_REJ, cp_new_id(p->cp(s)));
	wr_bytes(&w, frame.pos, MIN(rd_left(&frame), room)); /* RFC 1661 5.6: cut to the MRU */
	answer.len = cp_end(&w);
	cp_event(p, s, CP_RUC);
}

/* A Code-Reject of a code that every implementation must know ends it. */
static void
code_reject(const struct cp_proto *p, sess_id s, const struct cp_pkt *pkt)
{
	struct rd data = pkt->data;
	uint8_t code = rd_u8(&data);

	cp_event(p, s, code >= CP_CONF_REQ && code <= CP_CODE_REJ ? CP_RXJ_BAD : CP_RXJ_GOOD);
}

void
cp_answer(
    const struct cp_proto *p, sess_id s, uint8_t code, uint8_t id, const void *data, size_t len)
{
	struct wr w = wr_init(answer.packet, sizeof(answer.packet));

	cp_begin(&w, code, id);
	wr_bytes(&w, data, len);
	answer.len = cp_end(&w);
	if (answer.len)
		cp_event(p, s, CP_RXR);
}

void
cp_input(const struct cp_proto *p, sess_id s, struct rd frame)
{
	struct cp_pkt pkt;
	bool open = p->cp(s)->state == CP_OPENED;

	if (!cp_decode(frame, &pkt)) {
		COUNT(ppp_malformed);
		return;
	}
	answer.id = pkt.id;
	switch (pkt.code) {
	case CP_CONF_REQ:
		configure_request(p, s, &pkt);
		break;
	case CP_CONF_ACK:
	case CP_CONF_NAK:
	case CP_CONF_REJ:
		configure_answer(p, s, &pkt);
		break;
	case CP_TERM_REQ:
		cp_event(p, s, CP_RTR);
		if (open)
			p->peer_closed(s);
		break;
	case CP_TERM_ACK:
		cp_event(p, s, CP_RTA);
		break;
	case CP_CODE_REJ:
		code_reject(p, s, &pkt);
		break;
	default:
		if (!p->extra || !p->extra(s, &pkt))
			unknown_code(p, s, frame);
	}
}
