/* Tunnels: the control connection's automaton (RFC 2661 5.1, 7.2), and where datagrams come in. */
#ifndef LAC_TUNNEL_H
#define LAC_TUNNEL_H

#include "avp.h"
#include "lac.h"

extern uint32_t tunnels_pending; /* started and neither up nor failed */

void tunnel_init(void);
/* Sends an SCCRQ; NULL: table full. */
struct tunnel *tunnel_start(struct tunnel_profile *prof, struct sock *k);
/* Sends a StopCCN and closes the sessions. */
void tunnel_stop(struct tunnel *t, uint16_t result, uint16_t error, const char *text);
void tunnel_hello(struct tunnel *t);
/* Queues a message built with avp_start(); the message is about session s, or NULL. */
void tunnel_send(struct tunnel *t, struct avp_out *a, enum msg_type type, struct session *s);
/* The secret AVPs to this tunnel are hidden with; NULL: they are not. */
const char *tunnel_hiding(const struct tunnel *t);
/* Frees the entries of closed tunnels; false while one is open. */
bool tunnel_forget(void);
const char *tunnel_state_name(const struct tunnel *t);

#endif
