/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main(): options, the order in which modules begin and end, the one list of who
 * hears which event, signals. No logic of its own. Reading main() and `hooks` tells
 * how the daemon hangs together; Docs/internals.md says the same in words.
 */
#include "acct.h"
#include "acct_line.h"
#include "acct_queue.h"
#include "acct_spill.h"
#include "addr.h"
#include "change.h"
#include "clfwd.h"
#include "arp.h"
#include "bgp.h"
#include "bgp_route.h"
#include "cli.h"
#include "clcount.h"
#include "clfinal.h"
#include "cluster.h"
#include "command.h"
#include "config.h"
#include "control.h"
#include "counter.h"
#include "dae.h"
#include "ended.h"
#include "data.h"
#include "dgram.h"
#include "evict.h"
#include "filter.h"
#include "frame.h"
#include "hook.h"
#include "icmp.h"
#include "ippool.h"
#include "iptab.h"
#include "l2tp.h"
#include "l2tp_chan.h"
#include "local_users.h"
#include "log.h"
#include "log_target.h"
#include "login_queue.h"
#include "loop.h"
#include "note.h"
#include "pidfile.h"
#include "plugin_host.h"
#include "ppp.h"
#include "privilege.h"
#include "radius.h"
#include "reload.h"
#include "repl_state.h"
#include "role.h"
#include "rtnl.h"
#include "session.h"
#include "snoop.h"
#include "tbf.h"
#include "timer.h"
#include "tundev.h"
#include "tunnel.h"
#include "usage.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum {
	QUIT_SEC = 300,
	MAX_ADDRESSES = 32,
	PATH_SIZE = 4096,
	NOTE_CELLS_PER_SESSION = 6,
	ROUTES_PER_SESSION = 2,
	DRAIN_POLL_MS = 100,
	WITHDRAW_SEC = 5
};

static const char default_config[] = "/etc/l2tpns/startup-config";

/* --- who hears what, in this order --- */

typedef void (*session_hook)(sess_id s, enum sess_event ev);

static const struct hook_table hooks = {
	.session = (const session_hook[]){ usage_session, acct_session, addr_session,
	    login_queue_session, radius_session, frame_session, filter_session, tbf_session,
	    ppp_session, l2tp_session, plugin_session_event, clcount_session, NULL },
	.control = (void (*const[])(
	    const struct pkt *, const struct l2tp_hdr *, struct rd)){ l2tp_control, NULL },
	.frame = (void (*const[])(sess_id, struct rd)){ ppp_frame, NULL },
	.call_up = (void (*const[])(sess_id)){ ppp_call_up, NULL },
	.call_close = (void (*const[])(sess_id)){ l2tp_call_close, NULL },
	.close = (void (*const[])(sess_id, const struct sess_end *)){ ppp_close, NULL },
	.authenticate =
	    (bool (*const[])(sess_id, const struct auth_request *)){
		local_users_authenticate, login_queue_authenticate, NULL },
	.auth_cancel = (void (*const[])(sess_id)){ login_queue_cancel, NULL },
	.auth_result = (void (*const[])(sess_id, const struct auth_result *)){ login_queue_result,
	    auth_result, NULL },
	.tunnel_close = (void (*const[])(tunn_id)){ l2tp_tunnel_close, NULL },
	.pre_auth = (bool (*const[])(sess_id, struct login *)){ plugin_before_auth, NULL },
	.post_auth = (bool (*const[])(sess_id, enum auth_proto, bool)){ plugin_after_auth, NULL },
	.avpair = (void (*const[])(sess_id, const char *, const char *)){ plugin_avpair, NULL },
	.avpair_check = plugin_avpair_check,
	.avpair_reset = (void (*const[])(sess_id)){ plugin_avpair_reset, NULL },
	.account = (void (*const[])(sess_id, struct wr *)){ plugin_add_account, NULL },
	.role = (void (*const[])(bool)){ acct_queue_role, usage_role, plugin_role, NULL },
	.members = (const struct hook_member *const[]){ &frame_member, &usage_member, &acct_member,
	    &tbf_member, &l2tp_member, &plugin_member, &ppp_member, &clcount_member, NULL },
	.tunnel_member = &l2tp_tunnel_member,
};

