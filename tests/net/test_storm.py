"""Reconnect storms: a LAC has rebooted and all its subscribers come back at once, while others go about their business.

The figures are printed (pytest -s); no assertion is about time, but about order: who comes alone is not to wait behind
the crowd.
"""

import os
import re

import pytest

from clac import TOOLS, CLac, Traffic
from netns import wait_for

ECHO_PORT = 9000
SMALL_BUFFER = 212992  # octets that a socket holds where nobody has set anything
FIGURES = ("up", "failed", "seconds", "rate", "median_ms", "p99_ms", "max_ms")
NEVER = ("login_queue_full", "control_early_dropped", "control_queue_full", "radius_overflow", "radius_timeout",
         "session_overflow", "tunnel_overflow", "tunnel_timeout", "auth_refused", "fd_overflow", "log_lost")


class Storm:
    """A daemon, an accept-all RADIUS server and as many LACs as wanted, each with an address of its own."""

    def __init__(self, plant, radius=(), **settings):
        self.network = plant.network
        self.radius = plant.network.core.start(os.path.join(TOOLS, "radresp"), "-l", plant.network.CORE, "-p",
                                               "1812,1813", "-s", "secret", *radius)
        self.radius.wait_line("ready")
        self.daemon = plant.lns(dict({
            "primary_radius": plant.network.CORE, "primary_radius_port": 1812, "radius_secret": "secret", "debug": 1,
            "ppp_restart_time": 3, "radius_authtypes": "pap"}, **settings), pool=("10.128.0.0/15",))
        self.addresses = 0

    def lac(self, name, tunnels=1, options="", argv=()):
        """One at its own address and port 1701, as a router is; with tunnels."""
        self.addresses += 1
        address = "10.1.1.%d" % self.addresses
        self.network.lac.ip("addr add %s/16 dev br0" % address)
        lac = CLac(self.network.lac, self.network.LNS, "-a", address, "-p", "1701", *argv)
        lac.argv = ("-a", address, "-p", "1701", *argv)
        self.tunnels(lac, name, tunnels, options)
        return lac

    @staticmethod
    def tunnels(lac, name, tunnels, options=""):
        answer = lac.do("tunnel count=%d hostname=%s %s" % (tunnels, name, options))
        assert answer["ok"], answer

    def reboot(self, lac, name, tunnels, options=""):
        """It goes without a word and comes again: same address, port and name."""
        lac.do("quit how=vanish")
        lac.process.wait()
        again = CLac(self.network.lac, self.network.LNS, *lac.argv)
        self.tunnels(again, name, tunnels, options)
        return again

    def radius_counts(self):
        seen = len(self.radius.lines)
        self.radius.send_signal(10)  # SIGUSR1
        line = self.radius.wait_line("^ok .*", seen).group(0)
        return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", line)}

    def overrun(self):
        """Datagrams that the daemon's sockets could not hold."""
        rows = [line.split() for line in self.network.lns.run("cat", "/proc/net/snmp").splitlines()
                if line.startswith("Udp:")]
        return int(dict(zip(*rows))["RcvbufErrors"])

    def nothing_lost(self, but=()):
        counters = self.daemon.counters()
        assert {name: counters[name] for name in NEVER if name not in but and counters[name]} == {}
        assert self.overrun() == 0
        return counters


def come(lac, count, options=""):
    """All at once."""
    lac.send("session count=%d parallel=%d first=0 timeout=200 %s" % (count, min(count, 100000), options))


def arrived(lac, count, what, timeout=250):
    answer = lac.answer(timeout)
    print("%-8s" % what, " ".join("%s=%s" % (name, answer.get(name)) for name in FIGURES))
    assert (answer["up"], answer["failed"]) == (str(count), "0"), answer
    return answer


def one_by_one(lac, count, rate=20):
    lac.send("session count=%d rate=%d parallel=20 user=small%%d timeout=60" % (count, rate))


def before_the_crowd(small, crowd):
    """Who comes alone is up long before half of the crowd."""
    assert 2 * float(small["median_ms"]) < float(crowd["median_ms"]), (small, crowd)


def addresses(lac, count):
    return [item["ip"] for item in lac.items("list session=0-%d" % (count - 1))]


