/* Commands that move packets. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "avp.h"
#include "blast.h"
#include "cmd.h"
#include "net.h"
#include "ppp.h"
#include "probe.h"
#include "tunnel.h"

static struct target
target_of(struct run *r)
{
	struct target g = {
		.from = arg_num(r, "from"),
		.to = arg_num(r, "to"),
		.port = (uint16_t)arg(r, "to")->num2,
		.size = (uint16_t)arg_num(r, "size"),
	};

	return g;
}

static void
report_probe(struct run *r, const struct probe *p, uint64_t icmp)
{
	cmd_reply(r, "sent=%llu received=%llu corrupt=%llu duplicates=%llu",
	    (unsigned long long)p->sent, (unsigned long long)p->received,
	    (unsigned long long)p->corrupt, (unsigned long long)p->duplicates);
	cmd_reply(r, "rtt_min_us=%llu rtt_avg_us=%llu rtt_max_us=%llu",
	    (unsigned long long)p->rtt_min_us,
	    (unsigned long long)(p->received ? p->rtt_sum_us / p->received : 0),
	    (unsigned long long)p->rtt_max_us);
	cmd_reply(r, "icmp_errors=%llu", (unsigned long long)icmp);
	if (icmp)
		cmd_reply(r, "icmp_type=%u icmp_code=%u icmp_mtu=%u", last_icmp.type,
		    last_icmp.code, last_icmp.mtu);
	if (!p->sent)
		cmd_fail(r, "no session is up");
	else if (p->received != p->sent)
		cmd_fail(r, "%llu of %llu not answered",
		    (unsigned long long)(p->sent - p->received), (unsigned long long)p->sent);
}

static bool
probe(struct run *r, enum probe_kind kind)
{
	struct probe p = { .kind = kind };
	uint64_t icmp = totals.icmp_errors;

	if (!arg_sessions(r, &p.first, &p.last))
		return false;
	p.target = target_of(r);
	p.target.df = arg_num(r, "df");
	p.count = arg_num(r, "count");
	p.timeout_ms = arg_num(r, "timeout");
	p.rate = arg_num(r, "rate");
	probe_run(&p);
	report_probe(r, &p, totals.icmp_errors - icmp);
	return !r->why[0];
}

bool
cmd_ping(struct run *r)
{
	return probe(r, PROBE_PING);
}

bool
cmd_echo(struct run *r)
{
	return probe(r, PROBE_UDP);
}

static bool
blast_over(void *unused)
{
	(void)unused;
	return !blast_running();
}

static bool
parse_pps(struct run *r, uint32_t *pps)
{
	const char *s = arg_str(r, "pps");
	char *end;

	*pps = 0;
	if (!strcmp(s, "max"))
		return true;
	*pps = (uint32_t)strtoul(s, &end, 10);
	return *s && !*end && *pps ? true : cmd_fail(r, "pps=%s: a number or max wanted", s);
}

bool
cmd_blast(struct run *r)
{
	struct blast b = { .target = target_of(r), .packets = arg_num(r, "packets") };
	const struct blast *done;
	uint64_t us;

	if (blast_running())
		return cmd_fail(r, "one is running");
	if (!arg_sessions(r, &b.first, &b.last) || !parse_pps(r, &b.pps))
		return false;
	if (arg(r, "sessions")->given && b.first + arg_num(r, "sessions") - 1 < b.last)
		b.last = b.first + arg_num(r, "sessions") - 1;
	b.target.df = arg_num(r, "df");
	b.burst = arg_num(r, "burst");
	b.ms = arg(r, "ms")->given ? arg_num(r, "ms") : arg_num(r, "seconds") * 1000;
	blast_start(&b);
	if (arg_num(r, "background"))
		return true;
	net_until(blast_over, NULL, 0);
	done = blast_now();
	us = done->end_us - done->start_us;
	cmd_reply(r, "sent=%llu ms=%llu pps=%.0f", (unsigned long long)done->sent,
	    (unsigned long long)us / 1000, us ? (double)done->sent * 1e6 / (double)us : 0.0);
	return true;
}

bool
cmd_spoof(struct run *r)
{
	struct target g = target_of(r);
	struct pattern pat = { .kind = PATTERN_UP, .stream = g.from };
	uint32_t first, last, i, n;

	if (!arg_sessions(r, &first, &last))
		return false;
	for (i = first; i <= last; i++) {
		for (n = 0; n < arg_num(r, "count"); n++) {
			pat.seq = n;
			inner_send_udp(&sessions[i], &g, &pat);
		}
	}
	net_turn(0);
	cmd_reply(r, "sent=%u", (last - first + 1) * arg_num(r, "count"));
	return true;
}

static void
raw_once(struct run *r, struct tunnel *t, uint16_t sid)
{
	uint8_t packet[CTL_HEAD + CMD_HEX];

	put16(packet, 0xc802);
	put16(packet + 2, (uint16_t)(CTL_HEAD + r->hex_len));
	put16(packet + 4, t->peer_tid);
	put16(packet + 6, sid);
	put16(packet + 8, t->chan.ns);
	put16(packet + 10, t->chan.shown_nr);
	memcpy(packet + CTL_HEAD, r->hex, r->hex_len);
	tunnel_transmit(t, packet, CTL_HEAD + r->hex_len);
}

static bool
raw_control(struct run *r)
{
	bool once = !strcmp(arg_str(r, "mode"), "once");
	uint16_t sid = (uint16_t)arg_num(r, "sid");
	uint32_t first, last, n;
	struct msg *m;

	if (!arg_tunnels(r, &first, &last))
		return false;
	if (!once && strcmp(arg_str(r, "mode"), "reliable") != 0)
		return cmd_fail(r, "mode=%s: reliable or once wanted", arg_str(r, "mode"));
	if (tunnels[first].state == T_CLOSED)
		return cmd_fail(r, "tunnel %u is closed", first);
	for (n = 0; n < arg_num(r, "count"); n++) {
		if (once) {
			raw_once(r, &tunnels[first], sid);
			continue;
		}
		m = msg_new(0, 0, r->hex, r->hex_len);
		put16(m->data + 6, sid);
		chan_send(&tunnels[first].chan, m);
	}
	net_turn(0);
	return true;
}

bool
cmd_raw(struct run *r)
{
	uint32_t first, last, i, n;

	if (arg(r, "tunnel")->given)
		return raw_control(r);
	if (!arg(r, "session")->given)
		return cmd_fail(r, "raw: session= or tunnel= is missing");
	if (!arg_sessions(r, &first, &last))
		return false;
	for (i = first; i <= last; i++) {
		for (n = 0; n < arg_num(r, "count"); n++)
			ppp_send_raw(&sessions[i], r->hex, r->hex_len);
	}
	net_turn(0);
	return true;
}

bool
cmd_datagram(struct run *r)
{
	struct in_addr addr = lac_addr;
	uint32_t first, last, n;
	struct sock *k;

	if (arg(r, "local")->given)
		addr.s_addr = htonl(arg_num(r, "local"));
	if (arg(r, "tunnel")->given) {
		if (!arg_tunnels(r, &first, &last))
			return false;
		k = tunnels[first].sock;
	} else {
		k = net_sock(addr, 0, false);
	}
	if (!k)
		return cmd_fail(r, "socket: %s", strerror(errno));
	for (n = 0; n < arg_num(r, "count"); n++) {
		memcpy(tx_room(net_tx, k->fd, &lns, CMD_HEX), r->hex, r->hex_len);
		tx_commit(net_tx, r->hex_len, NULL, 0);
		if (n % 256 == 255)
			net_turn(0);
	}
	net_turn(0);
	return true;
}

bool
cmd_attach(struct run *r)
{
	uint32_t first, last;

	if (!arg_sessions(r, &first, &last))
		return false;
	if (arg_num(r, "detach")) {
		attach_detach(&sessions[first]);
		return true;
	}
	if (sessions[first].state != S_UP)
		return cmd_fail(r, "session %u is not up", first);
	if (!attach_session(&sessions[first], arg_str(r, "dev")))
		return cmd_fail(r, "%s: %s", arg_str(r, "dev"), strerror(errno));
	return true;
}