/* --- where what a slave hands to the master comes in --- */

static uint64_t
sender(void)
{
	return cluster_sender()->incarnation;
}

static const struct clfwd_doors forward_doors = {
	.from_lacs = data_from_lacs,
	.to_subscribers = data_to_subscribers,
	.dae = dae_forwarded,
	.send = cluster_send,
	.acknowledges = cluster_master_acknowledges,
	.sender = sender,
};

/* --- options --- */

struct options {
	const char *config;
	const char *hostname; /* NULL: as configured */
	int verbose;
	bool detach, test;
};

static const char usage[] = "usage: l2tpns [-d] [-v]... [-c FILE] [-h HOSTNAME] [-t] [-V]\n"
			    "  -d           go into the background\n"
			    "  -v           log more; may be repeated\n"
			    "  -c FILE      configuration (/etc/l2tpns/startup-config)\n"
			    "  -h HOSTNAME  host name to use instead of the system's\n"
			    "  -t           check the configuration files and exit\n"
			    "  -V           print the version and exit\n";

static void
read_options(int argc, char **argv, struct options *o)
{
	int c;

	*o = (struct options){ .config = default_config };
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		exit(0);
	}
	while ((c = getopt(argc, argv, "dvc:h:tV")) != -1) {
		switch (c) {
		case 'd':
			o->detach = true;
			break;
		case 'v':
			o->verbose++;
			break;
		case 'c':
			o->config = optarg;
			break;
		case 'h':
			o->hostname = optarg;
			break;
		case 't':
			o->test = true;
			break;
		case 'V':
			printf("L2TPNS %s\n", L2TPNS_VERSION);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "l2tpns: unexpected argument '%s'\n%s", argv[optind], usage);
		exit(2);
	}
}

/* --- configuration files --- */

static void
report_line(const char *line)
{
	fprintf(stderr, "%s\n", line);
}

static void
log_line(const char *line)
{
	plog(LOG_ERROR, "%s", line);
}

static int
test_configuration(const char *file)
{
	int bad = abs(config_read(file, report_line));

	ippool_init(conf->max_sessions);
	bad += reload_stage(conf, report_line);
	return bad ? 1 : 0;
}

static int verbose; /* -v, on top of `debug` */

static void
apply_debug(void)
{
	log_set_level((int)conf->debug + verbose);
}

static void
apply_log_file(void)
{
	char why[512];

	if (log_target_open(conf->log_file, why, sizeof(why)) < 0)
		plog(LOG_ERROR, "log_file: %s; going on with the old one", why);
}

static void
apply_local_users(void)
{
	if (local_users_stage(conf->local_users, log_line) == 0)
		local_users_commit();
	else
		plog(LOG_ERROR, "local_users: the users known before stay");
}

static void
apply_mtu(void)
{
	char why[512];

	if (rtnl_link_mtu(config_mru(), why, sizeof(why)) < 0)
		plog(LOG_ERROR, "l2tp_mtu: %s", why);
}

static void
watch_settings(void)
{
	config_on_change("debug", apply_debug);
	config_on_change("log_file", apply_log_file);
	config_on_change("local_users", apply_local_users);
	config_on_change("l2tp_mtu", apply_mtu);
	config_on_change("hello_interval", l2tp_reconfigure);
	config_on_change("lac", l2tp_reconfigure);
}

static void
warn_of_settings(void)
{
	char later[1024];

	if (conf->primary_radius && !config_is_set(conf, "primary_radius_port"))
		plog(LOG_ERROR, "primary_radius_port is not set: using the default 1645 "
				"(l2tpns 2.4 used 1812)");
	if (conf->primary_radius && conf->radius_secret[0] == '\0')
		plog(LOG_ERROR, "radius_secret is empty: no login can be asked for");
	if (config_unserved(conf, later, sizeof(later)))
		plog(LOG_ERROR, "configured, but not served by this version: %s", later);
	if (conf->require_tunnel_auth && conf->l2tp_secret[0] == '\0')
		plog(LOG_ERROR, "require_tunnel_auth without l2tp_secret: every tunnel is refused");
}

