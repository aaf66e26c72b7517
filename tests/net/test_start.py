"""Starting and stopping: options, configuration errors, what is missing on the machine, signals."""

import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

import pylac
from lns import ROOT, SANITIZER, Cli, binary
from netns import Namespace, wait_for
from pylac import CDN, STOPCCN, Lac

USERS = {"joe": "secret", "ann": "secret"}


def run(*argv, ns=None, timeout=20, **kwargs):
    """Run the daemon to its end; (exit code, stdout, stderr)."""
    def start():
        return subprocess.run([binary(), *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              stdin=subprocess.DEVNULL, timeout=timeout, **kwargs)
    if ns:
        with ns:
            done = start()
    else:
        done = start()
    assert not SANITIZER.search(done.stderr), done.stderr
    return done.returncode, done.stdout, done.stderr


def tree(folder):
    """Every file below, with its content and times."""
    found = {}
    for root, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(root, name)
            status = os.stat(path)
            found[path] = (status.st_mode, status.st_mtime_ns, status.st_size)
    return found


# ---------------------------------------------------------------------------- options

def test_unknown_option():
    """Usage on stderr, exit code 2."""
    code, out, err = run("-Q")
    assert code == 2
    assert "sage" in err and out == ""


def test_version():
    code, out, _ = run("-V")
    assert code == 0
    assert re.search(r"\d+\.\d+", out)


@pytest.mark.san
def test_check_good(tmp_path):
    """-t with a good file: exit 0, not a word of error, nothing touched."""
    config = tmp_path / "startup-config"
    config.write_text('# a comment\nset l2tp_mtu 1460\nset hostname "lns1" ! another\nset bind_address 10.1.0.1\n'
                      "set pid_file '%s/pid'\nset state_dir \"%s/state\"\nset cli_socket '%s/cli'\n"
                      % (tmp_path, tmp_path, tmp_path))
    (tmp_path / "ip_pool").write_text("10.9.0.0/24\n# all\n10.8.0.1\n")
    (tmp_path / "users").write_text("admin:pw\n")
    before = tree(tmp_path)
    ns = Namespace("empty")  # no device, no address to bind
    code, out, err = run("-t", "-c", str(config), ns=ns)
    devices = ns.run("ip", "-o", "link").count("\n")
    ns.close()
    assert (code, err) == (0, ""), (code, out, err)
    assert tree(tmp_path) == before
    assert devices == 1, "a device was made"


BAD_LINES = [
    ("set l2tp_mtu 9", "set l2tp_mtu: 9 is not in 576..9216"),
    ("set l2tp_mtu nine", "l2tp_mtu"),
    ("set l2tp_mtu", "l2tp_mtu"),
    ("set no_such_name 1", "no_such_name"),
    ("set bind_address 10.1.0.256", "bind_address"),
    ("set send_garp perhaps", "send_garp"),
    ("frobnicate", "frobnicate"),
    ('set hostname "lns1', "hostname"),
    ("set debug 6", "debug"),
    ("set radius_authtypes \"pap,rot13\"", "rot13"),
    ("set primary_radius_port 70000", "primary_radius_port"),
    ("set log_file syslog:nosuch", "nosuch"),
    ("set log_file log", "absolute"),
    ("set state_dir state", "absolute"),
    ("set pid_file pid", "absolute"),
    ("set hostname z\udcfcrich", "UTF-8"),
    ("lac 10.0.0.0/8", "secret"),
    ("lac 10.0.0.1/8 secret s", "host bits"),
    ("lac 10.0.0.0/8 secret s max-sessions 0", "max-sessions"),
]


@pytest.mark.san
@pytest.mark.parametrize("line, said", BAD_LINES, ids=[ascii(line) for line, _ in BAD_LINES])
def test_check_bad(tmp_path, line, said):
    """-t: each error as `file:line: message`, exit 1; lines after it are read too."""
    config = tmp_path / "startup-config"
    config.write_bytes(("set debug 1\n# the third line is wrong\n%s\nset hello_interval 30\nset another_bad 5\n" % line)
                       .encode(errors="surrogateescape"))
    before = tree(tmp_path)
    code, out, err = run("-t", "-c", str(config))
    lines = (out + err).splitlines()
    assert code == 1
    third = [text for text in lines if text.startswith("%s:3: " % config)]
    assert len(third) == 1 and said in third[0], lines
    fifth = [text for text in lines if text.startswith("%s:5: " % config)]
    assert len(fifth) == 1 and "another_bad" in fifth[0], lines
    assert len(lines) == 2, lines
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name, text, line", [("ip_pool", "10.9.0.0/24\n10.9.0.300\n", 2),
                                              ("ip_pool", "10.9.0.0/33\n", 1),
                                              ("users", "admin:pw\nnobody\n", 2),
                                              ("local_users", 'joe * secret *\nann * "open\n', 2)])
