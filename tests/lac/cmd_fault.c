/* Commands that make the LAC a bad peer, or a watched one. */
#include <string.h>

#include "cmd.h"
#include "lac.h"
#include "net.h"
#include "tunnel.h"

enum { HELLO_MS = 45000 }; /* more than all repetitions take */

static bool
set_frozen(struct run *r, bool on)
{
	uint32_t i, first = 0, last = 0;

	if (arg(r, "session")->given) {
		if (!arg_sessions(r, &first, &last))
			return false;
		for (i = first; i <= last; i++)
			sessions[i].frozen = on;
		return true;
	}
	if (arg(r, "tunnel")->given && !arg_tunnels(r, &first, &last))
		return false;
	if (!arg(r, "tunnel")->given && tunnel_count)
		last = tunnel_count - 1;
	for (i = first; i <= last && tunnel_count; i++)
		tunnels[i].frozen = on;
	return true;
}

bool
cmd_freeze(struct run *r)
{
	return set_frozen(r, true);
}

bool
cmd_thaw(struct run *r)
{
	return set_frozen(r, false);
}

bool
cmd_silent(struct run *r)
{
	uint32_t i, first, last;

	if (!arg_sessions(r, &first, &last))
		return false;
	for (i = first; i <= last; i++)
		sessions[i].silent = arg_num(r, "on");
	return true;
}

bool
cmd_mute(struct run *r)
{
	uint32_t i, first, last;

	if (!arg_tunnels(r, &first, &last))
		return false;
	for (i = first; i <= last; i++)
		chan_mute(&tunnels[i].chan, arg_num(r, "on"));
	return true;
}

bool
cmd_trace(struct run *r)
{
	uint32_t i, first, last;

	if (arg(r, "session")->given) {
		if (!arg_sessions(r, &first, &last))
			return false;
		for (i = first; i <= last; i++)
			sessions[i].trace = arg_num(r, "on");
		return true;
	}
	if (!arg(r, "tunnel")->given)
		return cmd_fail(r, "trace: session= or tunnel= is missing");
	if (!arg_tunnels(r, &first, &last))
		return false;
	for (i = first; i <= last; i++)
		tunnels[i].trace = arg_num(r, "on");
	return true;
}

bool
cmd_loss(struct run *r)
{
	net_loss_tx = arg_num(r, "tx");
	net_loss_rx = arg_num(r, "rx");
	net_twice = arg_num(r, "twice");
	return true;
}

bool
cmd_lazy(struct run *r)
{
	net_lazy_us = arg_num(r, "us");
	return true;
}

static bool
queue_empty(void *arg_)
{
	const struct tunnel *t = arg_;

	return !t->chan.queued || t->state == T_CLOSED;
}

/* As long as the channel goes on: a peer that takes over may need some of its repetitions. */
bool
cmd_hello(struct run *r)
{
	uint32_t i, first, last;

	if (!arg_tunnels(r, &first, &last))
		return false;
	for (i = first; i <= last; i++)
		tunnel_hello(&tunnels[i]);
	for (i = first; i <= last; i++) {
		if (!net_until(queue_empty, &tunnels[i], HELLO_MS) || tunnels[i].state == T_CLOSED)
			return cmd_fail(r, "tunnel %u: no answer", i);
	}
	return true;
}

bool
cmd_events(struct run *r)
{
	events_on = arg_num(r, "on");
	return true;
}

static bool
never(void *unused)
{
	(void)unused;
	return false;
}

bool
cmd_sleep(struct run *r)
{
	if (arg_num(r, "ms"))
		net_until(never, NULL, arg_num(r, "ms"));
	return true;
}

static bool
all_stopped(void *unused)
{
	uint32_t i;

	(void)unused;
	for (i = 0; i < tunnel_count; i++) {
		if (tunnels[i].state == T_STOPPING && !tunnels[i].frozen)
			return false;
	}
	return true;
}

void
stop_all_tunnels(void)
{
	uint32_t i;

	for (i = 0; i < tunnel_count; i++) {
		if (tunnels[i].state != T_FREE)
			tunnel_stop(&tunnels[i], 6, 0, "quit");
	}
	net_until(all_stopped, NULL, 3000);
}

bool
cmd_do_quit(struct run *r)
{
	const char *how = arg_str(r, "how");

	if (!strcmp(how, "stop"))
		stop_all_tunnels();
	else if (strcmp(how, "vanish") != 0)
		return cmd_fail(r, "how=%s: stop or vanish wanted", how);
	cmd_quit = true;
	return true;
}
