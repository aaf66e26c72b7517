"""What a hostile client does to the command line: too many connections, guessed passwords, garbage. Pings go on meanwhile."""

import contextlib
import os
import random
import select
import signal
import socket
import time

import pytest

from clac import CLac
from lns import Cli
from netns import wait_for

USERS = {"user%d" % n: "secret" for n in range(20)}
SERVED, REMOTE = 20, 16
IAC, SB, SE = b"\xff", b"\xfa", b"\xf0"


@pytest.fixture(scope="module")
def site(module):
    module.daemon = module.lns({"peer_address": "10.9.255.1", "cli_bind_address": "0.0.0.0"}, local_users=USERS,
                               users={"admin": "letmein", "enable": "sesame"})
    module.clac = CLac(module.network.lac, module.network.LNS)
    assert module.clac.do("tunnel")["ok"]
    assert module.clac.do("session count=20")["up"] == "20"
    return module


@pytest.fixture
def lns(site):
    daemon = site.daemon
    if daemon._cli:
        daemon._cli.close()
        daemon._cli = None
    wait_for(lambda: children(daemon) == [], "the end of the children")
    descriptors = count_descriptors(daemon)
    yield daemon
    wait_for(lambda: children(daemon) == [], "the end of the children", 30)
    assert count_descriptors(daemon) == descriptors
    assert "crashed" not in daemon.log
    daemon.check()


def children(lns):
    with open("/proc/%d/task/%d/children" % (lns.process.pid, lns.process.pid)) as f:
        return f.read().split()


def count_descriptors(lns):
    return len(os.listdir("/proc/%d/fd" % lns.process.pid))


@contextlib.contextmanager
def pings(site):
    """Twenty subscribers ping all the while; each ping is answered."""
    def one_round():
        passed = site.clac.do("ping session=0-19 to=%s count=5 rate=500" % site.network.CORE)
        assert (passed["received"], passed["sent"]) == ("100", "100"), passed
    one_round()
    yield one_round
    one_round()


def ends(clis, seconds):
    """Reads what all of them say until they are closed or the time is over; {cli: (text, closed)}."""
    said = {cli: [b"", False] for cli in clis}
    end = time.monotonic() + seconds
    while time.monotonic() < end and not all(closed for _, closed in said.values()):
        waiting = {cli.sock: cli for cli, (_, closed) in said.items() if not closed}
        for sock in select.select(list(waiting), [], [], 0.2)[0]:
            try:
                part = sock.recv(65536)
            except ConnectionError:
                part = b""
            said[waiting[sock]][0] += part
            said[waiting[sock]][1] = not part
    return {cli: (text.decode("latin1"), closed) for cli, (text, closed) in said.items()}


# ---------------------------------------------------------------------------- many connections

@pytest.mark.san
def test_hundred_connections(site, lns):
    """Twenty are served, the others are told and closed; those who are served do not notice."""
    with pings(site) as again:
        clis = [Cli.tcp(lns.ns) for _ in range(100)]
        said = ends(clis, 3)
        served = [cli for cli, (text, closed) in said.items() if not closed]
        told = [text for text, closed in said.values() if closed]
        assert len(served) == SERVED and len(children(lns)) == SERVED
        assert all(said[cli][0].endswith("lns1> ") for cli in served)
        assert all("Too many connections" in text for text in told), told
        again()
        assert any("L2TPNS" in line for line in served[0].run("show version"))
        for cli in clis:
            cli.close()
    wait_for(lambda: children(lns) == [], "the end of the children")
    assert lns.open_cli().run("show version")
    lns.cli.close()
    lns._cli = None


def test_remote_ones_leave_room(site, lns):
    """However many come from elsewhere, who sits at the machine gets in."""
    clis = [Cli.tcp(site.network.core, site.network.CORE_LNS) for _ in range(40)]
    said = ends(clis, 2)
    assert len([cli for cli in clis if not said[cli][1]]) == REMOTE
    local = Cli.tcp(lns.ns)
    assert local.prompt()[1] == "lns1> "
    for cli in [local, *clis]:
        cli.close()


# ---------------------------------------------------------------------------- passwords

@pytest.mark.san
def test_guessed_passwords(site, lns):
    """Each wrong password costs seconds, the third the connection, and the data path nothing."""
    before = lns.counters()["cli_login_failures"]
    lns.cli.close()
    lns._cli = None
    began = time.monotonic()
    with pings(site) as again:
        clis = [Cli.tcp(site.network.core, site.network.CORE_LNS) for _ in range(REMOTE)]
        for n, cli in enumerate(clis):
            for guess in range(5):
                cli.sock.sendall(b"%s\r\nguess%d\r\n" % ([b"admin", b"nobody", b"enable", b"\xff\xff"][n % 4], guess))
        again()
        said = ends(clis, 30)
    assert all(closed for _, closed in said.values())
    assert time.monotonic() - began >= 6
    assert all("> " not in text for text, _ in said.values()), "somebody got in"
    assert lns.counters()["cli_login_failures"] - before == 3 * REMOTE
    lns.cli.close()
    lns._cli = None
    for cli in clis:
        cli.close()


def test_guessed_enable_password(site, lns):
    cli = Cli.tcp(lns.ns)
    cli.prompt()
    for _ in range(4):
        cli.sock.sendall(b"enable\r\nguess\r\n")
    text, closed = ends([cli], 20)[cli]
    assert closed and "#" not in text
    cli.close()


