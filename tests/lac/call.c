/*
 * Sessions of the test LAC, their L2TP side.
 *
 * Owns the session table and each tunnel's table from our wire id to the session. Wire ids run
 * through all 65,535 values in an order that does not resemble the LNS's, so that a mix-up of
 * the two ends' ids cannot pass unnoticed.
 */
#include "call.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "attach.h"
#include "ppp.h"
#include "tunnel.h"

enum { SID_STEP = 40503, FIRST_ROOM = 64, ALL_SIDS = 65536 };

struct session *sessions;
uint32_t session_count;
void (*call_settled)(struct session *s);

static uint16_t sid_inverse; /* SID_STEP * sid_inverse = 1 modulo 65536 */

static const char *const state_names[] = {
	[S_FREE] = "free",
	[S_CALL] = "call",
	[S_LCP] = "lcp",
	[S_AUTH] = "auth",
	[S_IPCP] = "ipcp",
	[S_UP] = "up",
	[S_REFUSED] = "refused",
	[S_TERM] = "terminated",
	[S_CLOSING] = "closing",
	[S_CLOSED] = "closed",
};

static const char *const why_names[] = {
	[WHY_NONE] = "none",
	[WHY_CDN] = "cdn",
	[WHY_LCP] = "lcp",
	[WHY_AUTH] = "auth",
	[WHY_TIMEOUT] = "timeout",
	[WHY_TUNNEL] = "tunnel",
	[WHY_LOCAL] = "local",
	[WHY_PPP] = "ppp",
};

const char *
call_state_name(const struct session *s)
{
	return state_names[s->state];
}

const char *
call_why_name(const struct session *s)
{
	return why_names[s->why];
}

