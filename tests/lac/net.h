/* Sockets towards the LNS and the event loop. */
#ifndef LAC_NET_H
#define LAC_NET_H

#include <signal.h>

#include "batch.h"

struct sock {
	int fd;
	struct sockaddr_in local;
	bool own; /* of one tunnel only */
	struct sock *next;
};

extern uint32_t net_loss_tx, net_loss_rx; /* datagrams lost on purpose, in a million */
extern uint32_t net_twice;		  /* control messages sent twice, in a million */
extern uint32_t net_lazy_us; /* take input only so often, in large batches; 0: at once */
extern struct tx_batch *net_tx;
extern volatile sig_atomic_t net_stop; /* 1: whatever is waited for, net_until() returns */

void net_init(bool gro);
/* The socket bound to this address and port (port 0: any); own: always a new one. NULL: errno. */
struct sock *net_sock(struct in_addr local, uint16_t port, bool own);
void net_sock_close(struct sock *k);
/* Kernel drops on all sockets. */
uint64_t net_drops(void);
/* Is this datagram to be lost? */
bool net_lose(uint32_t per_million);
/* Calls ready(fd) when it can be read; one more kind of descriptor for stdin and tun devices. */
void net_watch(int fd, void (*ready)(int fd));
void net_unwatch(int fd);
/* Called every turn until it returns false; it says how long the loop may sleep at most. */
void net_pump(bool (*pump)(int *wait_ms));
/* One turn: wait for input, timers, pumps, acknowledgements, output. */
void net_turn(int wait_ms);
/* Turns until done() or the time is over; false: time over, or net_stop. timeout_ms 0: no limit. */
bool net_until(bool (*done)(void *), void *arg, uint64_t timeout_ms);

/* Implemented in tunnel.c. */
void l2tp_input(struct sock *k, const struct datagram *d);

#endif
