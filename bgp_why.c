/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What operators are told of a neighbour that does not come up, or goes down: what went wrong, and
 * what was expected where that can be said. It is an error, and logged as one, but for Cease (RFC
 * 4486), by which one of both ends what was well; collisions of connections (RFC 4271 6.8) are
 * nothing at all. A neighbour is tried again for ever, so the same words come once an hour only.
 *
 * Called by bgp_peer.c and bgp_input.c.
 */
#include "bgp_why.h"
#include "bgp_self.h"
#include "log.h"
#include "util.h"

#include <stdio.h>
#include <string.h>

#define CANNOT "cannot connect: "

enum {
	AGAIN_MS = 60 * 60 * 1000,
	HANGS_UP = 3,
	WORDS = sizeof(((struct bgp_view *)0)->error),
	MORE = 120
};

static void
remember(struct bgp_peer *p, const char *verb, const char *what)
{
	snprintf(p->view.error, sizeof(p->view.error), "%s%s", verb, what);
	p->dirty = true;
}

static void
complain(struct bgp_peer *p, int which, const char *text)
{
	struct bgp_told *told = &p->told[which];
	bool same = strcmp(told->text, text) == 0;

	if (same && loop_now_ms() - told->ms < AGAIN_MS)
		return;
	str_copy(told->text, sizeof(told->text), text);
	told->ms = loop_now_ms();
	plog(LOG_ERROR, "bgp %s: %s", p->conf.name, text);
}

/* --- NOTIFICATIONs --- */

/* What did not fit in an OPEN: his, which we have refused. */
static void
about_his(const struct bgp_peer *p, const struct bgp_open *o, uint8_t sub, char more[MORE])
{
	if (sub == BGP_OPEN_AS)
		snprintf(
		    more, MORE, ": his AS is %u, remote-as %u was expected", o->as, p->conf.as);
	else if (sub == BGP_OPEN_HOLD)
		snprintf(more, MORE, ": his hold time is %u s, 0 or at least %u was expected",
		    o->hold, BGP_LEAST_HOLD);
	else if (sub == BGP_OPEN_ID)
		snprintf(more, MORE, ": his identifier is %s, another than ours was expected",
		    ip4_text(o->id));
}

/* The same of ours, which he has refused. */
static void
about_ours(const struct bgp_peer *p, uint8_t sub, char more[MORE])
{
	if (sub == BGP_OPEN_AS)
		snprintf(more, MORE, ": our AS is %u, he expects another", bgp_self_as());
	else if (sub == BGP_OPEN_HOLD)
		snprintf(more, MORE, ": our hold time is %u s, he wants another", bgp_peer_hold(p));
	else if (sub == BGP_OPEN_ID)
		snprintf(more, MORE, ": our identifier is %s", ip4_text(bgp_router_id()));
}

static void
tell(struct bgp_peer *p, int which, const struct bgp_error *e, const char *verb, const char *more)
{
	char words[BGP_ERROR_TEXT], text[WORDS];

	bgp_error_text(e, words, sizeof(words));
	snprintf(text, sizeof(text), "%s: %s%s", verb, words, more);
	if (e->code != BGP_ERR_CEASE)
		complain(p, which, text);
	else
		plog_limit(LOG_WARNING, "bgp %s: %s", p->conf.name, text);
}

void
bgp_why_sent(struct bgp_peer *p, const struct bgp_conn *c)
{
	char words[BGP_ERROR_TEXT], more[MORE] = "";

	if (p->error.code == BGP_ERR_OPEN)
		about_his(p, &c->open, p->error.sub, more);
	remember(p, "sent ", bgp_error_text(&p->error, words, sizeof(words)));
	tell(p, bgp_which(p, c), &p->error, "told him", more);
}

void
bgp_why_received(struct bgp_peer *p, int which, const struct bgp_error *e)
{
	char words[BGP_ERROR_TEXT], more[MORE] = "";

	if (e->code == BGP_ERR_OPEN)
		about_ours(p, e->sub, more);
	remember(p, "received ", bgp_error_text(e, words, sizeof(words)));
	tell(p, which, e, "he says", more);
}

/* --- connections --- */

static bool
says_more(const struct bgp_told *told)
{
	return told->text[0] && !strstr(told->text, CANNOT);
}

/*
 * Not worth an error: one of two connections goes, as it must; he has just restarted; or he hangs
 * up since he does not want us for a while, and has said why before.
 */
static bool
will_pass(const struct bgp_peer *p, int which)
{
	uint8_t state = p->conns[which].state;

	if (p->conns[!which].state >= BGP_OPEN_SENT)
		return true;
	if (state > BGP_OPEN_SENT)
		return false;
	return p->failures < (state == BGP_OPEN_SENT ? HANGS_UP : 1) ||
	       (state == BGP_OPEN_SENT && (says_more(&p->told[0]) || says_more(&p->told[1])));
}

void
bgp_why_failed(struct bgp_peer *p, int which, const char *why)
{
	const struct bgp_conn *c = &p->conns[which];
	char text[WORDS];

	if (which == BGP_HIS && c->state < BGP_OPEN_SENT)
		return;
	remember(p, "", why);
	if (c->state < BGP_OPEN_SENT)
		snprintf(text, sizeof(text), CANNOT "%s", why);
	else if (c->state == BGP_OPEN_SENT)
		snprintf(text, sizeof(text),
		    "%s before his OPEN: are we a neighbour of his, of AS %u?", why, bgp_self_as());
	else
		str_copy(text, sizeof(text), why);
	if (will_pass(p, which))
		plog_limit(LOG_INFO, "bgp %s: %s", p->conf.name, text);
	else
		complain(p, which, text);
}

void
bgp_why_silent(struct bgp_peer *p)
{
	const char *ask =
	    p->conf.password[0] ? "has he the same password" : "does he want a password";
	char text[WORDS];

	if (p->lookup >= 0) {
		bgp_why_failed(p, BGP_OURS, "the name is not answered");
		return;
	}
	remember(p, "", "no answer");
	snprintf(text, sizeof(text), CANNOT "no answer: is TCP port %d open there, and %s?",
	    BGP_PORT, ask);
	complain(p, BGP_OURS, text);
}