def test_reboot(plant):
    """50,000 sessions come back. A small LAC, a quiet one and data of a third do not suffer; old sessions go."""
    count, tunnels, few, known = 50000, 16, 100, 200
    storm = Storm(plant, radius_accounting=True, hello_interval=1)
    Traffic(plant.network.core, "echo", "port=%d" % ECHO_PORT)
    big = storm.lac("big", tunnels)
    come(big, count)
    arrived(big, count, "first")
    before = addresses(big, 100)
    small, quiet, data = storm.lac("small"), storm.lac("quiet", 3, "hello=1"), storm.lac("data")
    assert data.do("session count=%d user=data%%d" % known)["ok"]

    big = storm.reboot(big, "big", tunnels)
    come(big, count)
    data.send("echo session=all to=%s:%d size=500 count=10 rate=500 timeout=5000" % (plant.network.CORE, ECHO_PORT))
    one_by_one(small, few)
    assert quiet.do("hello tunnel=0")["ok"]
    assert quiet.do("stop tunnel=1")["ok"]
    crowd = arrived(big, count, "crowd")
    before_the_crowd(arrived(small, few, "small"), crowd)

    passed = data.answer()
    print("data     ", {name: passed[name] for name in ("sent", "received", "rtt_avg_us", "rtt_max_us")})
    assert (passed["sent"], passed["corrupt"], passed["duplicates"]) == (passed["received"], "0", "0")
    assert [tunnel["state"] for tunnel in quiet.items("tunnels")] == ["up", "closed", "up"]
    stats = big.do("stats")
    print("repeated ", {name: stats[name] for name in ("retransmits", "ppp_repeats", "duplicates", "violations")})
    assert stats["violations"] == "0"
    assert addresses(big, 100) == before
    counters = storm.nothing_lost(but=["tunnel_timeout"])  # by now the old tunnels may be found dead
    print("daemon   ", {name: counters[name] for name in (
        "call_waited", "login_waited", "radius_retries", "tunnel_retries", "loop_longest_us")})
    wait_for(lambda: acknowledged(storm.daemon), "the records of all", 60)
    records = storm.radius_counts()
    assert (records["started"], records["stopped"]) == (2 * count + few + known, count)


def acknowledged(daemon):
    counters = daemon.counters()
    return counters["acct_queued"] == 0 and counters["ip_allocated"] - counters["ip_freed"] < 60000


@pytest.mark.parametrize("method", ["pap", "chap"])
@pytest.mark.parametrize("count,rate", [
    pytest.param(12000, 3000, id="some"), pytest.param(50000, 2000, id="all", marks=pytest.mark.long)])
def test_slow_radius(plant, method, count, rate):
    """A server that does so many a second, and has a socket for few: all are asked about once, in turn."""
    storm = Storm(plant, radius=("--rate", str(rate), "--buffer", str(SMALL_BUFFER)), radius_authtypes=method)
    big, small = storm.lac("big", 16), storm.lac("small")
    come(big, count, "auth=%s" % method)
    small.send("session count=40 rate=20 parallel=20 user=small%%d timeout=60 auth=%s" % method)
    alone = arrived(small, 40, "small")
    before_the_crowd(alone, arrived(big, count, "crowd"))
    counters = storm.nothing_lost()
    assert counters["login_waiting"] == 0
    assert counters["login_waited"] > count / 2
    asked = storm.radius_counts()
    print("radius   ", {name: asked[name] for name in ("access", "duplicates")})
    assert asked["access"] - asked["duplicates"] == count + 40


def test_late_radius(plant):
    """One that answers after 20 ms is asked about many at a time."""
    storm = Storm(plant, radius=("--delay", "20"))
    big = storm.lac("big", 8)
    come(big, 20000)
    arrived(big, 20000, "crowd")
    storm.nothing_lost()


def test_all_said_twice(plant):
    """Each control message comes twice: no second session, no second request."""
    storm = Storm(plant)
    big = storm.lac("big", 8)
    assert big.do("loss twice=1000000")["ok"]
    come(big, 5000)
    arrived(big, 5000, "twice")
    counters = storm.nothing_lost()
    assert counters["control_duplicate"] >= 10000
    assert counters["session_created"] == 5000
    assert storm.radius_counts()["access"] == 5000
    assert big.do("stats")["violations"] == "0"


@pytest.mark.parametrize("count", [200, pytest.param(5000, marks=pytest.mark.long)])
def test_bad_link(plant, count):
    """A twentieth of all packets is lost, each way: all come up, though each loss costs the LAC a second."""
    storm = Storm(plant)
    big = storm.lac("big", 16)
    assert big.do("loss tx=50000 rx=50000")["ok"]
    come(big, count)
    arrived(big, count, "lossy")
    assert storm.nothing_lost()["session_created"] == count


def test_small_window(plant):
    """A LAC that takes four messages at a time gets its answers as it takes them, and need not repeat itself."""
    storm = Storm(plant)
    big = storm.lac("big", 2, "window=4")
    come(big, 10000)
    arrived(big, 10000, "crowd")
    storm.nothing_lost()


def test_flood(plant):
    """A LAC whose calls come as fast as they can and all fail takes nothing from one whose calls come one by one."""
    storm = Storm(plant)
    flood, small = storm.lac("flood", 4), storm.lac("small")
    flood.send("session count=60000 parallel=20000 auth=none timeout=200")
    one_by_one(small, 60)
    arrived(small, 60, "small")
    answer = flood.answer(250)
    print("flood    ", {name: answer.get(name) for name in ("up", "failed", "seconds")})
    assert (answer["up"], answer["failed"], answer.get("timeout")) == ("0", "60000", None), answer
    storm.nothing_lost()
    wait_for(lambda: len(storm.daemon.run("show users")) == 61, "the end of all others", 30)


def test_churn(plant):
    """Calls are closed as soon as they are up, and come again, while another LAC's crowd comes."""
    storm = Storm(plant)
    churn, big = storm.lac("churn", 4), storm.lac("big", 8)
    come(big, 20000)
    for number in range(4):
        come(churn, 3000, "user=churn%d")
        arrived(churn, 3000, "churn")
        assert churn.do("close session=all")["ok"]
        assert churn.do("forget")["ok"]
    arrived(big, 20000, "crowd")
    storm.nothing_lost()
