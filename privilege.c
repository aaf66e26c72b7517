/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Capabilities (capabilities(7)), and the drop to the user of `setuid`. When it comes,
 * tables, sockets, the tun device, the log, the pid file and plugins are open. What
 * comes later happens with three capabilities and that user's rights to files: SIGHUP,
 * `write memory`, a rotated log, iptables.
 *
 * iptables and build-garden are programs of their own: they get the capabilities because
 * these are inheritable and ambient. no_new_privs does not take them away; it keeps a
 * set-uid program from being more than we are.
 *
 * MCL_ONFAULT locks what is touched and no more: the tables are mapped for 200,000
 * sessions. A locked mapping counts in full against RLIMIT_MEMLOCK all the same, so
 * CAP_IPC_LOCK is kept with lock_pages; programs do not get it.
 */
#include "privilege.h"
#include "config.h"
#include "handover.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

enum { PATH_SIZE = 4096, FIFO_PRIORITY = 1 };

static const struct {
	unsigned int number;
	const char *name;
} needed[] = {
	{ CAP_NET_ADMIN, "CAP_NET_ADMIN" },
	{ CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE" },
	{ CAP_NET_RAW, "CAP_NET_RAW" },
};

static struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
static bool keep_ipc_lock;

/* True when it cannot be found out: what fails will say so. */
static bool
has_capability(unsigned int number)
{
	struct __user_cap_data_struct data[2];

	return syscall(SYS_capget, &head, data) < 0 ||
	       data[number / 32].effective & 1U << number % 32;
}

const char *
privilege_missing(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(needed); i++)
		if (!has_capability(needed[i].number))
			return needed[i].name;
	return NULL;
}

/* ---- memory and scheduling ---- */

static void
lock_memory(void)
{
	struct rlimit limit = { .rlim_cur = RLIM_INFINITY };

	keep_ipc_lock = has_capability(CAP_IPC_LOCK);
	getrlimit(RLIMIT_MEMLOCK, &limit);
	/* a limit that is in force would make the next mappings fail */
	if (!keep_ipc_lock && limit.rlim_cur != RLIM_INFINITY)
		plog(LOG_ERROR,
		    "lock_pages needs CAP_IPC_LOCK or no RLIMIT_MEMLOCK: nothing is locked");
	else if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		plog(LOG_ERROR, "lock_pages: %s", strerror(errno));
}

static int
usable_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return (int)sysconf(_SC_NPROCESSORS_ONLN);
	return CPU_COUNT(&set);
}

/* On the only CPU nobody else, not even a shell to stop us with, would run beside a busy loop. */
static void
schedule_first(void)
{
	const struct sched_param param = { .sched_priority = FIFO_PRIORITY };

	if (usable_cpus() < 2)
		plog(LOG_ERROR, "scheduler_fifo is ignored: there is only one CPU");
	else if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param) < 0)
		plog(LOG_ERROR, "scheduler_fifo: %s", strerror(errno));
}

void
privilege_raise(void)
{
	if (conf->lock_pages)
		lock_memory();
	if (conf->scheduler_fifo)
		schedule_first();
}

/* ---- files ---- */

static void
give_file(const char *what, const char *path, uid_t uid)
{
	char why[512];

	if (path[0] == '/' && handover_file(path, uid, why, sizeof(why)) < 0)
		plog(LOG_ERROR, "setuid: %s %s is not given to uid %u: %s", what, path, uid, why);
}

static void
give_folder(const char *what, const char *path, uid_t uid, bool files)
{
	char why[512];

	if (path[0] && handover_folder(path, uid, files, why, sizeof(why)) < 0)
		plog(LOG_ERROR, "setuid: %s %s is not given to uid %u: %s", what, path, uid, why);
}

static void
give_files(uid_t uid)
{
	give_file("log_file", conf->log_file, uid);
	give_file("pid_file", conf->pid_file, uid);
	give_folder("accounting_dir", conf->accounting_dir, uid, false);
	give_folder("state_dir", conf->state_dir, uid, true);
}

