/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The counters of `show counters`: one row below makes the member, its name and
 * its help. They lie in shared memory; the parent alone writes them.
 */
#ifndef COUNTER_H
#define COUNTER_H

#include "l2tpns.h"

#include <time.h>

/* Printed as the table at the head of `show counters`. */
#define COUNTER_TRAFFIC(X)                                                                         \
	X(tun_rx_bytes, "octets read from the tun device")                                         \
	X(tun_rx_packets, "packets read from the tun device")                                      \
	X(tun_rx_errors, "packets from the tun device that were malformed")                        \
	X(tun_rx_dropped, "packets from the tun device that were dropped")                         \
	X(tun_tx_bytes, "octets written to the tun device")                                        \
	X(tun_tx_packets, "packets written to the tun device")                                     \
	X(tun_tx_errors, "packets the tun device refused")                                         \
	X(tun_tx_dropped, "packets dropped before the tun device")                                 \
	X(tunnel_rx_bytes, "octets received from LACs")                                            \
	X(tunnel_rx_packets, "packets received from LACs")                                         \
	X(tunnel_rx_errors, "packets from LACs dropped as malformed")                              \
	X(tunnel_rx_dropped, "packets from LACs dropped by a rule")                                \
	X(tunnel_tx_bytes, "octets sent to LACs")                                                  \
	X(tunnel_tx_packets, "packets sent to LACs")                                               \
	X(tunnel_tx_errors, "packets to LACs that could not be sent")                              \
	X(tunnel_retries, "control messages sent again")

