/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server of nsctl (SPEC 11): takes commands from its socket, carries out the built-in
 * ones, hands the others to the plugins, and answers from the address that was asked.
 *
 * Who may command: this machine, over the loopback interface; anybody else by the secret
 * (nsctl_secret), after a challenge. What is malformed, foreign or wrongly signed gets no
 * answer: it is counted, and told in the log at a limited rate. On a slave of a cluster the
 * plugins' commands are refused with the master's address, the built-in ones are not. A command
 * that comes again gets its answer again and is not carried out again (ctlguard.c), but for `help`,
 * which changes nothing.
 *
 * Owns the socket. Called by the loop; started by l2tpns.c.
 */
#include "control.h"
#include "config.h"
#include "counter.h"
#include "ctlguard.h"
#include "ctlmsg.h"
#include "dgram.h"
#include "log.h"
#include "loop.h"
#include "plugin_host.h"
#include "role.h"
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	TURN_PACKETS = 32, /* at most this many in one turn */
	LOOPBACK_IFINDEX = 1,
};

static int sock = -1;

/* --- sending --- */

static void
send_message(const struct dgram_peer *c, const struct ctlmsg *m)
{
	uint8_t packet[CTLMSG_MAX_PACKET];
	size_t len = ctlmsg_encode(m, conf->nsctl_secret, packet, sizeof(packet));

	if (len > 0 && dgram_send(c, packet, len) < 0)
		plog_limit(LOG_WARNING, "nsctl %s: cannot answer: %s", c->who, strerror(errno));
}

static void
send_reply(const struct dgram_peer *c, const struct ctlmsg *command, enum ctlmsg_status status,
    const char *text)
{
	struct ctlmsg m = {
		.type = CTLMSG_REPLY,
		.is_signed = command->is_signed,
		.id = command->id,
		.status = status,
	};
	size_t len = strlen(text);
	unsigned int part;

	memcpy(m.nonce, command->nonce, sizeof(m.nonce));
	for (part = 0; part < ctlmsg_parts(len); part++) {
		ctlmsg_set_part(&m, text, len, part);
		send_message(c, &m);
	}
}

/* --- help --- */

struct lines {
	char text[CTLMSG_MAX_TEXT + 1];
	size_t len;
};

/* One line, "command arguments   what it does"; what does not fit any more is left out. */
static void
add_line(void *arg, const char *command, const char *what)
{
	struct lines *l = arg;
	size_t room = sizeof(l->text) - l->len;
	int n = snprintf(l->text + l->len, room, "%-42s %s\n", command, what);

	if (n > 0 && (size_t)n < room)
		l->len += (size_t)n;
	l->text[l->len] = '\0';
}

static void
send_help(const struct dgram_peer *c, const struct ctlmsg *command)
{
	static struct lines l;

	l.len = 0;
	add_line(&l, "help", "list the commands");
	add_line(&l, "load_plugin NAME", "load a plugin");
	add_line(&l, "unload_plugin NAME", "unload a plugin");
	plugin_help(add_line, &l);
	send_reply(c, command, CTLMSG_OK, l.text);
}

/* --- commands --- */

static enum ctlmsg_status
plugins_command(int argc, char **argv, char *text, size_t size)
{
	switch (plugin_control(argc, argv, text, size)) {
	case PLUGIN_DONE:
		return CTLMSG_OK;
	case PLUGIN_REFUSED:
		if (text[0] == '\0')
			snprintf(text, size, "%s: refused", argv[0]);
		break;
	case PLUGIN_UNKNOWN:
		snprintf(text, size, "unknown command %s", argv[0]);
		break;
	case PLUGIN_NOT_MASTER:
		role_refusal(text, size);
		break;
	}
	return CTLMSG_REFUSED;
}

static enum ctlmsg_status
carry_out(int argc, char **argv, char *text, size_t size)
{
	bool load = strcmp(argv[0], "load_plugin") == 0;

	if (!load && strcmp(argv[0], "unload_plugin") != 0)
		return plugins_command(argc, argv, text, size);
	if (argc != 2) {
		snprintf(text, size, "usage: %s NAME", argv[0]);
		return CTLMSG_REFUSED;
	}
	if ((load ? plugin_load : plugin_unload)(argv[1], text, size) < 0)
		return CTLMSG_REFUSED;
	text[0] = '\0';
	return CTLMSG_OK;
}

static void
log_command(const struct dgram_peer *c, const struct ctlmsg *m, const struct ctlguard_answer *a)
{
	char words[256] = "";
	size_t len = 0;
	int i;

	for (i = 0; i < m->argc && len < sizeof(words); i++)
		len += (size_t)snprintf(
		    words + len, sizeof(words) - len, "%s%s", i ? " " : "", m->argv[i]);
	plog(
	    LOG_INFO, "nsctl %s: %s: %s", c->who, words, a->status == CTLMSG_OK ? "done" : a->text);
}

