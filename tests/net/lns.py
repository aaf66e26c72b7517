"""The daemon under test, and its command line.

    lns = Lns(network, folder, {"l2tp_secret": "s"}, local_users={"joe": "pw"})
    lns.cli.run("show session")           # list of lines
    lns.sessions()                        # the same as a list of dicts by column name
    lns.stop()                            # SIGTERM; sees that the end was clean
"""

import json
import os
import re
import signal
import socket
import struct
import time

from netns import Timeout, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SANITIZER = re.compile(r"(AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|runtime error:).*")


def plugin_dir():
    """Where the plugins lie that were built with it."""
    folder = os.path.dirname(binary())
    return os.path.join(ROOT, "build" if folder == ROOT else folder, "plugins")


def binary():
    """The program to test: $L2TPNS, or the one that make built."""
    return os.path.abspath(os.environ.get("L2TPNS", os.path.join(ROOT, "l2tpns")))


class Cli:
    """A telnet client good enough for libcli: strips the option negotiation and finds the prompt."""

    PROMPT = re.compile(rb"(?:^|\n)([\w.-]+)((?:\([\w-]+\))?[>#] )$")
    IAC = re.compile(rb"\xff(?:[\xfb-\xfe].|\xfa.*?\xff\xf0|[^\xfa-\xfe])", re.S)

    def __init__(self, sock, timeout=30):
        self.sock = sock
        self.timeout = timeout
        self.raw = b""

    @classmethod
    def tcp(cls, ns, address="127.0.0.1", port=23):
        sock = ns.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(30)
        sock.connect((address, port))
        return cls(sock)

    @classmethod
    def unix(cls, path):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(30)
        sock.connect(path)
        return cls(sock)

    def read_until(self, regex):
        """Collect until the text (negotiation and returns removed) matches; yields the text."""
        end = time.monotonic() + self.timeout
        while True:
            text = self.IAC.sub(b"", self.raw).replace(b"\r", b"").replace(b"\0", b"")
            if re.search(regex, text):
                self.raw = b""
                return text.decode("utf-8", "replace")
            self.sock.settimeout(max(0.01, end - time.monotonic()))
            try:
                part = self.sock.recv(65536)
            except socket.timeout:
                raise Timeout("the CLI printed %r" % text) from None
            if not part:
                raise ConnectionError("the CLI closed the connection after %r" % text)
            self.raw += part

    def prompt(self):
        """Wait for a prompt; yields (text before it, prompt)."""
        text = self.read_until(self.PROMPT)
        body, _, prompt = text.rpartition("\n")
        return body, prompt

    def send(self, line):
        self.sock.sendall(line.encode() + b"\r\n")

    def run(self, line):
        """Run a command; its output lines, without echo and prompt."""
        self.send(line)
        body, self.last_prompt = self.prompt()
        lines = body.split("\n")
        if lines and lines[0].strip() == line.strip():
            lines = lines[1:]
        return [one for one in lines]

    def login(self, user, password):
        """Give name and password; True when a prompt follows."""
        self.read_until(rb"(?i:user ?name|login): ?$")
        self.send(user)
        self.read_until(rb"(?i:password): ?$")
        self.send(password)
        text = self.read_until(rb"(?i:user ?name|login): ?$|" + self.PROMPT.pattern)
        return bool(self.PROMPT.search(text.encode()))

    def enable(self, password=None):
        """Go to privileged mode; True when it let us."""
        self.send("enable")
        text = self.read_until(rb"(?i:password): ?$|" + self.PROMPT.pattern)
        if not self.PROMPT.search(text.encode()):
            self.send(password or "")
            text = self.read_until(rb"(?i:password): ?$|" + self.PROMPT.pattern)
        return text.endswith("# ")

    def close(self):
        self.sock.close()