def test_check_other_files(tmp_path, name, text, line):
    """-t reads the files beside it as well, and those it names."""
    config = tmp_path / "startup-config"
    config.write_text("set debug 1\nset local_users '%s/local_users'\n" % tmp_path)
    (tmp_path / "local_users").write_text("")
    (tmp_path / name).write_text(text)
    code, out, err = run("-t", "-c", str(config))
    assert code == 1
    assert [one for one in (out + err).splitlines() if re.match(r".*/%s:%d: " % (name, line), one)], (out, err)


def test_check_missing_file(tmp_path):
    code, out, err = run("-t", "-c", str(tmp_path / "none"))
    assert code == 1
    assert str(tmp_path / "none") in out + err


@pytest.mark.san
def test_bad_line_is_reported_and_the_rest_read(plant):
    """Without -t a bad line is reported, the daemon starts, what follows counts."""
    daemon = plant.lns({"hello_interval": 77}, local_users=USERS, start=False)
    text = daemon.read("startup-config").splitlines()
    text.insert(2, "set l2tp_mtu 9")
    daemon.write("startup-config", "\n".join(text) + "\n")
    daemon.start()
    assert re.search(r"startup-config:3: set l2tp_mtu: 9 is not in 576\.\.9216", daemon.log), daemon.log
    shown = daemon.run("show running-config")
    assert "set hello_interval 77" in shown and "set l2tp_mtu 1500" in shown
    daemon.stop()


# ---------------------------------------------------------------------------- what is missing

def fails_at_start(daemon, said, wrapper=()):
    """Starting it fails with exit code 1 and one line that says why."""
    with daemon.ns:
        done = subprocess.run([*wrapper, binary(), "-c", daemon.config], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL, timeout=30)
    assert done.returncode == 1, done.stdout
    assert not SANITIZER.search(done.stdout), done.stdout
    matching = [line for line in done.stdout.splitlines() if re.search(said, line)]
    assert len(matching) == 1, "not one line like %r:\n%s" % (said, done.stdout)
    return matching[0]


@pytest.mark.parametrize("missing", ["net_admin", "net_bind_service", "net_raw"])
def test_missing_capability(plant, missing):
    daemon = plant.lns(local_users=USERS, start=False)
    fails_at_start(daemon, "(?i)cap_" + missing, ["setpriv", "--bounding-set", "-" + missing, "--inh-caps",
                                                  "-" + missing, "--ambient-caps", "-" + missing])


def test_not_root(plant):
    """Without root and without capabilities."""
    daemon = plant.lns(local_users=USERS, start=False)
    os.chmod(daemon.folder, 0o755)
    with daemon.ns:
        done = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", binary(), "-c", daemon.config],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
    if "Permission denied" in done.stdout and "setpriv" in done.stdout:
        pytest.fail("the program's folder is not readable for everybody: " + done.stdout)
    assert done.returncode == 1
    assert re.search("(?i)cap_net_", done.stdout) and done.stdout.count("\n") == 1, done.stdout