/* --- start --- */

/* So that no socket of ours gets the number of stdout, and log lines with it. */
static void
fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

/*
 * The child goes on as the daemon; the parent waits for its word, so that `l2tpns -d`
 * fails when the daemon cannot start. Returns the descriptor to say it on.
 */
static int
detach(void)
{
	int fds[2];
	char word = 1;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		fatal("cannot go into the background: %s", strerror(errno));
	if (pid > 0) {
		close(fds[1]);
		_exit(read(fds[0], &word, 1) == 1 ? 0 : 1);
	}
	close(fds[0]);
	setsid();
	return fds[1];
}

static void
detached(int fd)
{
	int null = open("/dev/null", O_RDWR);

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		if (conf->log_file[0])
			dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		if (null > STDERR_FILENO)
			close(null);
	}
	if (write(fd, "", 1) != 1)
		plog(LOG_WARNING, "nobody waited for us to start");
	close(fd);
}

/* One process a state_dir: what is spilled there is one's own. The lock ends with the process. */
static void
lock_state_dir(void)
{
	char path[PATH_SIZE];
	int fd;

	snprintf(path, sizeof(path), "%s/lock", conf->state_dir);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return;
	if (fd >= 0 && errno == EWOULDBLOCK)
		fatal("state_dir %s is in use by another l2tpns", conf->state_dir);
	plog(LOG_ERROR, "state_dir %s: %s; nothing can be kept there", conf->state_dir,
	    strerror(errno));
}

static void
open_tables(void)
{
	counter_init();
	role_init();
	note_init(conf->max_sessions * NOTE_CELLS_PER_SESSION);
	change_init(conf->max_tunnels, conf->max_sessions);
	ended_init();
	tunnel_init(conf->max_tunnels);
	session_init(conf->max_sessions);
	ippool_init(conf->max_sessions);
	iptab_init(conf->max_sessions * ROUTES_PER_SESSION);
	rtnl_init(conf->max_sessions * ROUTES_PER_SESSION + 2 * IPPOOL_NETS);
	bgp_route_init(conf->max_sessions * ROUTES_PER_SESSION + 2 * IPPOOL_NETS);
	bgp_init();
	addr_init();
	usage_init();
	evict_init();
	filter_init();
	frame_init();
	tbf_init(conf->throttle_buckets, conf->max_sessions, data_release);
	data_init();
	l2tp_init();
	ppp_init();
	radius_init();
	login_queue_init(conf->max_tunnels);
	acct_init();
	repl_state_init();
	cluster_init();
	clfwd_init(&forward_doors);
	cluster_on_message(CL_FORWARD, clfwd_input);
	cluster_on_message(CL_FORWARD_ACK, clfwd_acked);
	command_init();
	plugin_start();
}

static void
open_ports(void)
{
	uint32_t addrs[MAX_ADDRESSES];
	unsigned int n = config_bind_addresses(addrs, MAX_ADDRESSES);
	char why[512];

	if (udp_init(addrs, n, L2TP_PORT, data_from_lacs, why, sizeof(why)) < 0 ||
	    rtnl_open(why, sizeof(why)) < 0 || icmp_init(why, sizeof(why)) < 0 ||
	    snoop_init(why, sizeof(why)) < 0 ||
	    tundev_init(conf->tundevicename, data_from_tun, why, sizeof(why)) < 0 ||
	    rtnl_link_up(tundev_ifindex(), config_mru(), why, sizeof(why)) < 0 ||
	    rtnl_addr_add(config_tun_address(), why, sizeof(why)) < 0 ||
	    cli_start(why, sizeof(why)) < 0 || control_start(why, sizeof(why)) < 0 ||
	    dae_start(addrs, n, why, sizeof(why)) < 0 || cluster_open(why, sizeof(why)) < 0)
		fatal("%s", why);
	rtnl_settle();
}

static void
start_plugins(void)
{
	char why[512];

	config_on_plugins(plugin_sync);
	plugin_sync(NULL, why, sizeof(why));
}

/* --- the role in the cluster --- */

static bool serving; /* said so */

