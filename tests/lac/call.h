/* Calls: sessions from ICRQ to CDN (RFC 2661 7.4), and the bulk set-up of many. */
#ifndef LAC_CALL_H
#define LAC_CALL_H

#include "avp.h"
#include "lac.h"

void call_init(void);
/* Sends an ICRQ; NULL: no session id or table entry left. */
struct session *call_start(struct tunnel *t, struct profile *prof, uint32_t number);
/* The session of this tunnel with our wire id; NULL: none. */
struct session *call_find(struct tunnel *t, uint16_t sid);
/* ICRP, CDN, WEN, SLI. */
void call_message(struct tunnel *t, uint16_t sid, const struct ctl *c);
/* The LNS has acknowledged a message about this session. */
void call_acked(struct session *s, uint16_t type);
/* Ends it with a CDN. */
void call_hangup(struct session *s, enum why why, uint16_t result, uint16_t error);
/* Ends it without a word. */
void call_ended(struct session *s, enum why why);
/* The session came up, or its login was refused: the set-up knows its fate. */
void call_settle(struct session *s);
/* What is left of the time to set it up, in ms; 0: over. */
uint32_t call_time_left(const struct session *s);
/* Reuses the entries of closed sessions; false while one is open. */
bool call_forget(void);
const char *call_state_name(const struct session *s);
const char *call_why_name(const struct session *s);

/* Called when a session's fate is known; set by the running command. */
extern void (*call_settled)(struct session *s);

#endif
