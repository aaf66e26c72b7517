#!/usr/bin/python3
"""`make demo`: l2tpns at work, in network namespaces of its own.

    subscribers -- [ LAC ] ==L2TP== [ l2tpns ] ---- [ core network ]

Starts l2tpns with users from a file (no RADIUS server needed), lets our test LAC bring some
subscribers, pings and moves traffic through the tunnel, shows the sessions and says how to log in
to the command line. Ends by itself, on ^C, SIGTERM or SIGHUP, and removes all it made.
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time

STOPS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NS = {name: "l2demo-%d-%s" % (os.getpid(), name) for name in ("lac", "lns", "core")}
SUBSCRIBERS = 5
WAIT_SEC = 20
START_SEC = 10

CONFIG = """\
set hostname "demo"
set bind_address 10.0.1.1
set l2tp_secret "of-the-tunnel"
set radius_authtypes "chap, pap"
set local_users "{dir}/chap-secrets"
set primary_dns 10.0.2.2
set state_dir "{dir}"
set cli_socket "{dir}/cli"
"""


class Stopped(Exception):
    """A signal of STOPS; its number."""


def on_stop(number, _frame):
    for each in STOPS:
        signal.signal(each, signal.SIG_IGN)  # one is enough
    raise Stopped(number)


def run(*argv):
    subprocess.run(argv, check=True)


def ip(*argv):
    run("ip", *argv)


def say(text):
    print("\n\033[1m== %s\033[0m" % text if sys.stdout.isatty() else "\n== " + text, flush=True)


def make_network():
    for ns in NS.values():
        ip("netns", "add", ns)
        ip("-n", ns, "link", "set", "lo", "up")
    for left, right, net in (("lac", "lns", "10.0.1"), ("core", "lns", "10.0.2")):
        ip("-n", NS[left], "link", "add", "to-lns", "type", "veth", "peer", "name", "to-" + left,
           "netns", NS[right])
        for ns, dev, host in ((left, "to-lns", 2), (right, "to-" + left, 1)):
            ip("-n", NS[ns], "addr", "add", "%s.%d/24" % (net, host), "dev", dev)
            ip("-n", NS[ns], "link", "set", dev, "up")
    ip("-n", NS["core"], "route", "add", "default", "via", "10.0.2.1")
    run("ip", "netns", "exec", NS["lns"], "sysctl", "-qw", "net.ipv4.ip_forward=1")


def write_files(folder):
    files = {
        "startup-config": CONFIG.format(dir=folder),
        "ip_pool": "10.64.0.0/16\n",
        "chap-secrets": "".join("user%d * secret *\n" % n for n in range(SUBSCRIBERS)),
    }
    for name, text in files.items():
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)


class Processes:
    """What runs for the demo: out of reach of ^C, ended by close(), or by the kernel when we are killed."""

    def __init__(self):
        self.all = []

    def start(self, ns, *argv, **kw):
        # not stopped in between: what has been started is in the list; the child hears signals as we did
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        try:
            process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", "ip", "netns", "exec", NS[ns], *argv],
                                       start_new_session=True,
                                       preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask), **kw)
            self.all.append(process)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return process

    def stop(self, process):
        self.all.remove(process)
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def close(self):
        for process in reversed(list(self.all)):
            self.stop(process)


def start_l2tpns(processes, folder):
    """Starts it and waits until it says (as to systemd) that it serves."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(os.path.join(folder, "notify"))
        notify.settimeout(0.1)
        daemon = processes.start("lns", os.path.join(TOP, "l2tpns"), "-c", os.path.join(folder, "startup-config"),
                                 env=dict(os.environ, NOTIFY_SOCKET=os.path.join(folder, "notify")))
        end = time.monotonic() + START_SEC
        while time.monotonic() < end and daemon.poll() is None:
            with contextlib.suppress(socket.timeout):
                if b"READY=1" in notify.recv(1024):
                    return
    sys.exit("demo: l2tpns did not start")


class Lac:
    def __init__(self, processes):
        self.p = processes.start("lac", os.path.join(TOP, "tests/lac/lac"), "-q", "-l", "10.0.1.1",
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def do(self, command):
        print("   LAC: " + command, flush=True)
        self.p.stdin.write(command + "\n")
        self.p.stdin.flush()
        while True:
            line = self.p.stdout.readline()
            if not line:
                sys.exit("demo: the test LAC ended")
            print("        " + line.rstrip(), flush=True)
            if line.startswith("ok"):
                return
            if line.startswith("error"):
                sys.exit("demo: this should have worked")


def cli(folder, *commands):
    """Runs commands over the local CLI socket; prints what comes back."""
    s = socket.socket(socket.AF_UNIX)
    s.connect(os.path.join(folder, "cli"))
    s.sendall("".join(c + "\r\n" for c in commands + ("quit",)).encode())
    text = b""
    while select.select([s], [], [], 5)[0]:
        try:
            data = s.recv(65536)
        except ConnectionResetError:  # it closed before it read the last line end
            break
        if not data:
            break
        text += data
    s.close()
    print("".join(c for c in text.decode(errors="replace") if c == "\n" or " " <= c <= "~"))


def show(processes, folder):
    say("l2tpns serves on 10.0.1.1, in namespace " + NS["lns"])
    start_l2tpns(processes, folder)
    say("the LAC opens an authenticated tunnel and brings %d subscribers" % SUBSCRIBERS)
    lac = Lac(processes)
    lac.do("tunnel secret=of-the-tunnel hostname=demo-lac")
    lac.do("session count=%d auth=chap calling=0733%%04d called=0800" % SUBSCRIBERS)
    say("each pings the core network through his session")
    lac.do("ping session=all to=10.0.2.2 count=3")
    lac.do("ping session=all to=10.0.2.2 size=1400")
    say("and moves traffic, checked byte by byte at both ends")
    echo = processes.start("core", os.path.join(TOP, "tests/lac/traffic"), "echo", "port=9000",
                           stdout=subprocess.PIPE, text=True)
    echo.stdout.readline()  # it is ready
    lac.do("echo session=all to=10.0.2.2:9000 size=1200 count=2000")
    processes.stop(echo)
    say("what the operator sees")
    cli(folder, "show tunnels", "show session", "show pool")
    invite()


def invite():
    say("look around for %d seconds (or ^C), from another terminal:" % WAIT_SEC)
    print("   ip netns exec %s telnet 127.0.0.1 23\n   demo> show session 1\n   demo> enable"
          "\n   demo# drop user user3" % NS["lns"], flush=True)
    if sys.stdin.isatty() and sys.stdout.isatty():
        time.sleep(WAIT_SEC)
    else:
        print("   (nobody at a terminal: not waiting)")


def clean_up(processes):
    processes.close()
    for ns in NS.values():
        subprocess.run(["ip", "netns", "del", ns], stderr=subprocess.DEVNULL)


def main():
    if os.geteuid() != 0:
        sys.exit("demo: must be root, to make network namespaces")
    for each in STOPS:
        signal.signal(each, on_stop)
    code = 0
    processes = Processes()
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # open between `try` and `finally` only
    with tempfile.TemporaryDirectory(prefix="l2tpns-demo-") as folder:
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
            make_network()
            write_files(folder)
            show(processes, folder)
            signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        except Stopped as stopped:
            number = stopped.args[0]
            code = 0 if number == signal.SIGINT else 128 + number
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
            clean_up(processes)
    with contextlib.suppress(OSError):  # the terminal may be gone
        say("end: all that was made has been removed")
    sys.exit(code)


if __name__ == "__main__":
    main()