def test_port_in_use(plant):
    daemon = plant.lns(local_users=USERS, start=False)
    other = daemon.ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.bind((plant.network.LNS, 1701))
    line = fails_at_start(daemon, "(?i)address already in use")
    assert "1701" in line
    other.close()
    daemon.start().stop()


def test_address_not_ours(plant):
    daemon = plant.lns({"bind_address": "192.0.2.7", "iftun_address": "10.9.254.1"}, local_users=USERS, start=False)
    assert "192.0.2.7" in fails_at_start(daemon, "(?i)cannot assign requested address")


def test_missing_tun_device(plant):
    """/dev/net/tun is not there (a mount namespace without it)."""
    daemon = plant.lns(local_users=USERS, start=False)
    fails_at_start(daemon, "/dev/net/tun",
                   ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /dev/net && exec "$@"', "sh"])


def test_missing_configuration(plant):
    """Errors of the configuration are fatal with -t only; that the file is not there must be said all the same."""
    daemon = plant.lns(local_users=USERS, start=False)
    os.unlink(daemon.config)
    process = daemon.ns.start(binary(), "-c", daemon.config)
    process.wait_line(re.escape(daemon.config) + ".*No such file")
    process.kill()


def test_second_instance(plant):
    """A second one on the same address fails clearly and harms nothing: the first one's sessions go on."""
    daemon = plant.lns(local_users=USERS)
    session = pylac.subscriber(plant.network)
    second = plant.lns(local_users=USERS, start=False)
    fails_at_start(second, "(?i)address already in use")
    session.ping(plant.network.CORE)
    assert daemon.session("joe")["IP"] == session.address
    assert "tun0" in plant.network.lns.run("ip", "route", "show", session.address) + plant.network.lns.run(
        "ip", "route", "show", "10.9.0.0/24")
    daemon.stop()


def test_second_instance_same_state_dir(plant):
    """The state folder is locked: another process on it refuses to start, even with other addresses."""
    daemon = plant.lns(local_users=USERS)
    second = plant.lns({"bind_address": plant.network.LNS2, "iftun_address": "10.9.254.2", "tundevicename": "tun1",
                        "cli_port": 2323, "state_dir": daemon.settings["state_dir"]}, local_users=USERS, start=False)
    fails_at_start(second, re.escape(daemon.settings["state_dir"]))
    daemon.check()
    daemon.stop()


def test_two_instances_side_by_side(plant):
    """With settings of their own two run in one namespace."""
    one = plant.lns(local_users=USERS)
    two = plant.lns({"bind_address": plant.network.LNS2, "iftun_address": "10.9.254.2", "tundevicename": "tun1",
                     "cli_port": 2323, "nsctl_bind_address": "127.0.0.2"}, pool=["10.8.0.0/24"], local_users=USERS)
    first = pylac.subscriber(plant.network, "joe")
    second = pylac.subscriber(plant.network, "joe", lns=plant.network.LNS2)
    first.ping(plant.network.CORE)
    second.ping(plant.network.CORE)
    assert second.address.startswith("10.8.0.")
    two.stop()
    first.ping(plant.network.CORE)
    one.stop()


# ---------------------------------------------------------------------------- signals

def teardown_messages(lac):
    """The StopCCNs and CDNs that reached a LAC, those waiting in its socket included."""
    lac.drain()
    return [m for tunnel in lac.tunnels.values() for m in tunnel.history if m.type in (STOPCCN, CDN)]


@pytest.mark.san
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_leaves_sessions(plant, number):
    """SIGTERM and SIGINT: a prompt end that tears no tunnel down; routes and the tun device are gone."""
    daemon = plant.lns(local_users=USERS)
    session = pylac.subscriber(plant.network)
    session.ping(plant.network.CORE)
    silent = Lac(plant.network)
    silent.tunnel().acking = False
    pid = daemon.settings["pid_file"]
    assert int(open(pid).read()) == daemon.process.pid
    daemon.stop(number, timeout=10)
    assert teardown_messages(session.lac) == []
    assert teardown_messages(silent) == []
    assert "tun0" not in plant.network.lns.run("ip", "-o", "link")
    assert not os.path.exists(pid)
    assert not os.path.exists(daemon.socket)


FLOOD = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.connect((sys.argv[1], 1701))
while True:
    try:
        sock.send(bytes(1000))
    except OSError:  # nobody there any more
        pass
"""


def test_stop_under_load(plant):
    """SIGTERM ends it at once though packets never cease: with debug 5 it does not get through them."""
    daemon = plant.lns({"debug": 5, "log_file": "/dev/null"}, local_users=USERS)
    flood = plant.network.lac.start(sys.executable, "-c", FLOOD, plant.network.LNS)
    wait_for(lambda: daemon.counters()["tunnel_rx_packets"] > 5000, "the flood")
    begun = time.monotonic()
    daemon.stop()
    assert time.monotonic() - begun < 2
    assert flood.alive()


@pytest.mark.san
def test_sigquit_tears_down(plant):
    """SIGQUIT: StopCCN to every tunnel, then exit; each subscriber's call is told."""
    daemon = plant.lns(local_users=USERS)
    lac = Lac(plant.network)
    tunnels = [lac.tunnel() for _ in range(3)]
    session = tunnels[0].session().up()
    daemon.process.send_signal(signal.SIGQUIT)
    for tunnel in tunnels:
        stop = tunnel.expect(STOPCCN)
        assert stop.number(pylac.ASSIGNED_TUNNEL) == tunnel.peer_tid
        assert stop.result[0] in (1, 6)
    assert session.closed or tunnels[0].closed
    assert daemon.process.wait(30) == 0
    daemon.stop()


def test_sigquit_waits_for_no_tunnel_that_is_closed(plant):
    """One that the LAC has closed is kept for its repetitions (RFC 2661 5.7), which an end need not wait for."""
    daemon = plant.lns(local_users=USERS)
    lac = Lac(plant.network)
    closed, other = lac.tunnel(), lac.tunnel()
    closed.stop()
    daemon.process.send_signal(signal.SIGQUIT)
    other.expect(STOPCCN)
    assert daemon.process.wait(10) == 0
    daemon.stop()


def test_sigquit_refuses_new_calls(plant):
    """While it waits for a LAC that does not acknowledge, no new tunnel is accepted; then it ends."""
    daemon = plant.lns(local_users=USERS)
    lac = Lac(plant.network)
    tunnel = lac.tunnel()
    tunnel.acking = False
    daemon.process.send_signal(signal.SIGQUIT)
    tunnel.expect(STOPCCN)
    late = Lac(plant.network)
    newcomer = late.tunnel(start=False)
    newcomer.send(pylac.SCCRQ, *newcomer.sccrq())
    tunnel.acking = True

    def ended():
        lac.drain()
        tunnel.zlb()
        late.drain()
        return not daemon.process.alive()

    wait_for(ended, "the end", 60)
    assert not [m for m in newcomer.history if m.type == pylac.SCCRP]
    daemon.stop()


@pytest.mark.san
def test_sighup_keeps_sessions(plant):
    """SIGHUP reads the configuration anew and opens the log file anew; sessions stay."""
    daemon = plant.lns(local_users=USERS, start=False)
    log = os.path.join(daemon.folder, "logfile")
    daemon.settings["log_file"] = log
    daemon.write_config()
    daemon.start()
    session = pylac.subscriber(plant.network)
    os.rename(log, log + ".1")
    daemon.settings.update({"hello_interval": 33, "primary_dns": "10.2.0.77"})
    daemon.write_config()
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "set hello_interval 33" in daemon.run("show running-config"), "the new configuration")
    wait_for(lambda: os.path.exists(log), "the new log file")
    session.ping(plant.network.CORE)
    assert session.closed is None
    later = pylac.Lac(plant.network).tunnel().session()
    later.ask_dns = [129, 131]
    later.up("ann")
    assert later.dns[129] == "10.2.0.77"
    daemon.stop()