/* Printed one a line. The first ones carry the names operators' scripts know. */
#define COUNTER_LIST(X)                                                                            \
	X(radius_retries, "RADIUS requests sent again")                                            \
	X(arp_sent, "gratuitous ARPs sent")                                                        \
	X(packets_snooped, "intercepted packets copied")                                           \
	X(tunnel_created, "tunnels opened")                                                        \
	X(session_created, "sessions begun")                                                       \
	X(tunnel_timeout, "tunnels closed since the peer was silent")                              \
	X(session_timeout, "sessions closed by a timeout")                                         \
	X(radius_timeout, "RADIUS requests given up")                                              \
	X(radius_overflow, "RADIUS requests refused: all slots in use")                            \
	X(tunnel_overflow, "tunnels refused: table full")                                          \
	X(session_overflow, "sessions refused: table full")                                        \
	X(ip_allocated, "addresses given from the pool")                                           \
	X(ip_freed, "addresses given back to the pool")                                            \
	X(cluster_forwarded, "packets forwarded to the master")                                    \
	X(recv_forward, "packets received from a slave")                                           \
	X(forward_no_master, "packets for the master dropped: none is known")                      \
	X(forward_failed, "packets for the master dropped: too large, or no room")                 \
	X(forward_unknown, "packets of unknown sessions dropped: too many for the master")         \
	X(forward_not_master, "packets of slaves dropped: we are not the master")                  \
	X(forward_malformed, "packets of slaves dropped as malformed")                             \
	X(forward_bad_address, "packets of slaves dropped: to an address we do not serve")         \
	X(forward_repeated, "packets forwarded again: the master did not say that it has them")    \
	X(forward_unacknowledged, "packets forwarded in vain: the master never said so")           \
	X(forward_duplicate, "packets of slaves that had come before")                             \
	X(select_called, "turns of the loop")                                                      \
	X(multi_read_used, "reads that took more than one packet")                                 \
	X(multi_read_exceeded, "reads that left packets for the next turn")                        \
	X(loop_longest_us, "longest turn of the loop, microseconds")                               \
	X(log_lost, "log lines that could not be written")                                         \
	X(fd_overflow, "descriptors refused: too many for select")                                 \
	X(tunnel_rx_merged, "packets from LACs that came several in one buffer")                   \
	X(tunnel_tx_merged, "packets to LACs that left several in one message")                    \
	X(tun_rx_merged, "packets from the tun device that came as one large one")                 \
	X(tun_tx_merged, "packets to the tun device that left as one large one")                   \
	X(rx_short, "L2TP packets shorter than their header")                                      \
	X(rx_bad_version, "L2TP packets of a version other than 2")                                \
	X(rx_bad_header, "L2TP packets with a bad header")                                         \
	X(rx_unknown_tunnel, "L2TP packets for a tunnel that is not there")                        \
	X(rx_unknown_session, "L2TP data for a session that is not there")                         \
	X(rx_wrong_source, "L2TP packets from an address not their tunnel's")                      \
	X(rx_late_sequence, "L2TP data dropped as late or repeated")                               \
	X(rx_early_frames, "PPP frames kept until their call was up")                              \
	X(rx_early_dropped, "PPP frames too early and too many to keep")                           \
	X(rx_spoofed, "packets dropped: source address not the session's")                         \
	X(rx_not_up, "IP packets dropped: session has no address yet")                             \
	X(rx_bad_ip, "IP packets from subscribers that were malformed")                            \
	X(rx_filtered, "packets from subscribers dropped by an access list")                       \
	X(tx_filtered, "packets to subscribers dropped by an access list")                         \
	X(filter_unknown, "Filter-Ids that name no access list")                                   \
	X(rx_plugin, "packets from subscribers dropped by a plugin")                               \
	X(tx_plugin, "packets to subscribers dropped by a plugin")                                 \
	X(tx_no_session, "packets for an address without session")                                 \
	X(tx_packet_limit, "packets over packet_limit")                                            \
	X(throttle_delayed, "packets that waited in a bucket")                                     \
	X(throttle_dropped, "packets dropped: over the session's rate")                            \
	X(throttle_pool_empty, "packets dropped: no room to let them wait")                        \
	X(throttle_no_bucket, "sessions not throttled: no bucket was free")                        \
	X(throttle_longest_ms, "longest wait of a packet in a bucket, milliseconds")               \
	X(snoop_dropped, "copies of intercepted packets that could not be sent")                   \
	X(tx_fragmented, "packets fragmented for a small MTU")                                     \
	X(tx_too_big, "packets too large with DF set")                                             \
	X(icmp_sent, "ICMP errors sent")                                                           \
	X(icmp_limited, "ICMP errors left out by the limit")                                       \
	X(control_malformed, "control messages refused as malformed")                              \
	X(control_unknown, "control messages of an unknown type")                                  \
	X(control_duplicate, "control messages received again")                                    \
	X(control_reordered, "control messages that came early and were kept")                     \
	X(control_outside_window, "control messages outside the window")                           \
	X(control_queue_full, "control messages not sent: pool empty")                             \
	X(control_early_dropped, "control messages that came early, too many to keep")             \
	X(control_held_back, "control messages that waited for their peer to acknowledge ours")    \
	X(call_waited, "calls that waited for their ICRP while others were set up")                \
	X(control_unexpected, "control messages in the wrong state")                               \
	X(tunnel_refused, "tunnels refused")                                                       \
	X(tunnel_halfopen_dropped, "half-open tunnels that gave way to newer ones")                \
	X(tunnel_moved, "tunnels whose peer changed its address or port")                          \
	X(ppp_malformed, "PPP frames dropped as malformed")                                        \
	X(ppp_unexpected, "PPP frames in the wrong phase")                                         \
	X(ppp_rejected, "PPP protocols rejected")                                                  \
	X(ppp_loops, "looped links found by magic number")                                         \
	X(notes_full, "routes, Class, line and proxy AVPs not kept: too many")                     \
	X(auth_accepted, "logins accepted")                                                        \
	X(auth_refused, "logins refused")                                                          \
	X(address_refused, "sessions refused: no usable address")                                  \
	X(radius_sent, "RADIUS packets sent")                                                      \
	X(radius_received, "RADIUS packets received")                                              \
	X(radius_bad_source, "RADIUS replies dropped: not from the server asked")                  \
	X(radius_bad_id, "RADIUS replies dropped: no such request")                                \
	X(radius_malformed, "RADIUS replies dropped as malformed")                                 \
	X(radius_bad_authenticator, "RADIUS replies dropped: wrong authenticator")                 \
	X(radius_no_message_authenticator,                                                         \
	    "RADIUS replies dropped: Message-Authenticator missing or wrong")                      \
	X(radius_failover, "RADIUS requests moved to the next server")                             \
	X(radius_probes, "Status-Server sent to dead RADIUS servers")                              \
	X(login_waiting, "logins that wait for their turn to be asked about, now")                 \
	X(login_waited, "logins that had to wait for their turn")                                  \
	X(login_queue_full, "logins put off: too many wait")                                       \
	X(bgp_updates_sent, "BGP UPDATEs sent")                                                    \
	X(bgp_routes_sent, "routes announced or withdrawn in them")                                \
	X(bgp_updates_received, "BGP UPDATEs received, all of which are forgotten")                \
	X(bgp_updates_bad, "BGP UPDATEs received with bad attributes")                             \
	X(bgp_notifications_sent, "BGP NOTIFICATIONs sent")                                        \
	X(bgp_notifications_received, "BGP NOTIFICATIONs received")                                \
	X(bgp_refused, "BGP connections refused: not from a neighbour, or one too many")           \
	X(bgp_routes_full, "routes not announced: too many")                                       \
	X(dae_received, "Disconnect and CoA packets received")                                     \
	X(dae_acked, "Disconnect and CoA requests carried out")                                    \
	X(dae_refused, "Disconnect and CoA requests refused")                                      \
	X(dae_repeated, "Disconnect and CoA requests received again")                              \
	X(dae_foreign, "Disconnect and CoA packets dropped: not from a known client")              \
	X(dae_malformed, "Disconnect and CoA packets dropped as malformed")                        \
	X(dae_bad_authenticator, "Disconnect and CoA packets dropped: wrong authenticator")        \
	X(dae_stale, "Disconnect and CoA packets dropped: Event-Timestamp too old or ahead")       \
	X(dae_busy, "Disconnect and CoA packets dropped: too many at a time")                      \
	X(acct_sent, "accounting records sent")                                                    \
	X(acct_acked, "accounting records acknowledged")                                           \
	X(acct_queued, "accounting records not acknowledged yet, now")                             \
	X(acct_spilled, "accounting records put into the spill file")                              \
	X(acct_spill_errors, "times the spill file could not be read or written")                  \
	X(acct_spill_junk, "octets of the spill file that were no records, at the start")          \
	X(acct_lost, "accounting records given up: too old, or no room")                           \
	X(acct_interim_skipped, "Interim-Updates left out while records were waiting")             \
	X(command_refused, "outside programs not run: queue full")                                 \
	X(command_failed, "outside programs that failed or were killed")                           \
	X(usage_files, "usage files written")                                                      \
	X(usage_failed, "usage files that could not be written")                                   \
	X(usage_merged, "ended sessions whose usage is told without a name: too many")             \
	X(cli_connections, "CLI connections served")                                               \
	X(cli_refused, "CLI connections refused: too many")                                        \
	X(cli_login_failures, "CLI logins failed")                                                 \
	X(route_refused, "routes of sessions left out")                                            \
	X(nsctl_commands, "commands of nsctl carried out or refused")                              \
	X(nsctl_repeated, "commands of nsctl received again")                                      \
	X(nsctl_malformed, "nsctl packets dropped as malformed")                                   \
	X(nsctl_foreign, "nsctl packets dropped: unsigned, from beyond loopback")                  \
	X(nsctl_bad_nonce, "nsctl packets dropped: nonce too old or another's")                    \
	X(nsctl_bad_secret, "nsctl packets dropped: signed with another secret")                   \
	X(nsctl_busy, "nsctl packets dropped: too many a second")                                  \
	X(cluster_sent, "messages sent to members of the cluster")                                 \
	X(cluster_received, "messages received from members of the cluster")                       \
	X(cluster_send_failed, "messages to members that could not be sent")                       \
	X(cluster_stale, "messages thrown away since our loop had stood still")                    \
	X(cluster_far, "cluster messages dropped: no secret, and from beyond the network")         \
	X(cluster_malformed, "cluster messages dropped as malformed")                              \
	X(cluster_bad_hmac, "cluster messages dropped: made with another key")                     \
	X(cluster_other_format, "cluster messages dropped: of a format of another version")        \
	X(cluster_not_for_us, "cluster messages dropped: for another member, or none")             \
	X(cluster_not_admitted, "cluster messages dropped: their sender is not admitted")          \
	X(cluster_replayed, "cluster messages dropped as repeated or too old")                     \
	X(cluster_unknown_kind, "cluster messages of an unknown kind ignored")                     \
	X(cluster_wrong_role, "cluster messages dropped: not for a member of this role")           \
	X(cluster_challenged, "members asked to prove who they are")                               \
	X(cluster_elections, "times this member became master")                                    \
	X(cluster_yielded, "times this member turned from master to slave")                        \
	X(cluster_unheard, "times the master did not hear this member for cluster_hb_timeout")      \
	X(cluster_frozen, "times the loop stood still longer than cluster_hb_timeout")             \
	X(cluster_changes, "changed records received from the master")                             \
	X(cluster_refused, "records of the master that could not be installed")                    \
	X(cluster_gaps, "gaps in the master's changes")                                            \
	X(cluster_too_often, "requests of members answered in part or not: they come too often")   \
	X(cluster_resent, "changes sent again to a slave that had missed them")                    \
	X(cluster_syncs, "full synchronisations, given or got")                                    \
	X(cluster_sync_parts, "parts of full synchronisations sent")                               \
	X(netlink_errors, "route changes the kernel refused")

