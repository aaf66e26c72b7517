"""`setuid`: what it keeps and gives up, and that everything goes on under another user; lock_pages, scheduler_fifo."""

import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import tempfile

import pytest

import pylac
from lns import Lns, binary
from netns import wait_for
from test_nsctl import nsctl
from test_plugins import KINDS, PAGE, WebServer, fetch, Garden

USERS = {"joe": "secret", "ann": "secret"}
UID = 23456  # nobody's; so its group has the same number
CAPS = 1 << 12 | 1 << 13 | 1 << 10  # NET_ADMIN, NET_RAW, NET_BIND_SERVICE


@pytest.fixture
def folder():
    """A folder that any user can reach, unlike pytest's."""
    path = tempfile.mkdtemp(prefix="l2tpns-test-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


def daemon(plant, folder, settings=None, **kwargs):
    """One under UID; its users file serves as the sign that it can read its files."""
    chosen = {"setuid": UID, "debug": 4, "log_file": os.path.join(folder, "log.d", "l2tpns"), **(settings or {})}
    os.makedirs(os.path.join(folder, "log.d"), exist_ok=True)
    os.chown(os.path.join(folder, "log.d"), UID, UID)
    kwargs.setdefault("local_users", USERS)
    return plant.keep(Lns(plant.network, folder, chosen, **kwargs))


def log(lns):
    return lns.read("log.d/l2tpns")


def status(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def policy(pid):
    """Scheduling policy of a process: 0 SCHED_OTHER, 1 SCHED_FIFO."""
    return os.sched_getscheduler(pid) & ~os.SCHED_RESET_ON_FORK


# ---------------------------------------------------------------------------- the drop

@pytest.mark.san
def test_what_is_kept(plant, folder):
    """Ids, groups, capability sets, no_new_privs; not dumpable; the same of a helper."""
    lns = daemon(plant, folder, start=False, extra=['load plugin "garden"'])
    lns.write("build-garden", "cat /proc/self/status >%s/state/helper\n" % folder)
    lns.start()
    assert "runs as uid %d, gid %d" % (UID, UID) in log(lns)
    now = status(lns.process.pid)
    assert now["Uid"].split() == now["Gid"].split() == [str(UID)] * 4
    assert now["Groups"].split() == []
    assert [int(now[name], 16) for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")] == [CAPS] * 4
    assert now["NoNewPrivs"] == "1"
    assert os.stat("/proc/%d/environ" % lns.process.pid).st_uid == 0  # proc(5): it may not be dumped
    wait_for(lambda: os.path.exists(folder + "/state/helper") and "CapAmb" in lns.read("state/helper"), "the helper")
    helper = dict(line.split(":\t", 1) for line in lns.read("state/helper").splitlines() if ":\t" in line)
    assert helper["Uid"].split() == [str(UID)] * 4
    assert [int(helper[name], 16) for name in ("CapPrm", "CapEff", "CapAmb")] == [CAPS] * 3
    lns.stop()


def test_group_of_the_user(plant, folder):
    """A user of /etc/passwd gets the group that stands there."""
    lns = daemon(plant, folder, {"setuid": 1})  # daemon, in each Debian
    uid, gid = [int(n) for n in subprocess.check_output(["sh", "-c", "id -u daemon; id -g daemon"]).split()]
    now = status(lns.process.pid)
    assert (now["Uid"].split()[0], now["Gid"].split()[0]) == (str(uid), str(gid))
    lns.stop()


@pytest.mark.san
def test_service_goes_on(plant, folder):
    """Subscribers, telnet on port 23, the socket, nsctl, another MTU: all works as that user."""
    lns = daemon(plant, folder, {"nsctl_bind_address": "127.0.0.1"}, extra=['load plugin "sessionctl"'])
    joe = pylac.subscriber(plant.network)
    joe.ping(plant.network.CORE)
    assert lns.session("joe")["IP"] == joe.address
    telnet = lns.open_cli()
    assert any("joe" in line for line in telnet.run("show session"))
    telnet.close()
    assert not "".join(lns.set("set l2tp_mtu 1400")).strip()
    wait_for(lambda: "mtu 1362" in plant.network.lns.run("ip", "link", "show", "tun0"), "the MTU of the tun device")
    lns.write("users", "admin:pw\n")  # with a users file the CLI listens on all addresses: port 23 is bound anew
    lns.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "0.0.0.0:23" in plant.network.lns.run("ss", "-ltn"), "the CLI on all addresses")
    assert nsctl(plant.network.lns, "drop", "joe")[0] == 0
    lns.wait_gone("joe")
    lns.set('load plugin "stripdomain"')
    assert "stripdomain" in "\n".join(lns.run("show plugins"))
    lns.stop()
    assert "error" not in "\n".join(line for line in log(lns).splitlines() if "setuid:" not in line
                                    and "not served by this version" not in line), log(lns)


@pytest.mark.parametrize("kind", KINDS)
def test_garden_works(plant, folder, kind):
    """iptables of either kind runs with the ambient capabilities; legacy locks a file in state_dir."""
    plant.keep(WebServer(plant.network.core, plant.network.CORE, 8080))
    site = Garden(plant, pathlib.Path(folder), kind, {"setuid": UID}, folder=folder)
    site.built()
    jim = site.up("jim")
    site.wait_inside(jim.address)
    assert PAGE in fetch(jim, plant.network.CORE2)
    assert os.path.exists(folder + "/state/xtables.lock") == (kind == "legacy")
    site.lns.stop()
    assert not [line for line in site.rules_now() if "garden" in line]


def test_files_are_given(plant, folder):
    """Log, pid file, accounting_dir and state_dir with what is in it; the log can be rotated, and all removed."""
    for name in "acct", "state", "run":
        os.mkdir(os.path.join(folder, name))
    os.chown(folder + "/run", UID, UID)
    with open(folder + "/state/old", "w") as f:
        f.write("kept from a start as root\n")
    lns = daemon(plant, folder, {"accounting_dir": folder + "/acct", "pid_file": folder + "/run/pid",
                                 "cli_socket": folder + "/run/cli"}, start=False)
    lns.socket = folder + "/run/cli"
    lns.start()
    for name in "log.d/l2tpns", "run/pid", "acct", "state", "state/old", "state/lock":
        assert os.stat(os.path.join(folder, name)).st_uid == UID, name
    assert int(lns.read("run/pid")) == lns.process.pid
    assert stat.S_IMODE(os.stat(folder + "/run/cli").st_mode) == 0o600
    os.rename(folder + "/log.d/l2tpns", folder + "/log.d/l2tpns.1")
    lns.process.send_signal(signal.SIGHUP)
    wait_for(lambda: os.path.exists(folder + "/log.d/l2tpns"), "the new log")
    assert os.stat(folder + "/log.d/l2tpns").st_uid == UID
    pylac.subscriber(plant.network)
    assert "joe" in log(lns)
    lns.stop()
    assert os.listdir(folder + "/run") == []


def test_what_cannot_be_done_is_said(plant, folder):
    """One clear line each, and nothing else fails: the pid file is left empty, the log goes on in the old file."""
    os.mkdir(folder + "/acct")
    os.mkdir(folder + "/acct/archive")  # so it is not ours alone
    os.mkdir(folder + "/logs")
    lns = daemon(plant, folder, {"debug": 1, "accounting_dir": folder + "/acct", "log_file": folder + "/logs/l2tpns"},
                 start=False, users={"admin": "pw"})
    for name in "users", "local_users":
        os.chmod(os.path.join(folder, name), 0o600)
    lns.start()
    text = lns.read("logs/l2tpns")
    for said in ("accounting_dir %s/acct is not given to uid %d: it has folders in it" % (folder, UID),
                 "cannot write to accounting_dir %s/acct: no usage files" % folder,
                 "cannot write to the folder of %s/startup-config: `write memory` will fail" % folder,
                 "cannot write to the folder of %s/logs/l2tpns: when it has been moved away" % folder,
                 "cannot write to the folder of %s/pid: pid_file will be left empty" % folder,
                 "cannot write to the folder of %s/cli: cli_socket will be left there" % folder,
                 "cannot read %s/users: SIGHUP will fail" % folder,
                 "cannot read %s/local_users: SIGHUP will fail" % folder):
        assert text.count(said) == 1, (said, text)
    assert len(re.findall("error .*setuid: ", text)) == 8, text
    os.rename(folder + "/logs/l2tpns", folder + "/logs/l2tpns.1")
    lns.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "log_file: %s/logs/l2tpns: Permission denied; going on with the old one" % folder in
             lns.read("logs/l2tpns.1"), "the line about the log")
    pylac.subscriber(plant.network).ping(plant.network.CORE)
    lns.stop()
    assert lns.read("pid") == ""
    os.unlink(folder + "/logs/l2tpns.1")
    os.mkdir(folder + "/acct/more")
    lns.start().stop()  # over the socket and pid file that were left


def test_links_are_not_followed(plant, folder):
    """What another user could have put there keeps its owner: links, second names, a way through his folder."""
    treasure = folder + "/treasure"
    with open(treasure, "w") as f:
        f.write("root's\n")
    os.mkdir(folder + "/his", 0o777)
    os.chmod(folder + "/his", 0o777)
    os.symlink(treasure, folder + "/his/log")
    os.symlink(treasure, folder + "/his/pid")
    os.mkdir(folder + "/his/acct")
    os.mkdir(folder + "/state")
    os.link(treasure, folder + "/state/second")
    os.symlink(treasure, folder + "/state/link")
    os.makedirs(folder + "/other/acct")
    os.symlink(folder + "/other", folder + "/his/way")
    lns = daemon(plant, folder, {"log_file": folder + "/his/log", "pid_file": folder + "/his/pid",
                                 "accounting_dir": folder + "/his/way/acct"}, start=False)
    lns.start()
    for line in ("log_file: %s/his/log: Too many levels of symbolic links; going on with the old one" % folder,
                 "pid_file %s/his/pid: is a symbolic link" % folder, "log_file %s/his/log is not given" % folder,
                 "accounting_dir %s/his/way/acct is not given to uid %d: others may write to" % (folder, UID)):
        lns.wait_log(re.escape(line))
        assert lns.log.count(line) == 1, (line, lns.log)
    lns.stop()
    assert os.stat(treasure).st_uid == os.stat(folder + "/other/acct").st_uid == 0
    assert lns.read("treasure") == "root's\n"
    assert os.readlink(folder + "/his/pid") == treasure


def test_shared_folders_stay(plant, folder):
    """A state_dir that is the system's is not given away."""
    os.mkdir(folder + "/var")
    os.mkdir(folder + "/var/lib")
    lns = daemon(plant, folder, {"state_dir": folder + "/var"}, start=False)
    lns.start()
    assert "state_dir %s/var is not given to uid %d: it has folders in it" % (folder, UID) in log(lns)
    assert os.stat(folder + "/var").st_uid == 0
    lns.stop()


def test_without_the_right(plant, folder):
    """Where it cannot become that user it does not go on as root."""
    lns = daemon(plant, folder, start=False)
    caps = "-setuid"
    process = lns.ns.start("setpriv", "--bounding-set", caps, "--inh-caps", caps, "--ambient-caps", caps,
                           binary(), "-c", lns.config)
    process.wait_line("setuid: cannot become uid %d" % UID)
    assert process.wait() == 1


# ---------------------------------------------------------------------------- memory and scheduling

def locked(pid):
    return int(status(pid)["VmLck"].split()[0])


@pytest.mark.parametrize("uid", [0, UID])
def test_lock_pages(plant, folder, uid):
    """All memory is locked, none is made resident by it; what a rush has used is given back all the same."""
    lns = daemon(plant, folder, {"setuid": uid, "lock_pages": True, "max_sessions": 200000})
    assert locked(lns.process.pid) > 200000  # kB: most of it is tables
    assert lns.memory() < 64 << 20
    pylac.subscriber(plant.network).ping(plant.network.CORE)
    lns.set('load plugin "stripdomain"')  # a mapping that came later
    child = lns.open_cli()
    child.close()
    lns.stop()
    assert "lock_pages" not in log(lns) and "memory stays in use" not in log(lns)


def test_lock_pages_without_the_limit(plant, folder):
    """With a limit and without the right to pass it, it locks nothing, says so, and serves."""
    lns = daemon(plant, folder, {"setuid": 0, "lock_pages": True}, start=False)
    caps = "-ipc_lock"
    process = lns.ns.start("setpriv", "--bounding-set", caps, "--inh-caps", caps, "--ambient-caps", caps, "prlimit",
                           "--memlock=65536:65536", binary(), "-c",
                           lns.config)
    wait_for(lambda: os.path.exists(lns.socket), "the CLI's socket")
    lns.open_cli().close()  # its loop runs
    assert "lock_pages needs CAP_IPC_LOCK or no RLIMIT_MEMLOCK: nothing is locked" in log(lns)
    assert locked(process.pid) == 0
    assert process.stop() == 0


def test_scheduler_fifo(plant, folder):
    """The daemon is SCHED_FIFO, its children are not."""
    lns = daemon(plant, folder, {"scheduler_fifo": True}, start=False, extra=['load plugin "garden"'])
    lns.write("build-garden", "chrt -p $$ >%s/state/helper\n" % folder)
    lns.start()
    assert policy(lns.process.pid) == os.SCHED_FIFO
    cli = lns.open_cli()
    with open("/proc/%d/task/%d/children" % (lns.process.pid, lns.process.pid)) as f:
        children = [int(pid) for pid in f.read().split()]
    assert children and all(policy(pid) == os.SCHED_OTHER for pid in children)
    cli.close()
    wait_for(lambda: os.path.exists(folder + "/state/helper") and "SCHED_OTHER" in lns.read("state/helper"), "chrt")
    pylac.subscriber(plant.network).ping(plant.network.CORE)
    lns.stop()


def test_scheduler_fifo_on_one_cpu(plant, folder):
    lns = daemon(plant, folder, {"scheduler_fifo": True}, start=False)
    process = lns.ns.start("taskset", "-c", "0", binary(), "-c", lns.config)
    wait_for(lambda: os.path.exists(lns.socket), "the CLI's socket")
    lns.open_cli().close()  # its loop runs
    assert policy(process.pid) == os.SCHED_OTHER
    assert log(lns).count("scheduler_fifo is ignored: there is only one CPU") == 1
    assert process.stop() == 0