static bool
may(const char *path, int mode)
{
	return faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0;
}

/* Whether names can be made and removed in the folder of a file. */
static bool
may_write_beside(const char *path)
{
	char folder[PATH_SIZE];
	const char *slash = strrchr(path, '/');
	int n = slash ? (int)(slash - path) : 0;

	snprintf(folder, sizeof(folder), "%.*s", n, path);
	return may(n ? folder : slash ? "/" : ".", W_OK | X_OK);
}

/* Files that SIGHUP reads again. */
static void
tell_of_unreadable(const char *path, uid_t uid)
{
	if (path[0] && !may(path, R_OK) && errno != ENOENT)
		plog(LOG_ERROR, "setuid: uid %u cannot read %s: SIGHUP will fail", uid, path);
}

static void
tell_of_unreadable_beside(const char *name, uid_t uid)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/%s", config_dir(), name);
	tell_of_unreadable(path, uid);
}

/* What will not work as this user, by a look at the real rights. */
static void
tell_of_limits(const char *config_file, uid_t uid)
{
	const struct {
		const char *path, *harm;
	} made[] = {
		{ config_file, "`write memory` will fail" },
		{ conf->log_file[0] == '/' ? conf->log_file : "",
		    "when it has been moved away, SIGHUP cannot make a new log_file" },
		{ conf->pid_file, "pid_file will be left empty at the end" },
		{ conf->cli_socket, "cli_socket will be left there at the end" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(made); i++)
		if (made[i].path[0] && !may_write_beside(made[i].path))
			plog(LOG_ERROR, "setuid: uid %u cannot write to the folder of %s: %s", uid,
			    made[i].path, made[i].harm);
	if (conf->accounting_dir[0] && !may(conf->accounting_dir, W_OK | X_OK))
		plog(LOG_ERROR, "setuid: uid %u cannot write to accounting_dir %s: no usage files",
		    uid, conf->accounting_dir);
	if (!may(conf->state_dir, W_OK | X_OK))
		plog(LOG_ERROR, "setuid: uid %u cannot write to state_dir %s: nothing is kept", uid,
		    conf->state_dir);
	tell_of_unreadable(config_file, uid);
	tell_of_unreadable_beside("users", uid);
	tell_of_unreadable_beside("ip_pool", uid);
	tell_of_unreadable_beside("build-garden", uid);
	tell_of_unreadable(conf->local_users, uid);
}

/* ---- the drop ---- */

static void
add_capability(struct __user_cap_data_struct data[2], unsigned int number, bool inheritable)
{
	uint32_t bit = 1U << number % 32;

	data[number / 32].permitted |= bit;
	data[number / 32].effective |= bit;
	if (inheritable)
		data[number / 32].inheritable |= bit;
}

static int
keep_capabilities(void)
{
	struct __user_cap_data_struct data[2] = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(needed); i++)
		add_capability(data, needed[i].number, true);
	if (keep_ipc_lock)
		add_capability(data, CAP_IPC_LOCK, false);
	if (syscall(SYS_capset, &head, data) < 0)
		return -1;
	for (i = 0; i < ARRAY_LEN(needed); i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, needed[i].number, 0, 0) < 0)
			return -1;
	return 0;
}

/* Real, effective and saved ids; the kernel forgets PR_SET_DUMPABLE at each change. */
static int
become(uid_t uid, gid_t gid)
{
	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0 ||
	    keep_capabilities() < 0 || prctl(PR_SET_KEEPCAPS, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_DUMPABLE, 0);
}

void
privilege_drop(const char *config_file)
{
	uid_t uid = conf->setuid;
	const struct passwd *pw;
	gid_t gid = uid;

	if (uid == 0)
		return;
	pw = getpwuid(uid);
	if (pw)
		gid = pw->pw_gid;
	give_files(uid);
	if (become(uid, gid) < 0)
		fatal("setuid: cannot become uid %u, gid %u: %s", uid, gid, strerror(errno));
	tell_of_limits(config_file, uid);
	plog(LOG_WARNING, "runs as uid %u, gid %u from here on", uid, gid);
}
