"""The bench's world: namespaces, programs in them, and figures read from /proc.

Three namespaces in a row, joined by veth: lac - lns - core. Everything made is undone by
World.close(), whatever happened in between.
"""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time

LAC_IP, LNS_IP = "192.0.2.1", "192.0.2.2"
LNS_CORE_IP, CORE_IP = "198.51.100.1", "198.51.100.2"
POOL = "10.64.0.0/15"
SECRET = "bench"
SYSCTLS = {
    "net/core/rmem_max": 33554432,
    "net/core/wmem_max": 33554432,
    "net/core/netdev_max_backlog": 50000,
}


class BenchError(Exception):
    pass


def run(*argv):
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


def parse(line):
    """`ok a=1 b="x y"` -> (True, {...})"""
    words = shlex.split(line)
    values = dict(w.split("=", 1) for w in words[1:] if "=" in w)
    return words[0] == "ok", values


class Proc:
    """A program in a namespace, pinned to a CPU, ended by its own pid."""

    def __init__(self, ns, argv, cpu=None, stdin=None, stdout=subprocess.PIPE, env=None):
        def prepare():
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})

        self.p = subprocess.Popen(
            ["ip", "netns", "exec", ns] + argv, stdin=stdin, stdout=stdout,
            stderr=subprocess.STDOUT if stdout != subprocess.PIPE else None,
            text=True, bufsize=1, start_new_session=True, preexec_fn=prepare, env=env)
        self.pid = self.p.pid  # ip netns exec does not fork

    def read_line(self):
        line = self.p.stdout.readline()
        if not line:
            raise BenchError("%s ended" % self.p.args[4])
        return line.strip()

    def kill(self, sig):
        if self.p.poll() is None:
            os.kill(self.pid, sig)

    def end(self, sig=signal.SIGTERM):
        self.kill(sig)
        try:
            self.p.wait(10)
        except subprocess.TimeoutExpired:
            self.kill(signal.SIGKILL)
            self.p.wait()
        for f in (self.p.stdin, self.p.stdout):
            if f:
                f.close()


class Lac(Proc):
    def __init__(self, world, gso=False):
        argv = [world.tool("lac"), "-q", "-l", LNS_IP] + (["-G"] if gso else [])
        super().__init__(world.ns("lac"), argv, world.cpu_rest, stdin=subprocess.PIPE)
        self.items = []

    def ask(self, command, must=True):
        self.p.stdin.write(command + "\n")
        self.p.stdin.flush()
        self.items = []
        while True:
            line = self.read_line()
            if not line.startswith("item "):
                break
            self.items.append(parse(line)[1])
        ok, values = parse(line)
        if must and not ok:
            raise BenchError("lac: %s: %s" % (command, line))
        values["ok"] = ok
        return values


