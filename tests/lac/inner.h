/* The subscriber's IP: what comes down the sessions, and what the commands send up. */
#ifndef LAC_INNER_H
#define LAC_INNER_H

#include "lac.h"
#include "pattern.h"

enum { MIN_UDP_SIZE = 48, MAX_SIZE = PATTERN_MAX, ECHO_PORT = 7, OUR_PORT = 20000 };

/* Where probes and load go. */
struct target {
	uint32_t from; /* inner source; 0: the session's address */
	uint32_t to;
	uint16_t port;
	uint16_t size; /* inner IP length */
	bool df;
};

/* The last ICMP error that came down. */
struct icmp_note {
	uint8_t type, code;
	uint16_t mtu;
	uint32_t from;
};
extern struct icmp_note last_icmp;

void inner_send_udp(struct session *s, const struct target *g, const struct pattern *pat);
void inner_send_ping(struct session *s, const struct target *g, uint16_t seq);
void inner_send_packet(struct session *s, const uint8_t *p, size_t n);
/* Zero the counters of all sessions and of the process. */
void inner_reset(void);

#endif
