/* PAP (RFC 1334) and CHAP with MD5 (RFC 1994), the side that is asked who it is. */
#include "avp.h"
#include "call.h"
#include "ppp.h"

enum { PAP_REQUEST = 1, PAP_ACK, PAP_NAK };
enum { CHAP_CHALLENGE = 1, CHAP_RESPONSE, CHAP_SUCCESS, CHAP_FAILURE };

void
auth_start(struct session *s)
{
	if (s->auth_proto == PPP_PAP)
		auth_send_pap(s);
}

void
auth_send_pap(struct session *s)
{
	char user[TEXT_MAX], password[TEXT_MAX];
	uint8_t buf[2 * TEXT_MAX + 2];
	struct out o = out_make(buf, sizeof(buf));

	expand(user, sizeof(user), s->prof->user, s->number);
	expand(password, sizeof(password), s->prof->password, s->number);
	out_u8(&o, (uint8_t)strlen(user));
	out_str(&o, user);
	out_u8(&o, (uint8_t)strlen(password));
	out_str(&o, password);
	ppp_send(s, PPP_PAP, PAP_REQUEST, ++s->pap_id, buf, out_len(&o));
}

static void
refused(struct session *s)
{
	s->why = WHY_AUTH;
	event("auth-refused session=%u text=\"%s\"", session_index(s), s->text ? s->text : "");
	ppp_phase(s, S_REFUSED);
	call_settle(s);
}

void
auth_pap_input(struct session *s, const struct cp_pkt *k)
{
	if (s->state != S_AUTH || s->auth_proto != PPP_PAP)
		return;
	if (k->code != PAP_ACK && k->code != PAP_NAK) {
		violation("PAP code %u from the LNS", k->code);
		return;
	}
	/* an answer to an earlier try is an answer, as pppd sees it too */
	if (!k->id || k->id > s->pap_id)
		violation("PAP answer with an identifier never sent");
	if (k->len < 1 || (size_t)k->data[0] > k->len - 1)
		violation("PAP message runs past the end");
	else if (k->data[0])
		s->text = intern(k->data + 1, k->data[0]);
	if (k->code == PAP_ACK)
		ipcp_start(s);
	else
		refused(s);
}

static void
respond(struct session *s, const struct cp_pkt *k)
{
	char user[TEXT_MAX], password[TEXT_MAX];
	uint8_t buf[TEXT_MAX + 17];
	struct out o = out_make(buf, sizeof(buf));
	uint8_t *response;

	if (k->len < 1 || !k->data[0] || (size_t)k->data[0] > k->len - 1) {
		violation("CHAP challenge runs past the end");
		return;
	}
	expand(user, sizeof(user), s->prof->user, s->number);
	expand(password, sizeof(password), s->prof->password, s->number);
	out_u8(&o, 16);
	response = out_room(&o, 16);
	avp_response(response, k->id, password, k->data + 1, k->data[0]);
	out_str(&o, user);
	s->pap_id = k->id;
	ppp_send(s, PPP_CHAP, CHAP_RESPONSE, k->id, buf, out_len(&o));
}

void
auth_chap_input(struct session *s, const struct cp_pkt *k)
{
	if (s->auth_proto != PPP_CHAP || s->state < S_AUTH || s->state > S_UP)
		return;
	if (k->code == CHAP_CHALLENGE) {
		respond(s, k);
		return;
	}
	if (k->code != CHAP_SUCCESS && k->code != CHAP_FAILURE) {
		violation("CHAP code %u from the LNS", k->code);
		return;
	}
	if (s->state != S_AUTH || k->id != s->pap_id)
		return;
	if (k->len)
		s->text = intern(k->data, k->len);
	if (k->code == CHAP_SUCCESS)
		ipcp_start(s);
	else
		refused(s);
}
