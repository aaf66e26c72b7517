/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plugin: the walled garden. Who is refused by RADIUS is let in with the garden flag;
 * what he sends goes through the NAT chain `garden`, where the operator's build-garden
 * puts rules that lead him to a page telling why.
 *
 *	PREROUTING	-j garden_users
 *	garden_users	-s ADDRESS -j garden	for each gardened session
 *	garden		by build-garden
 *
 * In by a refused login, by `nsctl garden USER|SID` or Cisco-AVPair garden=yes; out by
 * `nsctl ungarden SID [USER]`, Cisco-AVPair garden=no, or the session's end. A CoA that
 * says nothing of the garden changes nothing: it must not open the door.
 *
 * The chains are made in one transaction of iptables-restore, which also empties those
 * a crashed daemon has left behind. Addresses are put in and taken out in batches: while
 * iptables works on one, the next one grows, so that a rush of sessions costs a handful
 * of processes. When iptables fails, all is made anew a while later, from the list of
 * addresses, which is kept whatever iptables does: there is no walk over all sessions
 * but when we begin, as a master. That list goes in batches too, behind what has changed: who is in
 * the part that is yet to come needs no change of his own.
 */
#include "plugin.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 4096, RULE_SIZE = 64, FIRST_RETRY_SEC = 5, LAST_RETRY_SEC = 300 };

int plugin_api_version = PLUGIN_API_VERSION;

static const struct pluginfuncs *f;

/* Where we are with iptables. */
static enum {
	DOWN,	 /* not the master: no chains */
	WORKING, /* iptables is at it */
	READY,
	BROKEN, /* it failed: tried again when retry_in has passed */
} state;
static unsigned int retry_in, retry_after; /* s */
static int chains_failed;

/* Address of each session that is to be in the chain, by session id; 0: not in. Network order. */
static uint32_t *listed;
static uint32_t listed_room;
static uint32_t listed_told; /* of those below it iptables has heard, or will by the changes */

/* What iptables is yet to be told, in order. */
static struct change {
	uint32_t ip;
	int in;
} * changes;
static size_t n_changes, changes_room;

/* ---- texts for iptables-restore ---- */

struct text {
	char *p;
	size_t len, room; /* room 0: no memory */
};

static struct text
text_new(size_t room)
{
	struct text t = { malloc(room), 0, room };

	if (!t.p)
		t.room = 0;
	return t;
}

static void
text_add(struct text *t, const char *line)
{
	size_t n = strlen(line);

	if (t->len + n > t->room)
		return;
	memcpy(t->p + t->len, line, n);
	t->len += n;
}

static void
text_add_rule(struct text *t, int in, uint32_t ip)
{
	char address[INET_ADDRSTRLEN], rule[RULE_SIZE];

	inet_ntop(AF_INET, &ip, address, sizeof(address));
	snprintf(rule, sizeof(rule), "-%c garden_users -s %s -j garden\n", in ? 'A' : 'D', address);
	text_add(t, rule);
}

/* Ends the text and hands it over. */
static int
restore(struct text *t, plugin_command_done done)
{
	char *const argv[] = { "iptables-restore", "-w", "--noflush", NULL };
	int result = -1;

	text_add(t, "COMMIT\n");
	if (t->room)
		result = f->run_with_input(argv, t->p, t->len, done, NULL);
	free(t->p);
	return result;
}

/* ---- the list ---- */

static uint32_t *
place(plugin_session s)
{
	uint32_t id = f->session_id(s), room = id + id / 2 + 64, *more;

	if (id < listed_room)
		return &listed[id];
	more = realloc(listed, room * sizeof(*listed));
	if (!more)
		return NULL;
	memset(more + listed_room, 0, (room - listed_room) * sizeof(*listed));
	listed = more;
	listed_room = room;
	return &listed[id];
}

static void on_done(void *arg, int status);

static void
broken(void)
{
	state = BROKEN;
	retry_after = retry_after * 2 < FIRST_RETRY_SEC	 ? FIRST_RETRY_SEC
		      : retry_after * 2 > LAST_RETRY_SEC ? LAST_RETRY_SEC
							 : retry_after * 2;
	retry_in = retry_after;
	f->log(PLUGIN_LOG_ERROR, NULL, "iptables has failed; all is made anew in %u seconds",
	    retry_in);
}

/* The changes there are, up to a batch; their number. */
static size_t
add_changes(struct text *t)
{
	size_t i, n = n_changes < BATCH ? n_changes : BATCH;

	if (n == 0)
		return 0; /* there may be no array yet */
	for (i = 0; i < n; i++)
		text_add_rule(t, changes[i].in, changes[i].ip);
	n_changes -= n;
	memmove(changes, changes + n, n_changes * sizeof(*changes));
	return n;
}

