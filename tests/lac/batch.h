/* Datagrams in batches: recvmmsg with UDP GRO, sendmmsg with optional UDP GSO. */
#ifndef LAC_BATCH_H
#define LAC_BATCH_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BATCH_SIZE = 64, BATCH_ROOM = 10240 };

struct rx_batch;
struct tx_batch;

struct datagram {
	uint8_t *data;
	size_t len;
	const struct sockaddr_in *from;
};

struct tx_totals {
	uint64_t datagrams;
	uint64_t errors;
	int last_errno;
};

/* A UDP socket with large buffers, bound; -1 with errno. gro: take coalesced datagrams. */
int udp_open(const struct sockaddr_in *local, bool gro);
/* Datagrams the kernel dropped because the socket's buffer was full. */
uint32_t udp_drops(int fd);

struct rx_batch *rx_new(void);
/* Reads what is there without waiting; the number of buffers filled. */
int rx_read(struct rx_batch *b, int fd);
/* The next datagram of the last rx_read(); false after the last. */
bool rx_next(struct rx_batch *b, struct datagram *d);

struct tx_batch *tx_new(void);
/* Coalesce datagrams of one length to one destination (UDP_SEGMENT). */
void tx_set_gso(struct tx_batch *b, bool on);
/* Room to write the next datagram in; commit or forget it before the next call. */
uint8_t *tx_room(struct tx_batch *b, int fd, const struct sockaddr_in *to, size_t room);
/* Queues it; tail is sent behind it without copying and must stay valid until the flush. */
void tx_commit(struct tx_batch *b, size_t len, const uint8_t *tail, size_t tail_len);
/* Sends all that is queued. */
void tx_flush(struct tx_batch *b);
const struct tx_totals *tx_totals(const struct tx_batch *b);

#endif