void
call_init(void)
{
	uint32_t x = SID_STEP;
	void *p;
	int i;

	for (i = 0; i < 4; i++)
		x *= 2 - SID_STEP * x;
	sid_inverse = (uint16_t)x;
	p = mmap(NULL, sizeof(*sessions) * MAX_SESSIONS, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		abort();
	sessions = p;
}

struct session *
call_find(struct tunnel *t, uint16_t sid)
{
	uint16_t slot = (uint16_t)((uint32_t)sid * sid_inverse);

	return slot < t->slot_room ? t->by_slot[slot] : NULL;
}

static bool
grow_slots(struct tunnel *t)
{
	uint32_t room = t->slot_room ? t->slot_room * 2 : FIRST_ROOM;
	struct session **p;

	if (room > ALL_SIDS)
		return false;
	p = realloc(t->by_slot, room * sizeof(struct session *));
	if (!p)
		return false;
	memset(p + t->slot_room, 0, (room - t->slot_room) * sizeof(struct session *));
	t->by_slot = p;
	t->slot_room = room;
	return true;
}

/* Slots are used in turn, so that a closed session's id comes back as late as can be. Slot 0
 * would be wire id 0. */
static bool
take_slot(struct tunnel *t, struct session *s)
{
	uint32_t tries, slot;

	for (tries = 0; tries < ALL_SIDS; tries++) {
		slot = t->slot_next++ % ALL_SIDS;
		while (slot >= t->slot_room) {
			if (!grow_slots(t))
				return false;
		}
		if (slot == 0 || t->by_slot[slot])
			continue;
		t->by_slot[slot] = s;
		s->my_sid = (uint16_t)(slot * SID_STEP);
		return true;
	}
	return false;
}

static void
release_slot(struct session *s)
{
	uint16_t slot = (uint16_t)((uint32_t)s->my_sid * sid_inverse);

	if (slot < s->t->slot_room && s->t->by_slot[slot] == s) {
		s->t->by_slot[slot] = NULL;
		s->t->calls--;
	}
}

void
call_settle(struct session *s)
{
	if (s->counted)
		return;
	s->counted = true;
	s->t->setting_up--;
	if (call_settled)
		call_settled(s);
}

uint32_t
call_time_left(const struct session *s)
{
	uint64_t passed = (now_us - s->start_us) / 1000;

	return passed >= s->prof->timeout_ms ? 0 : (uint32_t)(s->prof->timeout_ms - passed);
}

void
call_ended(struct session *s, enum why why)
{
	if (!session_open(s))
		return;
	if (s->why == WHY_NONE)
		s->why = (uint8_t)why;
	s->state = S_CLOSED;
	timer_stop(&s->timer);
	attach_detach(s);
	release_slot(s);
	event("session-closed session=%u why=%s result=%u error=%u cause=%u text=\"%s\"",
	    session_index(s), call_why_name(s), s->result, s->error, s->cause,
	    s->text ? s->text : "");
	call_settle(s);
}

void
call_hangup(struct session *s, enum why why, uint16_t result, uint16_t error)
{
	uint8_t buf[128], v[4];
	struct avp_out a;

	if (!session_open(s))
		return;
	put16(v, result);
	put16(v + 2, error);
	avp_start(&a, buf, sizeof(buf), MSG_CDN, NULL);
	avp_bytes(&a, AVP_RESULT_CODE, true, false, v, error ? 4 : 2);
	avp_u16(&a, AVP_ASSIGNED_SESSION_ID, true, false, s->my_sid);
	tunnel_send(s->t, &a, MSG_CDN, s);
	call_ended(s, why);
}

static void
timeout_fire(struct timer *tm)
{
	call_hangup(TIMER_OWNER(tm, struct session, timer), WHY_TIMEOUT, 10, 0);
}

struct session *
call_start(struct tunnel *t, struct profile *prof, uint32_t number)
{
	struct session *s = &sessions[session_count];
	uint8_t buf[512];
	char text[TEXT_MAX];
	struct avp_out a;

	if (session_count == MAX_SESSIONS)
		return NULL;
	memset(s, 0, sizeof(*s));
	if (!take_slot(t, s))
		return NULL;
	session_count++;
	t->calls++;
	t->setting_up++;
	s->t = t;
	s->prof = prof;
	s->number = number;
	s->start_us = now_us;
	s->state = S_CALL;
	avp_start(&a, buf, sizeof(buf), MSG_ICRQ, tunnel_hiding(t));
	avp_u16(&a, AVP_ASSIGNED_SESSION_ID, true, true, s->my_sid);
	avp_u32(&a, AVP_CALL_SERIAL_NUMBER, true, true, session_index(s) + 1);
	avp_u32(&a, AVP_BEARER_TYPE, true, true, 1);
	if (prof->called[0]) {
		expand(text, sizeof(text), prof->called, number);
		avp_bytes(&a, AVP_CALLED_NUMBER, true, true, text, strlen(text));
	}
	if (prof->calling[0]) {
		expand(text, sizeof(text), prof->calling, number);
		avp_bytes(&a, AVP_CALLING_NUMBER, true, true, text, strlen(text));
	}
	timer_set(&s->timer, prof->timeout_ms, timeout_fire);
	tunnel_send(t, &a, MSG_ICRQ, s);
	return s;
}

static void
add_proxy(struct avp_out *a, struct session *s)
{
	char user[TEXT_MAX], password[TEXT_MAX];
	uint8_t opts[64];
	size_t n;

	n = ppp_proxy_lcp(s, opts, sizeof(opts), false);
	avp_bytes(a, AVP_INITIAL_LCP, false, true, opts, n);
	avp_bytes(a, AVP_LAST_RECEIVED_LCP, false, true, opts, n);
	n = ppp_proxy_lcp(s, opts, sizeof(opts), true);
	avp_bytes(a, AVP_LAST_SENT_LCP, false, true, opts, n);
	expand(user, sizeof(user), s->prof->user, s->number);
	expand(password, sizeof(password), s->prof->password, s->number);
	if (s->prof->auth == AUTH_CHAP) {
		uint8_t chal[16], response[16];

		memset(chal, 0x42, sizeof(chal));
		avp_response(response, s->pap_id, password, chal, sizeof(chal));
		avp_u16(a, AVP_PROXY_AUTH_TYPE, false, false, 2);
		avp_bytes(a, AVP_PROXY_AUTH_CHALLENGE, false, true, chal, sizeof(chal));
		avp_bytes(a, AVP_PROXY_AUTH_RESPONSE, false, true, response, sizeof(response));
	} else {
		avp_u16(a, AVP_PROXY_AUTH_TYPE, false, false, 3);
		avp_bytes(a, AVP_PROXY_AUTH_RESPONSE, false, true, password, strlen(password));
	}
	avp_bytes(a, AVP_PROXY_AUTH_NAME, false, true, user, strlen(user));
	avp_u16(a, AVP_PROXY_AUTH_ID, false, true, s->pap_id);
}

static void
take_icrp(struct session *s, const struct ctl *c)
{
	const struct profile *p = s->prof;
	uint8_t buf[1024];
	struct avp_out a;

	if (s->state != S_CALL || s->peer_sid) {
		violation("ICRP in state %s", call_state_name(s));
		return;
	}
	s->peer_sid = (uint16_t)avp_number(c, AVP_ASSIGNED_SESSION_ID);
	if (!s->peer_sid) {
		violation("ICRP assigns no session id");
		call_hangup(s, WHY_LOCAL, 2, 6);
		return;
	}
	ppp_start(s);
	avp_start(&a, buf, sizeof(buf), MSG_ICCN, tunnel_hiding(s->t));
	avp_u32(&a, AVP_TX_CONNECT_SPEED, true, true, p->tx_speed);
	avp_u32(&a, AVP_FRAMING_TYPE, true, true, 1);
	if (p->rx_speed)
		avp_u32(&a, AVP_RX_CONNECT_SPEED, false, true, p->rx_speed);
	if (p->sequencing)
		avp_bytes(&a, AVP_SEQUENCING_REQUIRED, true, false, NULL, 0);
	if (p->proxy)
		add_proxy(&a, s);
	tunnel_send(s->t, &a, MSG_ICCN, s);
	if (p->race)
		ppp_link_up(s);
}

static void
take_cdn(struct session *s, const struct ctl *c)
{
	struct span r = c->v[AVP_RESULT_CODE];
	struct span cause = c->v[AVP_PPP_DISCONNECT_CAUSE];

	if (!r.p)
		violation("CDN without Result Code");
	if (!c->v[AVP_ASSIGNED_SESSION_ID].p)
		violation("CDN without Assigned Session ID");
	else if (s->peer_sid && avp_number(c, AVP_ASSIGNED_SESSION_ID) != s->peer_sid)
		violation("CDN with another Assigned Session ID");
	s->result = r.n >= 2 ? get16(r.p) : 0;
	s->error = r.n >= 4 ? get16(r.p + 2) : 0;
	if (r.n > 4 && s->why == WHY_NONE)
		s->text = intern(r.p + 4, r.n - 4);
	if (cause.p)
		s->cause = get16(cause.p);
	call_ended(s, WHY_CDN);
}

void
call_message(struct tunnel *t, uint16_t sid, const struct ctl *c)
{
	struct session *s = call_find(t, sid);

	if (!s) {
		/* our own CDN may have crossed it */
		totals.unknown_session++;
		return;
	}
	if (c->type == MSG_ICRP)
		take_icrp(s, c);
	else if (c->type == MSG_CDN)
		take_cdn(s, c);
}

void
call_acked(struct session *s, uint16_t type)
{
	if (type == MSG_ICCN && session_open(s))
		ppp_link_up(s);
}

bool
call_forget(void)
{
	uint32_t i;

	for (i = 0; i < session_count; i++) {
		if (session_open(&sessions[i]))
			return false;
	}
	memset(sessions, 0, session_count * sizeof(*sessions));
	session_count = 0;
	return true;
}