static int
command(const struct dgram_peer *c, struct ctlmsg *m)
{
	const struct ctlguard_id id = { .ip = c->ip, .port = c->port, .id = m->id };
	bool is_help = strcmp(m->argv[0], "help") == 0;
	const struct ctlguard_answer *given = is_help ? NULL : ctlguard_find(&id);
	struct ctlguard_answer *a;

	if (given) {
		COUNT(nsctl_repeated);
		send_reply(c, m, given->status, given->text);
		return 0;
	}
	if (!ctlguard_allow(loop_now_ms()))
		return DROP(nsctl_busy, "%s", c->who);
	COUNT(nsctl_commands);
	if (is_help) {
		send_help(c, m);
		return 0;
	}
	a = ctlguard_new(&id);
	a->status = carry_out(m->argc, m->argv, a->text, sizeof(a->text));
	log_command(c, m, a);
	send_reply(c, m, a->status, a->text);
	return 0;
}

/* --- who may --- */

static int
challenge(const struct dgram_peer *c, const struct ctlmsg *hello)
{
	const struct ctlguard_id id = { .ip = c->ip, .port = c->port, .id = hello->id };
	struct ctlmsg m = { .type = CTLMSG_CHALLENGE, .id = hello->id };

	ctlguard_nonce(&id, loop_now_ms(), m.nonce);
	send_message(c, &m);
	return 0;
}

static int
refuse(const struct dgram_peer *c, const char *why)
{
	plog_limit(LOG_WARNING, "nsctl %s: refused: %s", c->who, why);
	return -1;
}

static int
check_signature(const struct dgram_peer *c, const struct ctlmsg *m, const void *packet, size_t len)
{
	const struct ctlguard_id id = { .ip = c->ip, .port = c->port, .id = m->id };

	if (!ctlguard_nonce_ok(&id, loop_now_ms(), m->nonce)) {
		COUNT(nsctl_bad_nonce);
		return refuse(c, "its nonce is too old or another's");
	}
	if (!ctlmsg_verify(packet, len, conf->nsctl_secret)) {
		COUNT(nsctl_bad_secret);
		return refuse(c, "it was signed with another secret");
	}
	return 0;
}

/* A process of this machine: nobody else comes in by the loopback interface. */
static bool
is_local(const struct dgram_peer *c)
{
	return c->ifindex == LOOPBACK_IFINDEX && ntohl(c->ip) >> 24 == IN_LOOPBACKNET;
}

static int
input(const struct dgram_peer *c, const void *packet, size_t len)
{
	bool has_secret = conf->nsctl_secret[0] != '\0';
	struct ctlmsg m;

	if (!is_local(c) && !has_secret) {
		COUNT(nsctl_foreign);
		return refuse(c, "it is beyond loopback, and nsctl_secret is not set");
	}
	if (!ctlmsg_decode(packet, len, &m))
		return DROP(nsctl_malformed, "%s, %zu octets", c->who, len);
	if (m.type == CTLMSG_HELLO && has_secret)
		return challenge(c, &m);
	if (m.type != CTLMSG_COMMAND)
		return DROP(nsctl_malformed, "%s, type %u", c->who, (unsigned)m.type);
	if (!m.is_signed && !is_local(c)) {
		COUNT(nsctl_foreign);
		return refuse(c, "it is beyond loopback, and its command is not signed");
	}
	if (m.is_signed && check_signature(c, &m, packet, len) < 0)
		return -1;
	return command(c, &m);
}

/* --- the socket --- */

/* One packet; false when there is none. */
static bool
receive(int fd)
{
	uint8_t packet[CTLMSG_MAX_PACKET + 1]; /* one that is longer cannot be a message */
	struct dgram_peer from;
	ssize_t n = dgram_receive(fd, packet, sizeof(packet), &from);

	if (n < 0)
		return false;
	(void)input(&from, packet, (size_t)n);
	return true;
}

static void
on_readable(int fd, void *arg)
{
	unsigned int i;

	(void)arg;
	for (i = 0; i < TURN_PACKETS && receive(fd); i++)
		;
}

int
control_start(char *why, size_t why_size)
{
	ctlguard_init();
	sock = dgram_open(conf->nsctl_bind_address, CTLMSG_PORT, 0, on_readable);
	if (sock >= 0)
		return 0;
	snprintf(why, why_size, "nsctl: cannot listen on %s port %u: %s",
	    ip4_text(conf->nsctl_bind_address), (unsigned)CTLMSG_PORT, strerror(errno));
	return -1;
}

void
control_stop(void)
{
	dgram_close(sock);
	sock = -1;
}
