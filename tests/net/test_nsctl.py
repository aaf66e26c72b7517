"""nsctl and its server: commands, exit codes, who may command, packets that should not be, the plugins' commands."""

import hashlib
import hmac
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

import packets
from lns import ROOT, SANITIZER, binary
from netns import Timeout, wait_for
from pylac import CDN, Lac

NSCTL = os.path.join(os.path.dirname(binary()), "nsctl")
PLUGINS = next(path for path in (os.path.join(os.path.dirname(binary()), "plugins"),
                                 os.path.join(ROOT, "build", "plugins")) if os.path.isdir(path))
PORT = 1702
SECRET = "open sesame"
USERS = {"user1": "secret", "user2": "secret", "77": "secret"}

HELLO, CHALLENGE, COMMAND, REPLY = 1, 2, 3, 4


def nsctl(ns, *argv, secret=None, timeout=40):
    """Run it to its end; (exit code, stdout, stderr)."""
    env = dict(os.environ)
    env.pop("NSCTL_SECRET", None)
    if secret is not None:
        env["NSCTL_SECRET"] = secret
    with ns:
        process = subprocess.Popen([NSCTL, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   stdin=subprocess.DEVNULL, env=env)
    out, err = process.communicate(timeout=timeout)
    assert not SANITIZER.search(err), err
    return process.returncode, out, err


class Packet:
    """A message of nsctl, by a second hand."""

    def __init__(self, data):
        self.raw = data
        magic, version, self.type, self.flags, self.id = struct.unpack("!4sBBHQ", data[:16])
        assert (magic, version) == (b"NSCT", 1)
        self.nonce = data[16:32]
        self.body = data[32:-32] if self.flags & 1 else data[32:]
        if self.type == REPLY:
            self.status, self.part, self.parts, length = struct.unpack("!BBBH", self.body[:5])
            self.text = self.body[5:].decode()
            assert len(self.body) == 5 + length

    def signed_by(self, secret):
        return bool(self.flags & 1) and self.raw[-32:] == sign(self.raw[:-32], secret)


def sign(data, secret):
    return hmac.new(secret.encode(), data, hashlib.sha256).digest()


def message(kind, words=(), number=None, nonce=bytes(16), secret=None):
    data = struct.pack("!4sBBHQ", b"NSCT", 1, kind, 1 if secret else 0,
                       int.from_bytes(os.urandom(8), "big") if number is None else number) + nonce
    if kind == COMMAND:
        data += bytes([len(words)]) + b"".join(struct.pack("!H", len(w)) + w.encode() for w in words)
    return data + (sign(data, secret) if secret else b"")


class Client:
    """A socket that speaks to the server in messages of our own making."""

    def __init__(self, ns, address="127.0.0.1"):
        self.peer = (address, PORT)
        self.sock = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def send(self, data):
        self.sock.sendto(data, self.peer)

    def receive(self, timeout=20.0):
        self.sock.settimeout(timeout)
        try:
            data, source = self.sock.recvfrom(65536)
        except socket.timeout:
            return None
        assert source == self.peer, "an answer from another address"
        return Packet(data)

    def ask(self, data):
        self.send(data)
        answer = self.receive()
        assert answer, "no answer"
        return answer

    def challenge(self, number):
        answer = self.ask(message(HELLO, number=number))
        assert (answer.type, answer.id, answer.flags) == (CHALLENGE, number, 0)
        return answer.nonce

    def close(self):
        self.sock.close()


@pytest.fixture(scope="module")
def site(module):
    module.daemon = module.lns(
        {"nsctl_bind_address": "0.0.0.0", "nsctl_secret": SECRET, "throttle_speed": 0,
         "throttle_buckets": 3, "plugin_dir": PLUGINS},
        local_users=USERS, extra=['load plugin "%s"' % name for name in ("sessionctl", "snoopctl", "throttlectl")],
        clock=True)
    return module


@pytest.fixture
def lns(site):
    if not site.daemon.process.alive():
        site.daemon.start()
    yield site.daemon
    site.daemon.check()


@pytest.fixture
def here(site, lns):
    """nsctl on the daemon's machine."""
    return lambda *argv, **kwargs: nsctl(site.network.lns, *argv, **kwargs)


@pytest.fixture
def there(site, lns):
    """nsctl on another machine."""
    return lambda *argv, **kwargs: nsctl(site.network.core, "-h", site.network.CORE_LNS, *argv, **kwargs)


@pytest.fixture
def online(site, lns):
    """Three subscribers in one tunnel, by name."""
    lac = Lac(site.network)
    tunnel = lac.tunnel()
    sessions = {name: tunnel.session().up(name) for name in USERS}
    yield sessions
    tunnel.stop()
    lac.close()
    wait_for(lambda: lns.sessions() == [], "the end of the sessions")


def counted(lns, name):
    """How much a counter has grown, each time it is asked."""
    before = lns.counters()[name]
    return lambda: lns.counters()[name] - before


# ---------------------------------------------------------------------------- options

@pytest.mark.parametrize("argv", [
    (), ("-Q", "help"), ("-t",), ("-t", "0", "help"), ("-t", "31", "help"), ("-t", "x", "help"), ("-t", "1s", "help"),
    ("-h", "", "help"), ("-h", ":1702", "help"), ("-h", "127.0.0.1:", "help"), ("-h", "127.0.0.1:0", "help"),
    ("-h", "127.0.0.1:65536", "help"), ("-h", "::1", "help"), ("-h", "a" * 300, "help"), ("",),
    ("help",) + ("x",) * 32, ("drop", "x" * 1400), ("drop", "x" * 700, "y" * 700), ("-s", "/nonexistent", "help")])
def test_usage(site, argv):
    """Wrong usage: exit 2, said on stderr."""
    code, out, err = nsctl(site.network.core, *argv)
    assert (code, out) == (2, "") and err.strip(), (code, out, err)


def test_help_option(site):
    code, out, err = nsctl(site.network.core, "--help")
    assert (code, err) == (0, "") and out.startswith("usage: nsctl ")


def test_manual(site):
    """The man page has the options and arguments that --help has, and no others."""
    page = os.path.join(ROOT, "Docs", "nsctl.8")
    usage = nsctl(site.network.core, "--help")[1]
    text = subprocess.run(["mandoc", "-T", "ascii", page], stdout=subprocess.PIPE, text=True, check=True).stdout
    text = re.sub(".\b", "", text)
    synopsis = " ".join(re.search(r"^SYNOPSIS\n(.*?)^DESCRIPTION", text, re.S | re.M).group(1).split())
    assert synopsis == re.search(r"usage: (.*)", usage).group(1) + " nsctl --help"
    described = re.findall(r"^     (-\S+)", text, re.M)
    assert described == re.findall(r"^  (-\S+)", usage, re.M) and len(described) == 5


# ---------------------------------------------------------------------------- no answer

def test_no_server(site):
    """Nobody listens: that is told, not waited for."""
    code, out, err = nsctl(site.network.core, "help")
    assert (code, out) == (2, "") and "127.0.0.1:1702: Connection refused" in err


def test_unknown_host(site):
    code, out, err = nsctl(site.network.lns, "-h", "no.such.host.invalid", "help")
    assert (code, out) == (2, "") and "no.such.host.invalid" in err


def test_timeout(site):
    """Silence: the same request again and again, until the time is over."""
    with site.network.core.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        began = time.monotonic()
        code, out, err = nsctl(site.network.core, "-t", "1", "-h", "127.0.0.1:%d" % silent.getsockname()[1], "drop", "a")
        took = time.monotonic() - began
        silent.settimeout(0.1)
        seen = []
        with pytest.raises(socket.timeout):
            while True:
                seen.append(silent.recv(2000))
    assert (code, out) == (2, "") and "did not answer within 1 s" in err
    print("took %.2f s" % took)
    assert 2 <= len(seen) <= 6 and len(set(seen)) == 1
    assert Packet(seen[0]).type == COMMAND


def test_false_answers(site):
    """Answers of another id, another form or without a signature are none."""
    with site.network.core.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((site.network.CORE, 0))
        found = []

        def serve():
            data, client = server.recvfrom(2000)
            request = Packet(data)
            for answer in (b"", os.urandom(40), data, message(REPLY) + b"\0\0\1\0\0",
                           message(REPLY, number=request.id) + b"\0\0\1\0\0",
                           message(CHALLENGE, number=request.id + 1, nonce=b"n" * 16)):
                server.sendto(answer, client)
            server.sendto(message(CHALLENGE, number=request.id, nonce=b"n" * 16), client)
            data, client = server.recvfrom(2000)
            while Packet(data).type != COMMAND:
                data, client = server.recvfrom(2000)
            found.append(Packet(data))
            reply = struct.pack("!4sBBHQ", b"NSCT", 1, REPLY, 1, request.id) + b"n" * 16 + b"\0\0\1\0\0"
            server.sendto(message(REPLY, number=request.id) + b"\0\0\1\0\0", client)
            server.sendto(reply + sign(reply, "another"), client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        code, out, err = nsctl(site.network.lns, "-t", "1", "-h", "%s:%d" % server.getsockname(), "drop", "a",
                               secret=SECRET)
        thread.join(5)
    assert (code, out) == (2, "") and "is the secret right?" in err
    assert found[0].signed_by(SECRET) and not found[0].signed_by("another")


# ---------------------------------------------------------------------------- built-in commands

@pytest.mark.san
def test_plugins_are_loaded(here):
    """Silence and 0 when it is done; one line and 1 when it is not."""
    assert here("unload_plugin", "snoopctl") == (0, "", "")
    code, out, err = here("unload_plugin", "snoopctl")
    assert (code, err) == (1, "") and "snoopctl" in out and out.count("\n") == 1 and out.endswith("\n")
    code, out, _ = here("snoop", "user1", "10.2.0.2", "9")
    assert (code, out) == (1, "unknown command snoop\n")
    assert here("load_plugin", "snoopctl") == (0, "", "")
    for argv in (("load_plugin", "no_such"), ("load_plugin", "../snoopctl"), ("load_plugin",),
                 ("load_plugin", "snoopctl"), ("unload_plugin", "a", "b")):
        code, out, err = here(*argv)
        assert (code, err) == (1, "") and out.count("\n") == 1, (argv, out)


@pytest.mark.san
def test_help(here):
    """A line each: command, arguments, description."""
    code, out, err = here("help")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    for command in ("help", "load_plugin NAME", "unload_plugin NAME", "drop USER|SID [REASON]",
                    "kill USER|SID [REASON]", "snoop USER|SID IP PORT", "unsnoop USER|SID",
                    "throttle USER|SID [RATE|in RATE|out RATE]", "unthrottle USER|SID"):
        found = [line for line in lines if re.match(re.escape(command) + r" +\S", line)]
        assert len(found) == 1, (command, out)


def test_unknown_command(here):
    assert here("frobnicate", "user1") == (1, "unknown command frobnicate\n", "")
    assert here("evil\x1b[2J\nname") == (1, "unknown command evil?[2J\nname\n", "")


def test_commands_are_logged(lns, here):
    """Who, what and how it ended."""
    here("drop", "nobody", "of", "this\nname")
    lns.wait_log(r"nsctl 127\.0\.0\.1:\d+: drop nobody of this\S+name: user nobody is not connected")
    assert SECRET not in lns.log


def test_debug_option(here):
    code, out, err = here("-d", "help")
    assert code == 0 and "-> command" in err and "<- " in err and "drop " in out


def test_host_by_name(here):
    assert here("-h", "localhost", "help")[0] == 0
    assert here("-h", "localhost:1702", "-t", "3", "help")[0] == 0


def test_many_at_once(site, here, there):
    """Fifty clients from here and from there; all are served."""
    done = []

    def one(run, **kwargs):
        done.append(run("-t", "10", "help", **kwargs)[0])
    threads = [threading.Thread(target=one, args=(here,)) for _ in range(25)]
    threads += [threading.Thread(target=one, args=(there,), kwargs={"secret": SECRET}) for _ in range(25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [0] * 50


# ---------------------------------------------------------------------------- who may

def test_default_is_loopback(plant):
    """Without settings it listens on loopback alone, and asks for nothing there."""
    lns = plant.lns()
    listening = plant.network.lns.run("ss", "-Hlun")
    assert re.findall(r"(\S+):1702 ", listening) == ["127.0.0.1"]
    assert nsctl(plant.network.lns, "help")[0] == 0
    code, out, err = nsctl(plant.network.core, "-h", plant.network.CORE_LNS, "help")
    assert (code, out) == (2, "") and "refused" in err
    lns.check()


@pytest.mark.san
def test_remote(lns, there):
    """The right secret is what it takes; other requests are not answered, but counted and logged."""
    assert there("load_plugin", "no_such", secret=SECRET)[0] == 1
    code, out, err = there("help", secret=SECRET)
    assert (code, err) == (0, "") and "load_plugin NAME" in out
    bad_secret, foreign = counted(lns, "nsctl_bad_secret"), counted(lns, "nsctl_foreign")
    code, out, err = there("-t", "1", "help", secret="open Sesame")
    assert (code, out) == (2, "") and "secret" in err
    assert bad_secret() > 2
    code, out, err = there("-t", "1", "help")
    assert (code, out) == (2, "") and "did not answer" in err
    assert foreign() > 2
    lns.wait_log(r"nsctl 10\.2\.0\.2:\d+: refused: it was signed with another secret")
    lns.wait_log(r"nsctl 10\.2\.0\.2:\d+: refused: it is beyond loopback, and its command is not signed")


def test_remote_without_secret(lns, here, there):
    """Without a secret there is no way in from beyond loopback, not even a challenge."""
    lns.set('set nsctl_secret ""')
    try:
        foreign = counted(lns, "nsctl_foreign")
        for secret in None, SECRET:
            assert there("-t", "1", "help", secret=secret)[:2] == (2, "")
        assert foreign() > 5
        assert here("help")[0] == 0
    finally:
        lns.set('set nsctl_secret "%s"' % SECRET)
    assert there("help", secret=SECRET)[0] == 0


def test_secret_file(there, tmp_path):
    """-s: the first line of a file, before NSCTL_SECRET; one that others can read is warned of."""
    file = tmp_path / "secret"
    file.write_text(SECRET + "\nmore\n")
    file.chmod(0o600)
    assert there("-s", str(file), "load_plugin", "no_such", secret="wrong")[0::2] == (1, "")
    file.chmod(0o644)
    code, _, err = there("-s", str(file), "help")
    assert code == 0 and "others have access" in err
    for content in "", "\n", "x" * 128:
        file.write_text(content)
        code, out, err = there("-s", str(file), "help")
        assert (code, out) == (2, "") and str(file) in err
    file.write_text("x" * 127)
    assert there("-t", "1", "-s", str(file), "help")[0] == 2


def test_secret_is_not_needed_here(here):
    """With a secret in the environment, even another one, this machine is served as ever."""
    assert here("help", secret="whatever")[0] == 0


def test_forged_loopback(site, lns):
    """A packet from outside that claims to come from loopback is foreign."""
    site.network.lns.sysctl("ipv4.conf.all.route_localnet", 1)
    site.network.lns.sysctl("ipv4.conf.all.accept_local", 1)
    with site.network.core.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        foreign, done = counted(lns, "nsctl_foreign"), counted(lns, "nsctl_commands")
        raw.sendto(packets.udp("127.0.0.1", site.network.CORE_LNS, 4711, PORT, message(COMMAND, ["load_plugin", "x"])),
                   (site.network.CORE_LNS, 0))
        wait_for(foreign, "the forged packet")
        assert done() == 0


# ---------------------------------------------------------------------------- replays

@pytest.mark.san
def test_repeated(site, lns):
    """A request that comes again is answered again, and done once."""
    client = Client(site.network.lns)
    done, repeated = counted(lns, "nsctl_commands"), counted(lns, "nsctl_repeated")
    request = message(COMMAND, ["load_plugin", "no_such"])
    answers = {client.ask(request).raw for _ in range(5)}
    assert len(answers) == 1 and (done(), repeated()) == (1, 4)
    assert Packet(answers.pop()).status == 1
    client.close()


@pytest.mark.san
def test_replayed(site, lns):
    """A recorded request: the recorded answer for a while, then none; a nonce serves its own request only."""
    client = Client(site.network.core, site.network.CORE_LNS)
    done = counted(lns, "nsctl_commands")
    number = 0x1122334455667788
    nonce = client.challenge(number)
    request = message(COMMAND, ["load_plugin", "no_such"], number, nonce, SECRET)
    answer = client.ask(request)
    assert answer.type == REPLY and answer.status == 1 and answer.nonce == nonce and answer.signed_by(SECRET)
    assert client.ask(request).raw == answer.raw
    assert done() == 1

    bad = counted(lns, "nsctl_bad_nonce")
    other = Client(site.network.core, site.network.CORE_LNS)
    other.send(request)  # from another port
    client.send(message(COMMAND, ["load_plugin", "no_such"], number + 1, nonce, SECRET))  # another request
    client.send(message(COMMAND, ["load_plugin", "no_such"], number, os.urandom(16), SECRET))  # a made-up nonce
    assert client.receive(0.3) is None and other.receive(0.1) is None
    assert bad() == 3
    lns.step(65)
    client.send(request)
    assert client.receive(0.3) is None
    assert (bad(), done()) == (4, 1)
    client.close()
    other.close()


def test_replayed_after_restart(site, lns):
    """What was recorded from one run of the daemon is nothing to the next."""
    client = Client(site.network.core, site.network.CORE_LNS)
    request = message(COMMAND, ["load_plugin", "no_such"], 7, client.challenge(7), SECRET)
    assert client.ask(request)
    lns.stop()
    lns.start()
    client.send(request)
    assert client.receive(0.3) is None
    assert lns.counters()["nsctl_bad_nonce"] == 1
    client.close()


def test_reply_address(site, lns):
    """The answer leaves from the address that was asked."""
    for ns, address in ((site.network.lac, site.network.LNS), (site.network.lac, site.network.LNS2),
                        (site.network.core, site.network.CORE_LNS), (site.network.lns, "127.0.0.1"),
                        (site.network.lns, "127.3.2.1")):
        assert nsctl(ns, "-h", address, "help", secret=SECRET)[0] == 0
        client = Client(ns, address)
        client.challenge(5)
        client.close()


# ---------------------------------------------------------------------------- packets that should not be

@pytest.mark.san
def test_garbage(site, lns):
    """Cut, changed, huge and random packets: no answer, and counted."""
    client = Client(site.network.lns)
    malformed = counted(lns, "nsctl_malformed")
    good = message(COMMAND, ["load_plugin", "no_such"])
    bad = [good[:n] for n in range(len(good))] + [good + b"\0", good + bytes(1400), os.urandom(60000), b"\xff" * 65507]
    bad += [os.urandom(n) for n in range(0, 1500, 37)]
    bad += [b"NSCT\1" + os.urandom(n) for n in range(0, 300, 7)]
    bad += [message(CHALLENGE, nonce=b"n" * 16), message(REPLY) + b"\0\0\1\0\0", message(COMMAND, [""]),
            message(COMMAND, ["a\0b"]), message(COMMAND, ["a"] * 33), message(COMMAND, [])]
    for n, data in enumerate(bad):
        client.send(data)
        if n % 20 == 0:
            time.sleep(0.01)
    wait_for(lambda: malformed() == len(bad), "all of them")
    assert client.receive(0.2) is None
    assert client.ask(good).status == 1
    client.close()


FLOOD = """
import os, socket, struct, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
peer, rate, seconds = (sys.argv[1], 1702), int(sys.argv[2]), int(sys.argv[3])
began, sent = time.monotonic(), 0
while time.monotonic() < began + seconds:
    while sent < (time.monotonic() - began) * rate:
        sock.sendto(struct.pack("!4sBBHQ16xBH4s", b"NSCT", 1, 3, 0, sent, 1, 4, b"nope"), peer)
        sent += 1
    time.sleep(0.001)
print("sent", sent)
"""


def test_flood(site, lns, online, here):
    """10,000 requests a second, from here and from there: subscribers do not notice."""
    busy, foreign, done = (counted(lns, name) for name in ("nsctl_busy", "nsctl_foreign", "nsctl_commands"))
    lns.cli.run("clear counters")
    lines, started = len(lns.log), time.monotonic()
    floods = [ns.start(sys.executable, "-c", FLOOD, address, "10000", "3")
              for ns, address in ((site.network.lns, "127.0.0.1"), (site.network.core, site.network.CORE_LNS))]
    longest, n = 0, 0
    while floods[0].alive():
        began = time.monotonic()
        online["user1"].ping(site.network.CORE)
        longest = max(longest, time.monotonic() - began)
        n += 1
    for flood in floods:
        flood.wait_line(r"sent (\d+)")
    counters = lns.counters()
    seconds = time.monotonic() - started
    print("%d pings in between, the longest %.0f ms; longest turn %d us; busy %d, foreign %d" % (
        n, longest * 1000, counters["loop_longest_us"], counters["nsctl_busy"], counters["nsctl_foreign"]))
    assert n > 0  # each was answered
    assert counters["nsctl_commands"] <= 200 * (seconds + 1) and counters["nsctl_busy"] > counters["nsctl_commands"]
    assert counters["nsctl_foreign"] > 0
    assert len(lns.log) - lines < 400 * 1000
    assert here("-t", "5", "help")[0] == 0


# ---------------------------------------------------------------------------- the plugins' commands

@pytest.mark.san
@pytest.mark.parametrize("command", ["drop", "kill"])
def test_drop(site, lns, online, here, command):
    """By name or number: PPP and the LAC are told."""
    assert here(command, "user1", "not", "paid") == (0, "", "")
    online["user1"].tunnel.expect(CDN, sid=online["user1"].sid)
    lns.wait_gone("user1")
    assert here(command, lns.session("user2")["SID"]) == (0, "", "")
    online["user2"].tunnel.expect(CDN, sid=online["user2"].sid)
    lns.wait_gone("user2")
    assert lns.session("77")
    assert here(command, "user1") == (1, "user user1 is not connected\n", "")
    assert here(command, "4242") == (1, "user 4242 is not connected\n", "")
    assert here(command) == (1, "usage: %s USER|SID [REASON]\n" % command, "")
    assert here(command, "77") == (0, "", "")  # digits, and no such session: a name
    lns.wait_gone("77")


def test_drop_from_afar(lns, online, there):
    assert there("drop", "user1", secret=SECRET) == (0, "", "")
    lns.wait_gone("user1")


@pytest.mark.san
def test_snoop(lns, online, here):
    """Seen in `show session`; packets are another test's."""
    sid = lns.session("user1")["SID"]
    assert here("snoop", "user1", "10.2.0.3", "9999") == (0, "", "")
    assert lns.details(sid)["Intercepted"] == "10.2.0.3:9999" and lns.session("user1")["I"] == "Y"
    assert here("unsnoop", sid) == (0, "", "")
    assert lns.details(sid)["Intercepted"] == "no" and lns.session("user1")["I"] == "N"
    assert here("unsnoop", sid)[0] == 0
    for argv, why in ((("snoop", "user1"), "usage: snoop USER|SID IP PORT"),
                      (("snoop", "user1", "10.2.0.3"), "usage: snoop USER|SID IP PORT"),
                      (("snoop", "nobody", "10.2.0.3", "9"), "user nobody is not connected"),
                      (("snoop", "user1", "10.2.0.300", "9"), "10.2.0.300 is no IP address"),
                      (("snoop", "user1", "0.0.0.0", "9"), "0.0.0.0 is no IP address"),
                      (("snoop", "user1", "10.2.0.3", "0"), "0 is no port"),
                      (("snoop", "user1", "10.2.0.3", "65536"), "65536 is no port"),
                      (("snoop", "user1", "10.2.0.3", "9x"), "9x is no port"),
                      (("unsnoop",), "usage: unsnoop USER|SID"),
                      (("unsnoop", "nobody"), "user nobody is not connected")):
        assert here(*argv) == (1, why + "\n", "")


@pytest.mark.san
def test_throttle(lns, online, here):
    """On and off, with and without a rate; what is wrong is refused and changes nothing."""
    sid = lns.session("user1")["SID"]

    def throttled(*argv):
        assert here(*argv) == (0, "", "")
        return lns.session("user1")["T"]
    assert throttled("throttle", "user1", "512") == "Y"
    assert throttled("unthrottle", sid) == "N"
    assert throttled("unthrottle", "user1") == "N"
    assert here("throttle", "user1") == (1, "throttle: no rate is given, and throttle_speed is not set\n", "")
    lns.set("set throttle_speed 28")
    assert throttled("throttle", "user1") == "Y"
    lns.set("set throttle_speed 0")
    assert throttled("unthrottle", sid) == "N"
    wrong = "%s is not RATE (1..10000000 kbit/s), in RATE or out RATE"
    for argv, why in ((("throttle",), "usage: throttle USER|SID [RATE|in RATE|out RATE ...]"),
                      (("throttle", "nobody", "5"), "user nobody is not connected"),
                      (("throttle", "user1", "0"), wrong % "0"), (("throttle", "user1", "-1"), wrong % "-1"),
                      (("throttle", "user1", "10000001"), wrong % "10000001"),
                      (("throttle", "user1", "in"), wrong % "in"), (("throttle", "user1", "in", "x"), wrong % "x"),
                      (("throttle", "user1", "up", "5"), wrong % "up"),
                      (("throttle", "user1", "in", "5", "out"), wrong % "out"),
                      (("unthrottle",), "usage: unthrottle USER|SID"),
                      (("unthrottle", "nobody"), "user nobody is not connected")):
        assert here(*argv) == (1, why + "\n", ""), argv
    assert lns.session("user1")["T"] == "N"


@pytest.mark.san
def test_throttle_without_buckets(lns, online, here):
    """Three buckets: who finds none for each of his rates is told."""
    full = (1, "all buckets are in use: user user2 is not throttled\n", "")
    assert here("throttle", "user1", "512") == (0, "", "")
    assert here("throttle", "user2", "512") == full
    assert here("throttle", "user2", "in", "5") == full  # the rate that was asked first still stands for the other way
    assert here("unthrottle", "user2") == (0, "", "")
    assert here("throttle", "user2", "in", "5") == (0, "", "")
    assert here("throttle", "user2", "out", "5") == full
    for user in "user1", "user2":
        assert here("unthrottle", user) == (0, "", "")


@pytest.mark.san
def test_throttle_rates(lns, online, here):
    """One rate, both, either, and the default, as `show session` has them."""
    sid = lns.session("user1")["SID"]

    def rates(*argv):
        assert here(*argv) == (0, "", "")
        return lns.details(sid)["Throttled"]
    assert rates("throttle", "user1", "512") == "YES (512kbps/512kbps)"
    assert rates("throttle", "user1", "in", "300", "out", "200") == "YES (300kbps/200kbps)"
    assert rates("throttle", sid, "out", "100") == "YES (300kbps/100kbps)"
    assert rates("throttle", sid, "in", "64") == "YES (64kbps/100kbps)"
    assert here("throttle", sid, "in", "5", "out")[0] == 1
    lns.set("set throttle_speed 28")
    assert rates("throttle", "user1") == "YES (28kbps/28kbps)"
    lns.set("set throttle_speed 0")
    assert rates("unthrottle", "user1") == "no"
