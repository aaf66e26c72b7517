/* Commands that show: lists, counts, counters. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "cmd.h"
#include "inner.h"
#include "net.h"
#include "tunnel.h"

static bool
range(struct run *r, const char *name, uint32_t n, uint32_t *first, uint32_t *last)
{
	const struct arg_val *v = arg(r, name);

	if (!n)
		return cmd_fail(r, "there is no %s", name);
	*first = v->all ? 0 : v->num;
	*last = v->all ? n - 1 : v->num2;
	if (*last >= n)
		return cmd_fail(r, "%s=%s: there are %u", name, v->str, n);
	return true;
}

bool
arg_sessions(struct run *r, uint32_t *first, uint32_t *last)
{
	return range(r, "session", session_count, first, last);
}

bool
arg_tunnels(struct run *r, uint32_t *first, uint32_t *last)
{
	return range(r, "tunnel", tunnel_count, first, last);
}

struct ip_text {
	char s[INET_ADDRSTRLEN];
};

static struct ip_text
ip_text(uint32_t ip)
{
	struct ip_text t;
	struct in_addr a = { htonl(ip) };

	inet_ntop(AF_INET, &a, t.s, sizeof(t.s));
	return t;
}

static void
list_one(const struct session *s)
{
	char user[TEXT_MAX];

	expand(user, sizeof(user), s->prof->user, s->number);
	cmd_print("item session=%u tunnel=%u sid=%u peer_sid=%u state=%s user=%s ip=%s peer_ip=%s "
		  "dns1=%s dns2=%s mru=%u peer_mru=%u setup_ms=%.2f echo_requests=%u why=%s "
		  "result=%u error=%u cause=%u text=\"%s\"",
	    session_index(s), tunnel_index(s->t), s->my_sid, s->peer_sid, call_state_name(s), user,
	    ip_text(s->ip).s, ip_text(s->peer_ip).s, ip_text(s->dns1).s, ip_text(s->dns2).s, s->mru,
	    s->peer_mru, s->setup_us / 1000.0, s->echo_requests, call_why_name(s), s->result,
	    s->error, s->cause, s->text ? s->text : "");
}

bool
cmd_list(struct run *r)
{
	const char *state = arg_str(r, "state");
	uint32_t i, first, last, n = 0;

	if (!session_count) {
		cmd_reply(r, "sessions=0");
		return true;
	}
	if (!arg_sessions(r, &first, &last))
		return false;
	for (i = first; i <= last; i++) {
		if (*state && strcmp(state, call_state_name(&sessions[i])) != 0)
			continue;
		list_one(&sessions[i]);
		n++;
	}
	cmd_reply(r, "sessions=%u", n);
	return true;
}

bool
cmd_tunnels(struct run *r)
{
	uint32_t i, first = 0, last = 0;
	const struct tunnel *t;

	if (tunnel_count && !arg_tunnels(r, &first, &last))
		return false;
	for (i = first; tunnel_count && i <= last; i++) {
		t = &tunnels[i];
		cmd_print("item tunnel=%u tid=%u peer_tid=%u state=%s port=%u peer_port=%u "
			  "peer_name=\"%s\" sessions=%u ns=%u nr=%u queued=%u in_flight=%u "
			  "peer_window=%u cwnd=%u result=%u error=%u text=\"%s\"",
		    i, t->my_tid, t->peer_tid, tunnel_state_name(t),
		    t->sock ? ntohs(t->sock->local.sin_port) : 0, ntohs(t->peer.sin_port),
		    t->peer_name ? t->peer_name : "", t->calls, t->chan.ns, t->chan.nr,
		    t->chan.queued, t->chan.in_flight, t->chan.peer_window, t->chan.cwnd, t->result,
		    t->error, t->text ? t->text : "");
	}
	cmd_reply(r, "tunnels=%u", tunnel_count);
	return true;
}

bool
cmd_count(struct run *r)
{
	uint32_t by_state[S_CLOSED + 1] = { 0 }, tunnels_up = 0, i;

	for (i = 0; i < session_count; i++)
		by_state[sessions[i].state]++;
	for (i = 0; i < tunnel_count; i++)
		tunnels_up += tunnels[i].state == T_UP;
	cmd_reply(r,
	    "tunnels=%u tunnels_up=%u sessions=%u up=%u closed=%u refused=%u terminated=%u "
	    "setting_up=%u",
	    tunnel_count, tunnels_up, session_count, by_state[S_UP], by_state[S_CLOSED],
	    by_state[S_REFUSED], by_state[S_TERM] + by_state[S_CLOSING],
	    by_state[S_CALL] + by_state[S_LCP] + by_state[S_AUTH] + by_state[S_IPCP]);
	return true;
}

/* The counters of struct totals, by name. */
static const struct {
	const char *name;
	size_t at;
} counters[] = {
#define C(x)                                                                                       \
	{                                                                                          \
#x, offsetof(struct totals, x)                                                     \
	}
	C(rx_packets),
	C(rx_bytes),
	C(rx_corrupt),
	C(rx_lost),
	C(rx_late),
	C(rx_misrouted),
	C(rx_other),
	C(rx_fragments),
	C(tx_packets),
	C(tx_bytes),
	C(rx_datagrams),
	C(rx_control),
	C(rx_data),
	C(unknown_tunnel),
	C(unknown_session),
	C(early_ip),
	C(retransmits),
	C(ppp_repeats),
	C(duplicates),
	C(reordered),
	C(zlb_sent),
	C(zlb_received),
	C(violations),
	C(lcp_echo),
	C(icmp_errors),
#undef C
};

