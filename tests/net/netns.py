"""Network namespaces without names, and processes in them.

A Namespace is held by a file descriptor only, so the kernel removes it with the last process in it: whatever way a
test ends, nothing is left behind. Its devices have the plainest names, as no other test can see them.

    with ns:                          # this thread is in the namespace
        sock = socket.socket(...)     # and what it creates belongs there
    ns.run("ip", "addr")              # a command, to its end
    ns.start("iperf3", "-s")          # a process that runs beside the test

Network is the plant of most tests:   lac --- lns --- core
"""

import ctypes
import fcntl
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time

_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
CLONE_NEWNS = 0x20000
CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS,
           signal.SIGKILL}


def _call(function, *args):
    if function(*args) < 0:
        err = ctypes.get_errno()
        raise OSError(err, os.strerror(err), function.__name__)


class Failed(AssertionError):
    """A command ended with an error; the text holds what it printed."""


class Timeout(AssertionError):
    """What a test waited for did not happen."""


def wait_for(predicate, what, timeout=30):
    """Ask predicate() until it yields something true, and return that."""
    end = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise Timeout("%s did not come within %g s" % (what, timeout))
        time.sleep(0.02)


class Namespace:
    """One network namespace; `with` it to be inside (nesting is fine)."""

    def __init__(self, name):
        self.name = name
        self.home = threading.local()
        self.fd = -1
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call(_libc.unshare, CLONE_NEWNET)
            self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            _call(_libc.setns, home, CLONE_NEWNET)
            os.close(home)
        self.path = "/proc/%d/fd/%d" % (os.getpid(), self.fd)
        self.processes = []
        self.ip("link set lo up")
        for sysctl in "all", "default":
            self.sysctl("ipv4.conf.%s.rp_filter" % sysctl, 0)
            self.sysctl("ipv6.conf.%s.accept_dad" % sysctl, 0)

    def __enter__(self):
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.home.stack = getattr(self.home, "stack", []) + [here]
        _call(_libc.setns, self.fd, CLONE_NEWNET)
        return self

    def __exit__(self, *_):
        home = self.home.stack.pop()
        _call(_libc.setns, home, CLONE_NEWNET)
        os.close(home)

    def run(self, *argv, check=True, timeout=60, **kwargs):
        """Run a command to its end; its output (both streams) as text."""
        with self:
            done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  errors="replace", timeout=timeout, **kwargs)
        if check and done.returncode:
            raise Failed("%s: exit %d\n%s" % (" ".join(argv), done.returncode, done.stdout))
        return done.stdout

    def ip(self, *lines):
        """ip(8) commands, as one batch."""
        self.run("ip", "-batch", "-", input="\n".join(lines) + "\n")

    def sysctl(self, name, value):
        with self, open("/proc/sys/net/" + name.replace(".", "/"), "w") as f:
            f.write(str(value))

    def start(self, *argv, **kwargs):
        """Start a Process here; it is ended with the namespace at the latest."""
        with self:
            process = Process(argv, **kwargs)
        self.processes.append(process)
        return process

    def socket(self, *args):
        with self:
            return socket.socket(*args)

    def sniff(self, device):
        return Sniffer(self, device)

    def plug(self, device, other, other_device, mtu=1500):
        """A cable: a veth pair between this namespace and another, offloads off."""
        self.ip("link add %s mtu %d type veth peer name %s mtu %d netns %s"
                % (device, mtu, other_device, mtu, other.path))
        for ns, dev in (self, device), (other, other_device):
            ns.ip("link set dev %s up" % dev)
            ns.run("ethtool", "-K", dev, "tx", "off", "tso", "off", "gso", "off", "gro", "off")

    def close(self):
        if self.fd < 0:
            return
        for process in reversed(self.processes):
            process.kill()
        os.close(self.fd)
        self.fd = -1