class Lns(Proc):
    """Either product, in a directory of its own with its configuration."""

    def __init__(self, world, path, old):
        self.old, self.dir = old, tempfile.mkdtemp(prefix="lns-", dir=world.dir)
        self.log = open(os.path.join(self.dir, "output"), "w")
        write(self.dir, "ip_pool", POOL + "\n")
        write(self.dir, "users", "")
        write(self.dir, "startup-config", old_config() if old else our_config(self.dir))
        conf = os.path.join(self.dir, "startup-config")
        env = dict(os.environ)
        self.notify = None
        if old:
            argv = ["sh", "-c", 'mount --make-rprivate / && mount --bind "$1" /etc/l2tpns && '
                    'exec "$2" -c /etc/l2tpns/startup-config', "sh", self.dir, path]
        else:
            argv = [path, "-c", conf]
            self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.notify.bind(os.path.join(self.dir, "notify"))
            env["NOTIFY_SOCKET"] = os.path.join(self.dir, "notify")
        super().__init__(world.ns("lns"), argv, world.cpu_lns, stdout=self.log, env=env)

    def wait_ready(self, lac):
        """Until it serves: sd_notify where there is one, then a tunnel that comes up."""
        deadline = time.monotonic() + 20
        if self.notify:
            self.notify.settimeout(20)
            while b"READY=1" not in self.notify.recv(4096):
                pass
        while not lac.ask("tunnel secret=%s timeout=1" % SECRET, must=False)["ok"]:
            if time.monotonic() > deadline or self.p.poll() is not None:
                raise BenchError("the LNS does not serve; its output:\n" + self.tail())
        lac.ask("stop tunnel=all", must=False)
        lac.ask("forget")

    def tail(self):
        with open(os.path.join(self.dir, "output"), errors="replace") as f:
            return "".join(f.readlines()[-15:])

    def cpu_ns(self):
        with open("/proc/%d/schedstat" % self.pid) as f:
            ns = int(f.read().split()[0])
        if ns:
            return ns
        with open("/proc/%d/stat" % self.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * 1000000000 // os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Pss in bytes: what is private, and its part of what is shared."""
        with open("/proc/%d/smaps_rollup" % self.pid) as f:
            for line in f:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
        raise BenchError("no Pss")

    def end(self, sig=signal.SIGKILL):
        super().end(sig)
        self.log.close()
        if self.notify:
            self.notify.close()


def write(folder, name, text):
    with open(os.path.join(folder, name), "w") as f:
        f.write(text)


def common_config():
    return """
set debug 1
set hostname bench
set l2tp_secret %s
set bind_address %s
set peer_address %s
set primary_radius %s
set primary_radius_port 1812
set radius_secret %s
set radius_authtypes pap
set allow_duplicate_users yes
set cli_bind_address 127.0.0.1
set cluster_interface core
set send_garp no
""" % (SECRET, LNS_IP, LNS_IP, CORE_IP, SECRET)


def old_config():
    return common_config() + """
set cluster_hb_timeout 31
set log_file /etc/l2tpns/log
set pid_file /etc/l2tpns/pid
"""


def our_config(folder):
    return common_config() + """
set hello_interval 60
set state_dir %s
set cli_socket %s/cli
""" % (folder, folder)


class World:
    def __init__(self, tools, pin=True):
        self.tools = tools
        self.tag = "l2b%d" % os.getpid()
        self.dir = tempfile.mkdtemp(prefix="l2tpns-bench-")
        self.procs = []
        self.saved = {}
        self.spaces = []
        cpus = sorted(os.sched_getaffinity(0))
        self.cpu_lns = cpus[0] if pin and len(cpus) > 1 else None
        self.cpu_rest = cpus[1] if pin and len(cpus) > 1 else None

    def ns(self, name):
        return "%s-%s" % (self.tag, name)

    def tool(self, name):
        return os.path.join(self.tools, name)

    def open(self):
        self.set_sysctls()
        for name in ("lac", "lns", "core"):
            run("ip", "netns", "add", self.ns(name))
            self.spaces.append(self.ns(name))
            run("ip", "-n", self.ns(name), "link", "set", "lo", "up")
        self.join("lac", LAC_IP, "lns", LNS_IP)
        self.join("core", CORE_IP, "lns", LNS_CORE_IP)
        run("ip", "-n", self.ns("core"), "route", "add", POOL, "via", LNS_CORE_IP)
        run("ip", "netns", "exec", self.ns("lns"), "sysctl", "-qw", "net.ipv4.ip_forward=1")

    def join(self, a, a_ip, b, b_ip):
        """A veth pair; each end is named after the other side."""
        run("ip", "link", "add", b, "netns", self.ns(a), "txqueuelen", "10000", "type", "veth",
            "peer", "name", a, "netns", self.ns(b))
        for ns, dev, ip in ((a, b, a_ip), (b, a, b_ip)):
            run("ip", "-n", self.ns(ns), "addr", "add", ip + "/24", "dev", dev)
            run("ip", "-n", self.ns(ns), "link", "set", dev, "up", "txqueuelen", "10000")

    def set_sysctls(self):
        for name, value in SYSCTLS.items():
            path = "/proc/sys/" + name
            with open(path) as f:
                self.saved[path] = f.read()
            if int(self.saved[path]) < value:
                with open(path, "w") as f:
                    f.write(str(value))

    def add(self, proc):
        self.procs.append(proc)
        return proc

    def drop(self, proc, sig=signal.SIGTERM):
        self.procs.remove(proc)
        proc.end(sig)

    def core(self, *argv):
        """A tool in the core namespace, ready to serve."""
        p = self.add(Proc(self.ns("core"), [self.tool(argv[0])] + list(argv[1:]), self.cpu_rest))
        if p.read_line() != "ready":
            raise BenchError("%s did not start" % argv[0])
        return p

    def close(self):
        for p in reversed(self.procs):
            p.end(signal.SIGKILL)
        for name in self.spaces:
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)
        for path, value in self.saved.items():
            with open(path, "w") as f:
                f.write(value)
        shutil.rmtree(self.dir, ignore_errors=True)