struct counters {
#define COUNTER_MEMBER(name, help) uint64_t name;
	COUNTER_TRAFFIC(COUNTER_MEMBER)
	COUNTER_LIST(COUNTER_MEMBER)
#undef COUNTER_MEMBER
	int64_t reset_time;			    /* wall clock of the last clear, seconds */
	uint32_t rate_in_packets, rate_out_packets; /* of the last whole second */
	uint64_t rate_udp_rx, rate_udp_tx;	    /* octets in the last whole second, outside */
	uint64_t rate_tun_rx, rate_tun_tx;	    /* the same at the tun device */
};

extern struct counters *counters;

#define COUNT(name)	   (counters->name++)
#define COUNT_ADD(name, n) (counters->name += (uint64_t)(n))

/*
 * Refuses a packet: counts it under `name`, logs at LOG_CALL with a rate limit,
 * and yields -1 for the caller to return.
 */
#define DROP(name, ...)                                                                            \
	__extension__({                                                                            \
		COUNT(name);                                                                       \
		plog_limit(LOG_CALL, #name ": " __VA_ARGS__);                                      \
		-1;                                                                                \
	})

/* One row of the list part, for `show counters` and the tests. */
struct counter_row {
	const char *name;
	const char *help;
	size_t offset; /* in struct counters */
};

/* Moves the block to shared memory. Before that, counting goes to a private one. */
void counter_init(void);

/* All counters to zero, and the reset time to now. */
void counter_clear(void);

/* Called once a second: works out the rates of the last second. */
void counter_second(void);

/* The rows of COUNTER_TRAFFIC and COUNTER_LIST; NULL name ends each. */
const struct counter_row *counter_traffic_rows(void);
const struct counter_row *counter_rows(void);
uint64_t counter_value(const struct counter_row *row);

#endif