@pytest.mark.long
def test_answer_that_comes_late(site, lns):
    """A command that gave up waiting for the daemon leaves its answer to nobody, not to the next one."""
    cli = Cli.tcp(lns.ns)
    cli.prompt()
    assert cli.enable("sesame")
    lns.process.send_signal(signal.SIGSTOP)
    try:
        cli.timeout = 60
        said = cli.run("drop session 7777")
    finally:
        lns.process.send_signal(signal.SIGCONT)
    assert any("does not answer" in line for line in said), said
    for what in "tunnel 888", "session 999":
        said = cli.run("drop " + what)
        assert any("There is no " + what in line or "not the master" in line for line in said), said
        assert not any("7777" in line for line in said), said
    cli.close()


# ---------------------------------------------------------------------------- garbage

def options(rng):
    """Telnet options, broken in all ways."""
    kinds = [
        lambda: IAC + bytes([rng.choice([0xfb, 0xfc, 0xfd, 0xfe]), rng.randrange(256)]),
        lambda: IAC + SB + bytes(rng.randrange(255) for _ in range(rng.randrange(40))) + IAC + SE,
        lambda: IAC + SB + bytes(rng.randrange(255) for _ in range(rng.randrange(300))),  # no end
        lambda: IAC * rng.randrange(1, 9),
        lambda: IAC + bytes([rng.randrange(0xf0, 0xfb)]),
        lambda: bytes([rng.randrange(256)])]
    return b"".join(rng.choice(kinds)() for _ in range(400))


GARBAGE = {
    "options": lambda rng: b"".join(options(rng) for _ in range(5)),
    "line": lambda rng: b"a" * (1 << 20),
    "words": lambda rng: b"show " * 50000,
    "bars": lambda rng: b"| " * 2000 + b"\r" + b"show session " + b"|" * 3000,
    "quotes": lambda rng: b"\"' " * 1300,
    "questions": lambda rng: b"show session " + b"? " * 3000,
    "tabs": lambda rng: b"s\t" * 5000,
    "nuls": lambda rng: bytes(100000),
    "keys": lambda rng: b"".join(rng.choice([b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D", b"\x01", b"\x05", b"\x0b", b"\x0c",
                                             b"\x10", b"\x0e", b"\x15", b"\x17", b"\x7f", b"x", b" "])
                                 for _ in range(20000)),
    "noise": lambda rng: bytes(rng.randrange(256) for _ in range(20000)),
    "prefixes": lambda rng: b"\r".join(b"show session %s" % b"9" * rng.randrange(1, 50) for _ in range(30)),
}


@pytest.mark.san
@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage(site, lns, kind):
    """Whatever is typed: no child crashes, all that is left is gone at the end, and the next one is served."""
    data = GARBAGE[kind](random.Random(4711))
    with pings(site):
        for enabled in False, True:
            cli = Cli.tcp(lns.ns)
            cli.prompt()
            if enabled:
                assert cli.enable("sesame")
            feed(cli, data)
            feed(cli, b"\r\n\x03\x15\r\nshow version\r\n")
            cli.close()
        cli = Cli.tcp(lns.ns)
        cli.prompt()
        assert any("L2TPNS" in line for line in cli.run("show version"))
        cli.close()


def feed(cli, data, seconds=20):
    """Sends while it reads, until all is sent or the other end closes."""
    end = time.monotonic() + seconds
    cli.sock.setblocking(False)
    while data and time.monotonic() < end:
        readable, writable, _ = select.select([cli.sock], [cli.sock], [], 1)
        try:
            if readable and not cli.sock.recv(65536):
                return
            if writable:
                data = data[cli.sock.send(data[:65536]):]
        except ConnectionError:
            return
    assert not data, "the connection is stuck"


def test_before_the_login(site, lns):
    """The same for who has no password; names and passwords of any length."""
    for data in (b"a" * (1 << 20) + b"\r\n", bytes(1000), b"%s%n%s%n\r\n%n%n\r\n", options(random.Random(1)), b"\xff"):
        cli = Cli.tcp(site.network.core, site.network.CORE_LNS)
        cli.read_until(rb"(?i:user ?name|login): ?$")
        feed(cli, data)
        cli.close()
    cli = Cli.tcp(site.network.core, site.network.CORE_LNS)
    assert cli.login("admin", "letmein")
    cli.close()


def test_who_says_nothing(site, lns):
    """Connections that are opened and left: they hold their places for a while, and the machine's own stay free."""
    clis = [Cli.tcp(site.network.core, site.network.CORE_LNS) for _ in range(REMOTE)]
    wait_for(lambda: len(children(lns)) == REMOTE, "the children")
    local = Cli.tcp(lns.ns)
    assert local.prompt()
    for cli in [local, *clis]:
        cli.close()


def test_children_die_with_the_daemon(plant):
    """SIGKILL to the daemon leaves nobody behind."""
    daemon = plant.lns(local_users=USERS)
    clis = [Cli.tcp(daemon.ns) for _ in range(3)]
    for cli in clis:
        cli.prompt()
    pids = children(daemon)
    assert len(pids) == 3
    daemon.process.send_signal(signal.SIGKILL)
    wait_for(lambda: not any(os.path.exists("/proc/%s" % pid) for pid in pids), "the end of the children")
    for cli in clis:
        with pytest.raises((ConnectionError, socket.timeout)):
            cli.prompt()
        cli.close()