class Lns:
    """One daemon in the lns namespace of a network."""

    def __init__(self, network, folder, settings=None, pool=("10.9.0.0/24",), local_users=None, users=None, extra=(),
                 ns=None, start=True, argv=(), clock=False, env=None):
        self.network = network
        self.ns = ns or network.lns
        self.folder = str(folder)
        os.makedirs(os.path.join(self.folder, "state"), exist_ok=True)
        self.config = os.path.join(self.folder, "startup-config")
        self.socket = os.path.join(self.folder, "cli")
        self.process = None
        self.program = None  # another one than binary()
        self.settings = {
            "debug": 3, "hostname": "lns1", "pid_file": self._path("pid"), "state_dir": self._path("state"),
            "cli_socket": self.socket, "bind_address": network.LNS, "cluster_interface": "lo", "ppp_restart_time": 1,
            "plugin_dir": plugin_dir()}
        self.settings.update(settings or {})
        if local_users is not None:
            self.settings["local_users"] = self._path("local_users")
            self.write("local_users", "".join('"%s" * "%s" *\n' % (u, p) for u, p in local_users.items()))
        if pool is not None:
            self.write("ip_pool", "".join(line + "\n" for line in pool))
        self.enable_password = (users or {}).get("enable")
        if users is not None:
            self.write("users", "".join("%s:%s\n" % (u, p) for u, p in users.items()))
        self.extra = list(extra)
        self.env = dict(env or {})
        self.write_config()
        self._cli = None
        self.argv = list(argv)
        self.ahead = [0, 0] if clock else None  # seconds, of the monotonic and the wall clock
        if start:
            self.start()

    def _path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self._path(name), "w") as f:
            f.write(text)

    def read(self, name):
        with open(self._path(name), errors="replace") as f:
            return f.read()

    def write_config(self):
        lines = []
        for name, value in self.settings.items():
            if isinstance(value, bool):
                value = "yes" if value else "no"
            lines.append('set %s "%s"' % (name, value))
        self.write("startup-config", "\n".join(lines + self.extra) + "\n")

    def step(self, seconds, wall=None):
        """Put its clocks ahead: it believes that so much time has passed. Needs clock=True."""
        self.put_ahead(seconds, wall)
        turns = self.counters()["select_called"]
        wait_for(lambda: self.counters()["select_called"] > turns + 1, "a turn of its loop")

    def put_ahead(self, seconds, wall=None):
        """The same for one that may end by it."""
        self.ahead[0] += seconds
        self.ahead[1] += seconds if wall is None else wall
        with open(self._path("clock"), "r+b") as f:
            f.write(struct.pack("=qq", *self.ahead))

    def _clock(self):
        """The environment that puts tests/net/stepclock.c in front of its clocks."""
        if self.ahead is None:
            return {}
        with open(self._path("clock"), "wb") as f:
            f.write(struct.pack("=qq", *self.ahead))
        return {"LD_PRELOAD": os.path.join(ROOT, "build", "tests", "net", "stepclock.so"),
                "STEPCLOCK": self._path("clock")}

    def start(self):
        """Start it and wait until it says that it serves."""
        path = self._path("notify")
        if os.path.exists(path):
            os.unlink(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            os.chmod(path, 0o777)  # as systemd makes its own: `setuid` does not matter
            self.process = self.ns.start(
                self.program or binary(), "-c", self.config, *self.argv, log=self._path("log"),
                env={"NOTIFY_SOCKET": path,
                     "ASAN_OPTIONS": "abort_on_error=1:detect_leaks=1:verify_asan_link_order=0",
                     "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1", **self._clock(), **self.env})
            notify.settimeout(0.1)
            end = time.monotonic() + 30
            while True:
                try:
                    if b"READY=1" in notify.recv(4096):
                        return self
                except socket.timeout:
                    pass
                if not self.process.alive() or time.monotonic() > end:
                    raise Timeout("the daemon did not become ready:\n"
                                  + (self.process.output[-4000:] if self.process.alive() else self.process.obituary()))

    @property
    def log(self):
        return self.process.output

    def wait_log(self, pattern, start=0, timeout=30):
        return self.process.wait_line(pattern, start, timeout)

    def check(self):
        """It runs, and no sanitizer has complained."""
        assert self.process.alive(), self.process.obituary()
        self._check_log()

    def _check_log(self):
        complaint = SANITIZER.search(self.log)
        assert not complaint, self.log[complaint.start():][:4000]

    def stop(self, number=signal.SIGTERM, timeout=30):
        """End it; a crash, a sanitizer's report or an exit code is a failure."""
        if self._cli:
            self._cli.close()
            self._cli = None
        if self.process is None:
            return
        process = self.process
        code = process.stop(number, timeout)
        self._check_log()
        assert code == 0, self.process.obituary()

    def close(self):
        """Clean up after a test, and check what there is to check."""
        if self.process and self.process.alive():
            try:
                self.stop()
            finally:
                self.process.kill()

    # ------------------------------------------------------------------ command line

    def open_cli(self, enable=True):
        """A new connection over the unix socket."""
        cli = Cli.unix(self.socket)
        cli.prompt()
        if enable:
            assert cli.enable(self.enable_password), "enable was refused"
        return cli

    @property
    def cli(self):
        if self._cli is None:
            self._cli = self.open_cli()
        return self._cli

    def run(self, command):
        return self.cli.run(command)

    def set(self, line):
        """A line in configuration mode."""
        self.cli.run("configure terminal")
        output = self.cli.run(line)
        self.cli.run("exit")
        return output

    def table(self, command):
        """The output of a `show` with one header line, as dicts."""
        lines = [line for line in self.run(command) if line.strip()]
        if not lines:
            return []
        names = lines[0].split()
        return [dict(zip(names, line.split())) for line in lines[1:]]

    def sessions(self):
        return self.table("show session")

    def session(self, user):
        """The one session of a user, or None."""
        found = [s for s in self.sessions() if s["Username"] == user]
        assert len(found) < 2, found
        return found[0] if found else None

    def wait_session(self, user, timeout=30):
        return wait_for(lambda: self.session(user), "a session of " + user, timeout)

    def wait_gone(self, user, timeout=30):
        wait_for(lambda: self.session(user) is None, "the end of the session of " + user, timeout)

    def details(self, session):
        """`show session ID` as a dict."""
        return self._details("show session %s" % session)

    def tunnel_details(self, tunnel):
        """`show tunnels ID` as a dict."""
        return self._details("show tunnels %s" % tunnel)

    def _details(self, command):
        found = {}
        for line in self.run(command):
            key, colon, value = line.partition(":")
            if colon:
                found[key.strip()] = value.strip()
        return found

    def tunnels(self, which=""):
        """`show tunnels`: TID, Hostname, IP, State, Sessions; with "all" those too that are ending."""
        return [t for t in self.table("show tunnels " + which) if t.get("State") != "Free"]

    def pool(self):
        """`show pool`: {address: user of a used one}, and the counts {Free, Used}."""
        used, counts = {}, {}
        for line in self.run("show pool"):
            words = line.split()
            if len(words) == 4 and words[1] == "Y":
                used[words[0]] = words[3]
            match = re.match(r"(Free|Used):\s+(\d+)", line)
            if match:
                counts[match.group(1)] = int(match.group(2))
        return used, counts

    def counters(self):
        """All counters by name, from the JSON form."""
        return flatten(json.loads("\n".join(self.run("show counters json"))))

    def memory(self):
        """Proportional set size in bytes."""
        with open("/proc/%d/smaps_rollup" % self.process.pid) as f:
            return int(re.search(r"^Pss:\s+(\d+) kB", f.read(), re.M).group(1)) * 1024


def flatten(value, prefix=""):
    """Nested JSON objects to one dict with dotted names, numbers only."""
    flat = {}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in items:
        name = "%s.%s" % (prefix, key) if prefix else str(key)
        if isinstance(one, (dict, list)):
            flat.update(flatten(one, name))
        elif isinstance(one, (int, float)) and not isinstance(one, bool):
            flat[name] = one
    return flat