def test_sighup_with_bad_file(plant):
    """A bad file is reported with file and line, and the running configuration kept, all of it."""
    daemon = plant.lns({"hello_interval": 50}, local_users=USERS)
    session = pylac.subscriber(plant.network)
    daemon.settings["hello_interval"] = 33
    daemon.write_config()
    lines = len(daemon.read("startup-config").splitlines())
    daemon.write("startup-config", daemon.read("startup-config") + "set l2tp_mtu 9\n")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_log(r"startup-config:%d: set l2tp_mtu: 9 is not in 576\.\.9216" % (lines + 1))
    assert "set hello_interval 50" in daemon.run("show running-config")
    session.ping(plant.network.CORE)
    daemon.stop()


def test_sighup_without_users_file(plant):
    """A users file that has gone takes its names along."""
    daemon = plant.lns(users={"admin": "letmein", "enable": "sesame"}, settings={"cli_local_login": True})
    os.unlink(os.path.join(daemon.folder, "users"))
    daemon.process.send_signal(signal.SIGHUP)

    def asks_nothing():
        cli = Cli.unix(daemon.socket)
        try:
            text = cli.read_until(rb"(?i:user ?name|login): ?$|" + Cli.PROMPT.pattern)
            return text.endswith("> ")
        finally:
            cli.close()
    wait_for(asks_nothing, "a prompt without login")
    daemon.stop()