class Process:
    """A child process with its output at hand, line by line, as it comes.

    It dies with the test (the kernel sees to it), and only by its own process id: that remains its own, and its group's,
    until kill(), since nobody reaps it before. Ids come round within minutes here, and who ended long ago is killed with
    his namespace once more.
    """

    fallen = []  # what is to be told of those that crashed; conftest.py does, and clears it

    def __init__(self, argv, env=None, log=None, stdin=None, **kwargs):
        self.name = os.path.basename(argv[0])
        self.lines = []
        self.closed = False
        self.news = threading.Condition()
        self.log = open(log, "wb", buffering=0) if log else None
        self.popen = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *argv], stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=dict(os.environ, **(env or {})), start_new_session=True, **kwargs)
        self.pid = self.popen.pid
        self.look = threading.Lock()
        self.code = None  # as wait() yields it
        self.reaped = False
        self.sent = []  # signals, by us
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for raw in self.popen.stdout:
            if self.log:
                self.log.write(raw)
            with self.news:
                self.lines.append(raw.decode("utf-8", "replace").rstrip("\r\n"))
                self.news.notify_all()
        with self.news:
            self.closed = True
            self.news.notify_all()

    @property
    def output(self):
        return "\n".join(self.lines)

    def wait_line(self, pattern, start=0, timeout=30):
        """Wait for an output line that matches; yields the match."""
        end = time.monotonic() + timeout
        regex = re.compile(pattern)
        with self.news:
            while True:
                for line in self.lines[start:]:
                    match = regex.search(line)
                    if match:
                        return match
                    start += 1
                left = end - time.monotonic()
                if left <= 0 or self.closed:
                    raise Timeout("%s printed no line like %r; but:\n%s" % (self.name, pattern, self.output[-4000:]))
                self.news.wait(left)

    def alive(self):
        with self.look:
            if self.code is None:
                found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if found:
                    self.code = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
                    self._tell()
            return self.code is None

    def wait(self, timeout=30):
        """Wait for its end; yields the exit code (negative: a signal)."""
        end = time.monotonic() + timeout
        while self.alive():
            if time.monotonic() > end:
                raise Timeout("%s did not end within %g s" % (self.name, timeout))
            time.sleep(0.005)
        self.reader.join(5)
        return self.code

    def send_signal(self, number):
        if not self.reaped:
            self.sent.append(number)
            os.kill(self.pid, number)

    def kill(self):
        """End it at once, and what it has started: its process group, which nobody else is in."""
        if self.reaped:
            return
        if self.alive():
            self.sent.append(signal.SIGKILL)
        os.killpg(self.pid, signal.SIGKILL)
        self.wait()
        self.popen.wait()
        self.reaped = True

    def _tell(self):
        """Of one that crashed, or was killed by somebody else."""
        if -self.code in CRASHES and -self.code not in self.sent:
            self.fallen.append(self.obituary())

    def obituary(self, lines=60):
        """How it ended, whether by us, and its last words, which may come behind its end."""
        self.reader.join(5)
        how = "exit status %d" % self.code if self.code >= 0 else signal.Signals(-self.code).name
        return "\n".join(["%s (process %d) is gone: %s; signals that it got from here: %s; it said:" % (
            self.name, self.pid, how, " ".join(signal.Signals(n).name for n in self.sent) or "none"),
            *self.lines[-lines:], *self._kernels_words()])

    def _kernels_words(self):
        """Where it crashed, if the kernel tells us."""
        said = subprocess.run(["dmesg"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace",
                              check=False)
        return [line for line in said.stdout.splitlines() if "%s[%d]" % (self.name[:15], self.pid) in line]

    def stop(self, number=signal.SIGTERM, timeout=30):
        """Ask it to end and see that it does; yields the exit code."""
        if self.alive():
            self.send_signal(number)
        return self.wait(timeout)


class Sniffer:
    """Sees each frame of a device, both directions, from now on."""

    ETH_P_ALL = 3

    def __init__(self, ns, device):
        self.sock = ns.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(self.ETH_P_ALL))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.sock.bind((device, self.ETH_P_ALL))
        self.sock.settimeout(0)

    def packets(self):
        """The IP packets since the last call."""
        got = []
        while True:
            try:
                got.append(self.sock.recv(65536))
            except BlockingIOError:
                return got

    def wait(self, predicate, timeout=30):
        """The first packet that satisfies the predicate."""
        end = time.monotonic() + timeout
        while True:
            self.sock.settimeout(max(0.01, end - time.monotonic()))
            try:
                packet = self.sock.recv(65536)
            except (BlockingIOError, socket.timeout):
                raise Timeout("the packet did not come") from None
            finally:
                self.sock.settimeout(0)
            if predicate(packet):
                return packet

    def close(self):
        self.sock.close()


class Network:
    """lac (LAC and subscribers) --- lns (the daemon) --- core (what subscribers talk to; RADIUS).

    The lac side is a bridge, so that a user-mode Linux (10.1.0.3) can be plugged in beside the plain LAC (10.1.0.2).
    """

    LAC, LNS, UML = "10.1.0.2", "10.1.0.1", "10.1.0.3"
    LNS2 = "10.1.0.11"  # a second address of the LNS towards the LAC
    CORE_LNS, CORE, CORE2 = "10.2.0.1", "10.2.0.2", "10.2.0.3"
    POOL = "10.9.0.0/24"

    def __init__(self):
        self.all = []
        self.lac = self._new("lac")
        self.lns = self._new("lns")
        self.core = self._new("core")
        self.lac.ip("link add br0 type bridge forward_delay 0", "link set br0 up")
        self.lac.plug("lns", self.lns, "lac")
        self.lac.ip("link set lns master br0", "addr add %s/16 dev br0" % self.LAC)
        self.lns.plug("core", self.core, "lns")
        self.lns.ip("addr add %s/16 dev lac" % self.LNS, "addr add %s/16 dev lac" % self.LNS2,
                    "addr add %s/16 dev core" % self.CORE_LNS)
        self.core.ip("addr add %s/16 dev lns" % self.CORE, "addr add %s/16 dev lns" % self.CORE2,
                     "route add default via %s" % self.CORE_LNS)
        self.lns.sysctl("ipv4.ip_forward", 1)

    def _new(self, name):
        ns = Namespace(name)
        self.all.append(ns)
        return ns

    def tap(self, device):
        """A tap on the bridge of the LAC side, for a virtual machine."""
        with self.lac:
            tun = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
            try:
                ifr = struct.pack("16sH22x", device.encode(), 0x1002)  # IFF_TAP | IFF_NO_PI
                fcntl.ioctl(tun, 0x400454CA, ifr)  # TUNSETIFF
                fcntl.ioctl(tun, 0x400454CB, 1)  # TUNSETPERSIST
            finally:
                os.close(tun)
        self.lac.ip("link set %s master br0 up" % device)

    def close(self):
        for ns in reversed(self.all):
            ns.close()