/* Goes on in the list, to a batch of `n` in all. */
static size_t
add_listed(struct text *t, size_t n)
{
	for (; n < BATCH && listed_told < listed_room; listed_told++) {
		if (!listed[listed_told])
			continue;
		text_add_rule(t, 1, listed[listed_told]);
		n++;
	}
	return n;
}

/* Tells iptables what there is, if it has time. */
static void
flush(void)
{
	struct text t;

	if (state != READY || (n_changes == 0 && listed_told == listed_room))
		return;
	t = text_new(RULE_SIZE * (BATCH + 1));
	text_add(&t, "*nat\n");
	if (add_listed(&t, add_changes(&t)) == 0) {
		free(t.p);
		return;
	}
	state = WORKING;
	if (restore(&t, on_done) < 0)
		broken();
}

static void
on_chains(void *arg, int status)
{
	(void)arg;
	chains_failed = status;
}

static void
on_done(void *arg, int status)
{
	(void)arg;
	if (state == DOWN)
		return;
	if (status || chains_failed) {
		broken();
		return;
	}
	state = READY;
	flush();
	if (state == READY)
		retry_after = 0;
}

static void
add_change(uint32_t ip, int in)
{
	struct change *more;

	if (n_changes == changes_room) {
		more = realloc(changes, (changes_room * 2 + 64) * sizeof(*changes));
		if (!more) {
			broken();
			return;
		}
		changes = more;
		changes_room = changes_room * 2 + 64;
	}
	changes[n_changes].ip = ip;
	changes[n_changes++].in = in;
}

static void
change(plugin_session s, uint32_t ip, int in)
{
	if (state == DOWN || state == BROKEN)
		return; /* the chains will be made from the list */
	if (f->session_id(s) < listed_told)
		add_change(ip, in);
	flush();
}

static void
take_out(plugin_session s)
{
	uint32_t *at = place(s), ip = at ? *at : 0;

	if (!ip)
		return;
	*at = 0;
	change(s, ip, 0);
}

static void
put_in(plugin_session s)
{
	uint32_t *at = place(s), ip = f->session_ip(s);

	if (!at || !ip || *at == ip)
		return;
	take_out(s);
	*at = ip;
	change(s, ip, 1);
}

/* Who is in the garden already. */
static void
list_sessions(void)
{
	plugin_session s;

	for (s = f->next_session(NULL); s; s = f->next_session(s))
		if (f->in_garden(s))
			put_in(s);
}

/* ---- the chains ---- */

/* Both chains empty, whatever was in them. The addresses come when all else is there. */
static int
make_chains(void)
{
	struct text t = text_new(RULE_SIZE * 4);

	n_changes = 0;
	listed_told = 0;
	text_add(&t, "*nat\n:garden - [0:0]\n:garden_users - [0:0]\n");
	return restore(&t, on_chains);
}

/* The operator's rules. What goes wrong in them is his: it is logged, and we go on. */
static int
source_rules(void)
{
	char path[4096];
	char *const argv[] = { "sh", "-c", ". \"$1\"", "build-garden", path, NULL };

	snprintf(path, sizeof(path), "%s", f->config_file("build-garden"));
	if (access(path, F_OK) < 0) {
		f->log(PLUGIN_LOG_WARNING, NULL, "there is no %s: the garden has no walls", path);
		return 0;
	}
	return f->run_command(argv, NULL, NULL);
}

/* The jump, unless one is there. */
static int
make_jump(void)
{
	static const char command[] =
	    "iptables -w -t nat -C PREROUTING -j garden_users 2>/dev/null || "
	    "iptables -w -t nat -A PREROUTING -j garden_users";
	char text[sizeof(command)];
	char *const argv[] = { "sh", "-c", text, NULL };

	memcpy(text, command, sizeof(text));
	return f->run_command(argv, on_done, NULL);
}

static void
build(void)
{
	state = WORKING;
	if (make_chains() < 0 || source_rules() < 0 || make_jump() < 0)
		broken();
}

static void
tear_down(void)
{
	struct text t = text_new(4096);

	text_add(&t, "*nat\n-D PREROUTING -j garden_users\n-F garden_users\n-F garden\n"
		     "-X garden_users\n-X garden\n");
	restore(&t, NULL);
	state = DOWN;
}

static void
forget_list(void)
{
	if (listed) /* there may be no array yet */
		memset(listed, 0, listed_room * sizeof(*listed));
}

/* Master no more: what these subscribers send goes to another member, and their addresses may
 * become those of others, whose packets pass here. */