def test_verbose_stays(plant):
    """-v adds to `debug`, also to one set later."""
    daemon = plant.lns({"debug": 1}, local_users=USERS, argv=["-v", "-v"])
    daemon.set("set debug 2")
    pylac.subscriber(plant.network)
    daemon.wait_log(r"PPP phase .* --> Network")
    daemon.stop()


def test_sigpipe_is_ignored(plant):
    daemon = plant.lns(local_users=USERS)
    daemon.process.send_signal(signal.SIGPIPE)
    pylac.subscriber(plant.network).ping(plant.network.CORE)
    daemon.stop()


def test_detach(plant):
    """-d: the starter returns once it serves; the pid file names the daemon, which ends on SIGTERM."""
    daemon = plant.lns(local_users=USERS, start=False)
    daemon.settings["log_file"] = os.path.join(daemon.folder, "logfile")
    daemon.write_config()
    pid_file = daemon.settings["pid_file"]
    path = os.path.join(daemon.folder, "notify")
    with daemon.ns, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(10)
        done = subprocess.run([binary(), "-d", "-c", daemon.config], stdin=subprocess.DEVNULL, text=True, timeout=30,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "NOTIFY_SOCKET": path})
        ready = notify.recv(4096).decode().split("\n")
    assert done.returncode == 0, done.stdout
    pid = int(wait_for(lambda: os.path.exists(pid_file) and open(pid_file).read(), "the pid file"))
    try:
        assert "READY=1" in ready and "MAINPID=%d" % pid in ready
        status = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
        assert int(status[3]) != os.getsid(0), "it is in our session still"
        pylac.subscriber(plant.network).ping(plant.network.CORE)
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not os.path.exists("/proc/%d" % pid)
             or open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()[0] == "Z", "its end")


def test_detach_that_fails(plant):
    """-d with a port in use: exit code 1 and one line that says why, from the starter itself."""
    daemon = plant.lns(local_users=USERS, start=False)
    other = daemon.ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.bind((plant.network.LNS, 1701))
    code, out, err = run("-d", "-c", daemon.config, ns=daemon.ns)
    other.close()
    assert (code, (out + err).count("\n")) == (1, 1), (out, err)
    assert "1701" in out + err and "in use" in out + err
    assert not os.path.exists(daemon.settings["pid_file"])