static void
show_totals(struct run *r)
{
	const struct tx_totals *tx = tx_totals(net_tx);
	uint64_t v, span = totals.rx_last_us - totals.rx_first_us;
	size_t i;

	for (i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		memcpy(&v, (const char *)&totals + counters[i].at, sizeof(v));
		cmd_reply(r, "%s=%llu", counters[i].name, (unsigned long long)v);
	}
	cmd_reply(r, "rx_ms=%llu rx_pps=%.0f", (unsigned long long)span / 1000,
	    span ? (double)totals.rx_packets * 1e6 / (double)span : 0.0);
	cmd_reply(r, "tx_datagrams=%llu tx_errors=%llu socket_drops=%llu",
	    (unsigned long long)tx->datagrams, (unsigned long long)tx->errors,
	    (unsigned long long)net_drops());
}

static void
show_session(struct run *r, const struct session *s)
{
	cmd_reply(r,
	    "session=%u rx_packets=%llu rx_bytes=%llu rx_corrupt=%u rx_lost=%llu "
	    "rx_late=%u tx_packets=%llu tx_bytes=%llu echo_requests=%u",
	    session_index(s), (unsigned long long)s->rx_packets, (unsigned long long)s->rx_bytes,
	    s->rx_corrupt, (unsigned long long)s->rx_lost, s->rx_late,
	    (unsigned long long)s->tx_seq, (unsigned long long)s->tx_bytes, s->echo_requests);
}

bool
cmd_stats(struct run *r)
{
	uint32_t first, last, i, receiving = 0;

	if (arg(r, "session")->given) {
		if (!arg_sessions(r, &first, &last))
			return false;
		show_session(r, &sessions[first]);
		return true;
	}
	for (i = 0; i < session_count; i++)
		receiving += sessions[i].rx_packets > 0;
	show_totals(r);
	cmd_reply(r, "sessions_receiving=%u", receiving);
	if (arg_num(r, "reset"))
		inner_reset();
	return true;
}

bool
cmd_show_help(struct run *r)
{
	const struct cmd *c;

	for (c = cmd_table; c->name; c++)
		cmd_reply(r, "%s", c->name);
	return true;
}