static void
step_down(void)
{
	if (state != DOWN)
		tear_down();
	forget_list();
}

/* Who has no address yet is put in when he has one, by new_session. That event comes once: one who
 * negotiates PPP anew is not up, but has his address, and needs his rule now. */
static void
set(plugin_session s, int on)
{
	f->set_garden(s, on);
	if (on)
		put_in(s);
	else
		take_out(s);
}

/* ---- events ---- */

int
plugin_init(const struct pluginfuncs *funcs)
{
	f = funcs;
	list_sessions();
	if (f->is_master())
		build();
	return 1;
}

void
plugin_done(void)
{
	if (state != DOWN)
		tear_down();
	free(listed);
	free(changes);
}

int
plugin_become_master(struct param_become_master *p)
{
	(void)p;
	forget_list(); /* each session is told of now */
	build();
	return PLUGIN_RET_OK;
}

int
plugin_timer(struct param_timer *p)
{
	(void)p;
	if (state != DOWN && !f->is_master())
		step_down();
	else if (state == BROKEN && --retry_in == 0)
		build();
	return PLUGIN_RET_OK;
}

int
plugin_post_auth(struct param_post_auth *p)
{
	if (p->auth_allowed || p->protocol == PLUGIN_MSCHAPV2)
		return PLUGIN_RET_OK;
	f->log(PLUGIN_LOG_INFO, p->s, "%s is refused: into the garden", p->username);
	set(p->s, 1);
	p->auth_allowed = 1;
	return PLUGIN_RET_OK;
}

int
plugin_new_session(struct param_new_session *p)
{
	if (f->in_garden(p->s))
		put_in(p->s);
	return PLUGIN_RET_OK;
}

int
plugin_new_session_master(struct param_new_session_master *p)
{
	if (f->in_garden(p->s))
		put_in(p->s);
	return PLUGIN_RET_OK;
}

int
plugin_kill_session(struct param_kill_session *p)
{
	take_out(p->s);
	return PLUGIN_RET_OK;
}

int
plugin_radius_response(struct param_radius_response *p)
{
	if (strcmp(p->key, "garden") != 0)
		return PLUGIN_RET_OK;
	if (strcmp(p->value, "yes") == 0 || strcmp(p->value, "no") == 0)
		set(p->s, p->value[0] == 'y');
	else
		f->log(PLUGIN_LOG_WARNING, p->s, "garden=%s is not yes or no", p->value);
	return PLUGIN_RET_OK;
}

int
plugin_radius_check(struct param_radius_check *p)
{
	if (strcmp(p->key, "garden") != 0)
		return PLUGIN_RET_OK;
	if (strcmp(p->value, "yes") == 0 || strcmp(p->value, "no") == 0)
		return PLUGIN_RET_STOP;
	f->log(PLUGIN_LOG_WARNING, p->s, "garden=%s is not yes or no", p->value);
	return PLUGIN_RET_ERROR;
}

/* ---- nsctl ---- */

/* What is wrong with it, or NULL when it is done. */
static const char *
garden_command(int argc, char **argv)
{
	plugin_session s = argc == 2 ? f->find_session(argv[1]) : NULL;

	if (argc != 2)
		return "usage: garden USER|SID";
	if (!s)
		return "no such session";
	if (f->in_garden(s))
		return "he is in the garden already";
	set(s, 1);
	return NULL;
}

static const char *
ungarden_command(int argc, char **argv)
{
	plugin_session s = argc == 2 || argc == 3 ? f->find_session(argv[1]) : NULL;

	if (argc != 2 && argc != 3)
		return "usage: ungarden SID [USER]";
	if (!s)
		return "no such session";
	if (!f->in_garden(s))
		return "he is not in the garden";
	if (argc == 3 && f->set_user(s, argv[2]) < 0)
		return "accounting has begun: he keeps his name";
	set(s, 0);
	return NULL;
}

int
plugin_control(struct param_control *p)
{
	int garden = strcmp(p->argv[0], "garden") == 0;

	if (strcmp(p->argv[0], "help") == 0) {
		f->control_help("garden USER|SID", "put a session into the walled garden");
		f->control_help(
		    "ungarden SID [USER]", "release a session, which goes on under the name USER");
	}
	if (!garden && strcmp(p->argv[0], "ungarden") != 0)
		return PLUGIN_RET_OK;
	if (!p->iam_master)
		return PLUGIN_RET_NOTMASTER;
	p->additional =
	    garden ? garden_command(p->argc, p->argv) : ungarden_command(p->argc, p->argv);
	p->response = p->additional == NULL;
	return PLUGIN_RET_STOP;
}