def test_watchdog(plant):
    """With WATCHDOG_USEC it tells systemd that it is alive, twice in that time; without, it does not."""
    daemon = plant.lns(local_users=USERS, start=False)
    path = os.path.join(daemon.folder, "watchdog")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(10)
        process = daemon.ns.start(binary(), "-c", daemon.config, env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"})
        ready = notify.recv(4096).decode().split("\n")
        assert ready[:2] == ["READY=1", "MAINPID=%d" % process.pid] and ready[2].startswith("STATUS=Serving"), ready
        begun = time.monotonic()
        for _ in range(5):
            assert notify.recv(4096) == b"WATCHDOG=1"
        assert time.monotonic() - begun > 4 * 0.2 - 0.1
        process.send_signal(signal.SIGTERM)
        while notify.recv(4096) != b"STOPPING=1":
            pass
        assert process.wait() == 0
        process = daemon.ns.start(binary(), "-c", daemon.config, env={"NOTIFY_SOCKET": path})
        assert notify.recv(4096).startswith(b"READY=1\n")
        process.send_signal(signal.SIGTERM)
        assert notify.recv(4096) == b"STOPPING=1"
        assert process.wait() == 0


def children(pid):
    """States of a process's children, zombies included, by id."""
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return f.read().split()


def test_children_are_reaped_under_load(plant):
    """CLI children that end while packets never cease do not stay as zombies."""
    daemon = plant.lns({"debug": 5, "log_file": "/dev/null"}, local_users=USERS)
    flood = plant.network.lac.start(sys.executable, "-c", FLOOD, plant.network.LNS)
    wait_for(lambda: daemon.counters()["tunnel_rx_packets"] > 5000, "the flood")
    before = children(daemon.process.pid)  # that of daemon.cli
    for _ in range(12):
        daemon.open_cli(enable=False).close()
    wait_for(lambda: children(daemon.process.pid) == before, "the end of the children")
    assert daemon.counters()["cli_connections"] >= 13
    assert flood.alive()
    daemon.stop()


def test_capabilities_instead_of_root(plant):
    """Any user with the capabilities will do. Secrets do not go into core dumps: it is not dumpable."""
    caps = "-all,+net_admin,+net_bind_service,+net_raw,+dac_override"  # the last one for this folder and /dev/net/tun
    daemon = plant.lns(local_users=USERS, start=False)
    process = daemon.ns.start("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps", caps,
                              "--ambient-caps", caps, "--bounding-set", caps, binary(), "-c", daemon.config)
    wait_for(lambda: os.path.exists(daemon.socket) or not process.alive(), "the CLI's socket")
    pylac.subscriber(plant.network).ping(plant.network.CORE)
    with open("/proc/%d/status" % process.pid) as f:
        assert re.search(r"^Uid:\s+65534\s", f.read(), re.M)
    # these files belong to root when a process of another user may not be dumped (proc(5))
    assert os.stat("/proc/%d/environ" % process.pid).st_uid == 0
    assert process.stop() == 0, process.output


def test_host_name_option(plant):
    """-h forces the host name."""
    daemon = plant.lns(local_users=USERS, argv=["-h", "forced"])
    tunnel = Lac(plant.network).tunnel()
    assert tunnel.reply.get(pylac.HOST_NAME) == b"forced"
    daemon.stop()


def test_port_default_warning(plant):
    """The default RADIUS port is 1645: in use, one warning at start says so; set, none does."""
    daemon = plant.lns({"debug": 1, "primary_radius": plant.network.CORE, "radius_secret": "s"}, local_users=USERS)
    daemon.stop()
    assert len(re.findall(r"error .*1645.*", daemon.log)) == 1, daemon.log
    daemon.settings["primary_radius_port"] = 1812
    daemon.write_config()
    daemon.start()
    daemon.stop()
    assert "1645" not in daemon.log


def test_state_dir_missing(plant):
    """Without its state_dir it serves, and says so at the default log level."""
    daemon = plant.lns({"debug": 1, "state_dir": "/nonexistent/state"}, local_users=USERS)
    pylac.subscriber(plant.network)
    daemon.stop()
    assert len(re.findall("error .*state_dir /nonexistent/state: No such file or directory", daemon.log)) == 1


@pytest.mark.parametrize("address, users, warned", [("0.0.0.0", None, True), ("127.0.0.1", None, False),
                                                    ("0.0.0.0", {"admin": "pw"}, False)])
def test_cli_without_login_warning(plant, address, users, warned):
    """A CLI that asks nobody's name where others reach it is an error in the log."""
    daemon = plant.lns({"debug": 1, "cli_bind_address": address}, local_users=USERS, users=users)
    daemon.stop()
    assert len(re.findall("error .*the CLI on 0.0.0.0 asks for no login", daemon.log)) == warned


# ---------------------------------------------------------------------------- the log

@pytest.fixture
def stuck_log():
    """Opens what nobody will read: yields functions that make the writing end of a kind."""
    ends = []

    def pipe():
        ends.extend(os.pipe())
        return ends[-1]

    def pair():
        left, right = socket.socketpair()
        ends.extend((left.detach(), right.detach()))
        return ends[-1]

    yield {"pipe": pipe, "socket": pair}
    for fd in ends:
        os.close(fd)


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_log_that_nobody_reads(plant, stuck_log, kind):
    """Stdout is full: calls and the CLI go on, the lost lines are counted, SIGTERM ends it."""
    daemon = plant.lns({"debug": 5}, local_users=USERS, start=False)
    out = stuck_log[kind]()
    with daemon.ns:
        process = subprocess.Popen([binary(), "-c", daemon.config], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        wait_for(lambda: os.path.exists(daemon.socket), "the CLI's socket")

        def full():
            pylac.subscriber(plant.network).lac.close()
            return daemon.counters()["log_lost"] > 0
        wait_for(full, "the lines that are lost", 30)
        pylac.subscriber(plant.network).ping(plant.network.CORE)
        daemon.cli.close()
        process.terminate()
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.wait()


def test_standard_descriptors_closed(plant):
    """Started without stdin, stdout and stderr: log lines do not go into whatever was opened first."""
    daemon = plant.lns({"debug": 5}, local_users=USERS, start=False)
    process = daemon.ns.start("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", binary(), "-c", daemon.config)
    wait_for(lambda: os.path.exists(daemon.socket), "the CLI's socket")
    for fd in 0, 1, 2:
        assert os.readlink("/proc/%d/fd/%d" % (process.pid, fd)) == "/dev/null"
    pylac.subscriber(plant.network).ping(plant.network.CORE)
    assert process.stop() == 0


def test_log_fifo(plant):
    """A FIFO without a reader is refused with the reason; with one it is a log like any other."""
    daemon = plant.lns(local_users=USERS)
    fifo = os.path.join(daemon.folder, "fifo")
    os.mkfifo(fifo)
    daemon.set("set log_file " + fifo)
    daemon.wait_log("error .*%s: nobody reads this FIFO; going on with the old one" % re.escape(fifo))
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    daemon.set('set log_file ""')
    daemon.set("set log_file " + fifo)
    pylac.subscriber(plant.network)
    assert b"joe" in os.read(reader, 65536)
    os.close(reader)
    daemon.stop()


def test_log_file_at_run_time(plant):
    """`set log_file` takes effect at once; one that cannot be opened leaves the old one."""
    daemon = plant.lns(local_users=USERS)
    log = os.path.join(daemon.folder, "logfile")
    daemon.set("set log_file " + log)
    lines = len(daemon.process.lines)
    pylac.subscriber(plant.network)
    assert "joe" in daemon.read("logfile")
    assert len(daemon.process.lines) == lines
    assert "absolute path" in "\n".join(daemon.set("set log_file log"))
    daemon.set("set log_file /nonexistent/log")
    assert re.search("error .*log_file: /nonexistent/log: No such file or directory; going on with the old one",
                     daemon.read("logfile"))
    daemon.stop()
    assert "stopping" not in daemon.log


@pytest.mark.parametrize("authtypes", ["pap", "chap"])
def test_no_password_in_the_log(plant, authtypes):
    """Debug 5 dumps packets, but not the passwords in them."""
    daemon = plant.lns({"debug": 5, "radius_authtypes": authtypes, "l2tp_secret": "Tunn3lS3cret"},
                       local_users={"joe": "Zqxjkvbw"}, users={"admin": "0perator"}, extra=['lac 10.99.0.0/16 secret L4cS'])
    session = Lac(plant.network).tunnel(secret="Tunn3lS3cret").session()
    session.user, session.password = "joe", "Zqxjkvbw"
    session.up("joe", "Zqxjkvbw")
    assert session.tunnel.session().authenticate("joe", "Wr0ngOne") is False
    daemon.set("set radius_secret R4diusS")
    daemon.set("lac 10.98.0.0/16 secret L4cToo")
    daemon.stop()
    octets = bytes.fromhex("".join(re.findall(r"^\S+ \S+ packet 00/00   [0-9a-f]{4,}:((?: [0-9a-f]{2})+)$", daemon.log,
                                              re.M)))
    assert b"\xff\x03\xc0\x21" in octets, "there are no dumps"
    for secret in "Zqxjkvbw", "Wr0ngOne", "Tunn3lS3cret", "0perator", "L4cS", "R4diusS", "L4cToo":
        assert secret.encode() not in octets, secret
        assert secret not in daemon.log, secret


FAKE_SYSLOG = """
mount -t tmpfs none /mnt && mkdir /mnt/dev && mount --rbind /dev /mnt/dev && mount -t tmpfs none /dev || exit 9
mkdir /dev/net
for name in null urandom net/tun; do touch /dev/$name && mount --bind /mnt/dev/$name /dev/$name || exit 9; done
ln -s "$1" /dev/log
shift
exec "$@"
"""


def test_syslog(plant):
    """log_file syslog:FACILITY: priority, name and text; a syslogd that is stuck or restarted does not matter."""
    daemon = plant.lns({"log_file": "syslog:local3"}, local_users=USERS, start=False)
    path = os.path.join(daemon.folder, "devlog")

    def syslogd():
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.bind(path)
        sock.settimeout(10)
        return sock

    def lines_until(sock, pattern):
        seen = []
        while not seen or not re.search(pattern, seen[-1]):
            seen.append(sock.recv(4096).decode())
        return seen

    log = syslogd()
    process = daemon.ns.start("unshare", "-m", "sh", "-c", FAKE_SYSLOG, "sh", path, binary(), "-c", daemon.config)
    ready = lines_until(log, "serves on")
    assert re.fullmatch(r"<%d>l2tpns: \S+ \S+ warning 00/00 l2tpns .* serves on .*" % (19 * 8 + 4), ready[-1]), ready

    def full():
        pylac.subscriber(plant.network).tunnel.stop()
        return daemon.counters()["log_lost"] > 0
    wait_for(full, "more lines than its queue holds")
    log.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            log.recv(4096)
    log.settimeout(10)
    pylac.subscriber(plant.network)
    assert "log lines were lost" in "\n".join(lines_until(log, "lost"))
    log.close()
    os.unlink(path)
    log = syslogd()
    pylac.subscriber(plant.network)
    assert re.match(r"<%d>" % (19 * 8 + 6), lines_until(log, "info .*joe")[-1])
    daemon.cli.close()
    process.send_signal(signal.SIGTERM)
    lines_until(log, "stopping at signal 15")
    log.close()
    assert process.wait() == 0
    assert "serves on" not in process.output