static void
say_serving(void)
{
	serving = true;
	plog(LOG_WARNING, "l2tpns %s serves on %s port %u", L2TPNS_VERSION,
	    ip4_text(conf->bind_address), (unsigned)L2TP_PORT);
	sd_notifyf(0, "READY=1\nMAINPID=%d\nSTATUS=Serving L2TP on %s port %u", (int)getpid(),
	    ip4_text(conf->bind_address), (unsigned)L2TP_PORT);
}

/* A server that stands alone is the master of its cluster. */
static void
on_role(bool master)
{
	if (master && cluster_is_first())
		acct_begin();
	if (master)
		arp_announce();
	else
		arp_stop();
	if (!master)
		l2tp_chan_doubt(false); /* it begins anew with what the master says */
	if (!serving && (master || cluster_master_address()))
		say_serving();
}

/* The LAN may have sent to that one what is ours, too; and it may live and be a master. */
static void
on_gone(void)
{
	l2tp_chan_doubt(true);
	if (role_is_master())
		arp_announce();
}

/* --- signals and the clock --- */

static struct timer second_timer, watchdog_timer, quit_timer, drain_timer;
static uint64_t watchdog_usec;
static uint64_t quit_ms;     /* loop clock when we give up */
static uint64_t withdraw_ms; /* the same, of neighbours that do not take what we withdraw */

static void
on_second(uint32_t unused)
{
	(void)unused;
	counter_second();
	if (conf->dump_speed)
		log_record("UDP-ETH:%.1f/%.1f ETH-UDP:%.1f/%.1f Mbit/s IN:%u OUT:%u",
		    (double)counters->rate_udp_rx * 8e-6, (double)counters->rate_tun_tx * 8e-6,
		    (double)counters->rate_tun_rx * 8e-6, (double)counters->rate_udp_tx * 8e-6,
		    (unsigned)counters->rate_in_packets, (unsigned)counters->rate_out_packets);
	timer_set(&second_timer, SEC(1));
}

static void
on_watchdog(uint32_t unused)
{
	(void)unused;
	sd_notify(0, "WATCHDOG=1");
	timer_set(&watchdog_timer, watchdog_usec / 2000);
}

static void
on_quit_timer(uint32_t unused)
{
	(void)unused;
	if ((l2tp_stopped() && acct_finished()) || loop_now_ms() > quit_ms)
		loop_stop();
	else
		timer_set(&quit_timer, MS(100));
}

static bool handed_over; /* others go on with the sessions */

/* `withdrawn`: the neighbours know, and the drain has begun. */
static void
on_drain(uint32_t withdrawn)
{
	if (withdrawn || !bgp_has_neighbours()) {
		loop_stop();
	} else if (bgp_quiet() || loop_now_ms() > withdraw_ms) {
		timer_init(&drain_timer, on_drain, true);
		timer_set(&drain_timer, MS(100) * conf->shutdown_drain);
	} else {
		timer_set(&drain_timer, MS(DRAIN_POLL_MS));
	}
}

/* While routers turn to others, what they still send is forwarded. The second signal waits not. */
static void
drain(void)
{
	if (!bgp_has_neighbours()) {
		loop_stop();
		return;
	}
	bgp_serve(false);
	withdraw_ms = loop_now_ms() + SEC(WITHDRAW_SEC);
	timer_init(&drain_timer, on_drain, false);
	timer_set(&drain_timer, MS(TIMER_TICK_MS));
}

static void
on_left(bool others_go_on)
{
	handed_over = others_go_on;
	drain();
}

static void
on_terminate(int signo)
{
	plog(LOG_WARNING, "stopping at signal %d; tunnels stay as they are", signo);
	if (timer_running(&drain_timer)) {
		loop_stop();
		return;
	}
	if (!cluster_leave(on_left))
		drain();
}

static void
on_quit(int signo)
{
	if (timer_running(&quit_timer))
		return;
	if (!role_is_master()) {
		on_terminate(signo);
		return;
	}
	plog(LOG_WARNING, "stopping: closing %u tunnels with %u sessions%s",
	    (unsigned)tunnel_count(), (unsigned)session_count(),
	    cluster_peers_alive() ? ", which are those of the whole cluster" : "");
	sd_notifyf(0, "STATUS=Closing %u tunnels", (unsigned)tunnel_count());
	quit_ms = loop_now_ms() + SEC(QUIT_SEC);
	bgp_serve(false);
	l2tp_stop();
	timer_set(&quit_timer, MS(TIMER_TICK_MS));
}

static void
on_hangup(int signo)
{
	char why[512];

	(void)signo;
	if (log_target_reopen(why, sizeof(why)) < 0)
		plog(LOG_ERROR, "log_file: %s; going on with the old one", why);
	reload_all(NULL, NULL);
}

static void
on_child(int signo)
{
	pid_t pid;
	int status;

	(void)signo;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!cli_child_exit(pid, status) && !usage_child_exit(pid, status))
			command_exit(pid, status);
}

static void
start_clock(void)
{
	timer_init(&second_timer, on_second, 0);
	timer_init(&watchdog_timer, on_watchdog, 0);
	timer_init(&quit_timer, on_quit_timer, 0);
	timer_set(&second_timer, SEC(1));
	if (sd_watchdog_enabled(0, &watchdog_usec) > 0)
		timer_set(&watchdog_timer, MS(1));
	loop_on_signal(SIGTERM, on_terminate);
	loop_on_signal(SIGINT, on_terminate);
	loop_on_signal(SIGQUIT, on_quit);
	loop_on_signal(SIGHUP, on_hangup);
	loop_on_signal(SIGCHLD, on_child);
	signal(SIGPIPE, SIG_IGN);
	loop_at_turn_end(clfwd_turn_end); /* in front of what its packets make */
	loop_at_turn_end(l2tp_chan_flush);
	loop_at_turn_end(rtnl_flush); /* in front of the packets that tell of an address */
	loop_at_turn_end(bgp_turn_end);
	loop_at_turn_end(tundev_flush);
	loop_at_turn_end(cluster_flush);
	udp_before_flush(cluster_flush);
	dgram_before_send(cluster_flush);
	loop_at_turn_end(acct_line_turn_end);
	loop_at_turn_end(udp_flush);
	loop_at_turn_end(tbf_turn_end); /* what it has let go has left */
	loop_at_turn_end(snoop_flush);
	loop_at_turn_end(acct_spill_flush);
}

int
main(int argc, char **argv)
{
	struct options o;
	const char *missing;
	int word = -1;

	fill_standard_descriptors();
	read_options(argc, argv, &o);
	loop_clock();
	timer_run(loop_now_ms());
	config_init();
	if (o.hostname)
		config_force_hostname(o.hostname);
	if (o.test)
		return test_configuration(o.config);
	missing = privilege_missing();
	if (missing)
		fatal("%s is needed: run as root", missing);
	if (o.detach)
		word = detach();
	prctl(PR_SET_DUMPABLE, 0); /* secrets do not go into core files */
	config_read(o.config, report_line);
	verbose = o.verbose;
	apply_debug();
	apply_log_file();
	config_share();
	privilege_raise();
	lock_state_dir();
	open_tables();
	reload_stage(conf, log_line);
	reload_commit(); /* at start what is good serves */
	hook_init(&hooks);
	repl_state_init();
	open_ports();
	watch_settings();
	start_clock();
	start_plugins();
	bgp_start();
	cluster_on_routes(bgp_serve);
	cluster_announces_by(bgp_can_announce);
	pidfile_open();
	privilege_drop(o.config);
	pidfile_write();
	warn_of_settings();
	cluster_on_role(on_role);
	cluster_on_gone(on_gone);
	acct_on_stop(clfinal_begin);
	cluster_start();
	if (word >= 0)
		detached(word); /* the starter goes, now that systemd knows us */

	loop_run();

	sd_notify(0, "STOPPING=1");
	bgp_fini();
	if (!handed_over)
		acct_fini();
	cluster_fini();
	dae_stop();
	control_stop();
	cli_stop();
	plugin_fini();
	command_fini();
	usage_fini();
	radius_fini();
	udp_fini();
	tundev_fini(); /* takes its routes along */
	rtnl_fini();
	icmp_fini();
	snoop_fini();
	pidfile_remove();
	return 0;
}
