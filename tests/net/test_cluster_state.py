"""What a session is besides its address goes through any member and outlives the master: rates, interception, filters,
routes, time-outs, counters, accounting records; and what a slave does with those who want changes from it."""

import json
import re
import signal
import socket
import struct
import time

import pytest

import cluster
import fakeradius
from clac import CLac, Traffic
from fakeradius import (CLASS, EVENT_TIMESTAMP, FILTER_ID, FRAMED_IP, FRAMED_ROUTE, IDLE_TIMEOUT, INPUT_GIGAWORDS, INPUT_OCTETS, INPUT_PACKETS,
                        SESSION_TIMEOUT, START, STOP, USER_NAME, VENDOR, attribute)
from netns import wait_for
from test_dae import DISCONNECT, Client, radclient, request
from test_nsctl import nsctl
from test_snoop import Collector

PORT = cluster.SINK_PORT
BEHIND = "10.200.%d.0"  # the network behind a user, and his address outside the pool
OUTSIDE = "10.201.0.%d"
COLLECTOR = 9999


def avpair(text):
    value = text.encode()
    return attribute(VENDOR, struct.pack("!IBB", 9, 1, len(value) + 2) + value)


WHAT = {  # what RADIUS says to whom
    "plain": [],
    "slow": [avpair("throttle=200")],
    "watched": [avpair("intercept=%s:%d" % (cluster.CORE, COLLECTOR))],
    "filtered": [attribute(FILTER_ID, "few.in")],
    "routed": [attribute(FRAMED_IP, socket.inet_aton(OUTSIDE % 1)), attribute(FRAMED_ROUTE, BEHIND % 1 + "/24 0.0.0.0 1")],
    "timed": [attribute(SESSION_TIMEOUT, 3600), attribute(IDLE_TIMEOUT, 600), attribute(CLASS, "a class")],
}
USERS = list(WHAT)
ACL = ["ip access-list extended few", " deny udp any any eq %d" % (PORT + 5), " permit ip any any", "exit"]
PLUGINS = ["load plugin autothrottle", "load plugin autosnoop", "load plugin sessionctl", "load plugin throttlectl"]
VOLATILE = {"opened_seconds", "idle_seconds", "remaining_seconds", "downloaded_bytes", "uploaded_bytes",
            "downloaded_packets", "uploaded_packets", "bucket_in", "bucket_out"}


class Scene:
    """Three members and a session of each kind."""

    def __init__(self, factory):
        self.site = cluster.Site(lambda name: factory.mktemp(name, numbered=True), extra=[*ACL, *PLUGINS])
        try:
            self._start()
        except BaseException:
            self.site.close()
            raise

    def _start(self):
        site = self.site
        site.radius.answer = self.answer
        site.start_members()
        self.lac = CLac(site.lac, cluster.VIP)
        assert self.lac.do("tunnel port=0")["ok"]
        for user in USERS:
            assert self.lac.do("session user=%s%s" % (user, " router=yes" if user == "routed" else ""))["up"] == "1"
        wait_for(lambda: all(len(m.sessions()) == len(USERS) for m in site.members), "the sessions at all members")

    @staticmethod
    def answer(server, request):
        return [server.accept(request, *WHAT.get(request.get(USER_NAME).decode(), ()))]

    def index(self, user):
        return USERS.index(user)

    def id(self, user):
        return self.site.master.sessions()[user][0]

    def address(self, user):
        return self.site.master.sessions()[user][1]

    def whole(self):
        try:
            return (len(self.site.living()) == 3 and self.site.settled() and set(self.site.master.sessions()) == set(USERS)
                    and self.lac.do("count")["up"] == str(len(USERS)))
        except Exception:
            return False

    def depose(self):
        """The master is killed, and comes again as a slave."""
        victim = self.site.master
        victim.kill()
        self.site.settle()
        victim.start()
        self.site.settle()

    def close(self):
        self.site.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    stage = cluster.Stage(lambda: Scene(tmp_path_factory))
    yield stage
    stage.close()


@pytest.fixture
def scene(stage):
    scene = stage.get()
    yield scene
    for member in scene.site.members:
        member.lns._check_log()


@pytest.fixture
def sink(scene):
    sink = Traffic(scene.site.core, "sink", "port=%d" % PORT)
    yield sink
    sink.close()


def shown(member):
    """{user: what `show session` says of it, but for times and counts}"""
    return {one["user"]: {k: v for k, v in one.items() if k not in VOLATILE}
            for one in json.loads("\n".join(member.lns.run("show session json")))}


def numbers(member, user):
    return next(one for one in json.loads("\n".join(member.lns.run("show session json"))) if one["user"] == user)


def test_show_session_is_the_same_everywhere(scene):
    site = scene.site
    for _ in range(2):
        first = shown(site.master)
        assert set(first) == set(USERS)
        assert first["slow"]["throttled"] and first["slow"]["rate_in_kbit"] == 200
        assert first["watched"]["intercepted"] and first["filtered"]["filter_in"] == "few"
        assert first["routed"]["routes"] == [BEHIND % 1 + "/24"] and first["timed"]["idle_timeout_seconds"] == 600
        for member in site.slaves:
            wait_for(lambda: shown(member) == first, "%s at %s" % (first, member))
        scene.depose()
        assert shown(site.master) == first


def test_show_tunnels_is_the_same_everywhere(scene):
    site = scene.site

    def tunnels(member):
        return [{k: v for k, v in one.items() if k != "last_packet_seconds"}
                for one in json.loads("\n".join(member.lns.run("show tunnels json")))]
    wait_for(lambda: all(tunnels(m) == tunnels(site.master) for m in site.slaves), "the same tunnels")


def test_times_go_on(scene):
    """A session's age and what is left of its Session-Timeout are those of the session, not of the member."""
    before, at = numbers(scene.site.master, "timed"), time.monotonic()
    scene.depose()
    for member in scene.site.members:
        now, later = numbers(member, "timed"), time.monotonic() - at
        assert abs(now["opened_seconds"] - before["opened_seconds"] - later) <= 2, str(member)
        assert abs(before["remaining_seconds"] - now["remaining_seconds"] - later) <= 2, str(member)


def test_routes_in_each_kernel(scene):
    """Addresses outside the pool and networks behind a user, on all members, also on one that came later."""
    scene.depose()
    for member in scene.site.members:
        def there():
            routes = member.ns.run("ip", "route", "show", "dev", "tun0")
            return BEHIND % 1 + "/24" in routes and OUTSIDE % 1 in routes
        wait_for(there, "the routes at %s" % member)


def blast(scene, user, count=200, port=PORT, pps=1000, size=200):
    answer = scene.lac.do("blast session=%d to=%s:%d size=%d pps=%d packets=%d"
                          % (scene.index(user), cluster.CORE, port, size, pps, count))
    assert answer["sent"] == str(count), answer


@pytest.mark.parametrize("deposed", [False, True])
def test_filter(scene, sink, deposed):
    if deposed:
        scene.depose()
    blocked = Traffic(scene.site.core, "sink", "port=%d" % (PORT + 5))
    blast(scene, "filtered", port=PORT + 5)
    blast(scene, "filtered")
    wait_for(lambda: sink.totals()["packets"] == 200, "what the filter lets through")
    assert blocked.totals()["packets"] == 0
    blocked.close()


@pytest.mark.parametrize("deposed", [False, True])
def test_interception(scene, sink, deposed):
    """Each packet once, whichever member carries it, in both directions."""
    if deposed:
        scene.depose()
    collector = Collector(type("Core", (), {"CORE": cluster.CORE, "core": scene.site.core}), COLLECTOR)
    blast(scene, "watched", 100)
    answer = scene.lac.do("ping session=%d to=%s count=10" % (scene.index("watched"), cluster.CORE))
    assert answer["received"] == "10", answer
    copies = collector.wait(100 + 20)
    assert sum(socket.inet_ntoa(c[16:20]) == scene.address("watched") for c in copies) == 10
    collector.close()


RATE = 200 * 1024 / 8  # octets a second


@pytest.mark.parametrize("deposed", [False, True])
def test_rate(scene, sink, deposed):
    """The session has its rate once, not once a member."""
    if deposed:
        scene.depose()
    assert scene.lac.do("blast session=%d to=%s:%d size=500 pps=150 seconds=2"  # fills what may burst
                        % (scene.index("slow"), cluster.CORE, PORT))["ok"]
    sink.totals(zero=True)
    began = time.monotonic()
    scene.lac.do("blast session=%d to=%s:%d size=500 pps=150 seconds=6" % (scene.index("slow"), cluster.CORE, PORT))
    rate = sink.totals()["bytes"] / (time.monotonic() - began)
    print("%.3f of the rate" % (rate / RATE))
    assert 0.9 < rate / RATE < 1.1


def test_counters_are_of_the_whole_cluster(scene, sink):
    """What went through the slaves is seen on all, and goes on from there after a takeover."""
    site = scene.site
    user = "plain"

    def counts(member):
        one = numbers(member, user)
        return one["uploaded_packets"], one["uploaded_bytes"], one["downloaded_packets"], one["downloaded_bytes"]
    for _ in range(2):
        before = counts(site.master)
        blast(scene, user, 300)
        assert scene.lac.do("ping session=%d to=%s count=10 size=100" % (scene.index(user), cluster.CORE))["received"] == "10"
        want = (before[0] + 310, before[1] + 300 * 200 + 10 * 100, before[2] + 10, before[3] + 10 * 100)
        wait_for(lambda: all(counts(m) == want for m in site.members),
                 "%s; but %s" % (want, [counts(m) for m in site.members]))
        scene.depose()
        wait_for(lambda: [counts(m) for m in site.members] == [want] * 3, "%s behind it" % (want, ))


def end_of(radius, user, status, timeout=15):
    """The records of that kind about a user."""
    def find():
        return [r for records in list(radius.accounts.values()) for r in records
                if r.status == status and r.get(USER_NAME) == user.encode()]
    return wait_for(find, "a record of " + user, timeout)


def test_a_stop_has_all(scene, sink):
    """A call that ends right behind its last packet: its Stop has what the slaves have carried of it."""
    lac = CLac(scene.site.lac, cluster.VIP)
    assert lac.do("tunnel port=0")["ok"]
    assert lac.do("session user=short")["up"] == "1"
    assert lac.do("blast session=0 to=%s:%d size=200 pps=2000 packets=500" % (cluster.CORE, PORT))["sent"] == "500"
    assert lac.do("close session=0")["ok"]
    (stop,) = end_of(scene.site.radius, "short", STOP)
    assert (stop.octets(INPUT_OCTETS, INPUT_GIGAWORDS), stop.number(INPUT_PACKETS)) == (500 * 200, 500)
    lac.do("quit")


def test_records_outlive_the_master(scene):
    """The accounting server is away, calls come and go, the master is killed, the server comes back: nothing is lost."""
    site, radius = scene.site, scene.site.radius
    answer = radius.accounting.answer
    radius.accounting.answer = fakeradius.silent
    before = len(radius.accounts)
    lac = CLac(site.lac, cluster.VIP)
    assert lac.do("tunnel port=0")["ok"]
    assert lac.do("session count=20 user=late%d")["up"] == "20"
    assert lac.do("close session=0-9")["ok"]
    scene.depose()
    assert lac.do("count")["up"] == "10"
    radius.accounting.answer = answer
    wait_for(lambda: len(radius.accounts) == before + 20, "the Starts; %d of 20" % (len(radius.accounts) - before), 60)
    assert lac.do("close session=10-19")["ok"]

    def complete():
        late = {ident: [r.status for r in records] for ident, records in dict(radius.accounts).items()
                if records[0].get(USER_NAME).startswith(b"late")}
        return len(late) == 20 and all(START in kinds and STOP in kinds for kinds in late.values())
    wait_for(complete, "a Start and a Stop of each", 60)
    lac.do("quit")


@pytest.mark.parametrize("takeovers", [1, 3])
def test_who_had_an_address_gets_it_again(scene, takeovers):
    """That too is known after a takeover; and after three, when all have come later than the address was given back."""
    lac = CLac(scene.site.lac, cluster.VIP)
    assert lac.do("tunnel port=0")["ok"]
    assert lac.do("session count=5 user=returner%d")["up"] == "5"
    had = {one["user"]: one["ip"] for one in lac.items("list session=all")}
    assert lac.do("close session=all")["ok"]
    for _ in range(takeovers):
        scene.depose()
    lac.do("forget")
    assert lac.do("session count=1 user=other")["up"] == "1"
    assert lac.do("session count=5 user=returner%d first=0")["up"] == "5"
    has = {one["user"]: one["ip"] for one in lac.items("list session=all")}
    has.pop("other")
    assert has == had
    assert lac.do("close session=all")["ok"]
    lac.do("quit")


# ---------------------------------------------------------------- who wants changes


def test_dae_through_any_member(scene):
    """A Disconnect and a CoA reach the master through whoever got them, and are answered from the shared address."""
    site = scene.site
    lac = CLac(site.lac, cluster.VIP)
    assert lac.do("tunnel port=0")["ok"]
    assert lac.do("session count=6 user=dae%d")["up"] == "6"
    for n in range(6):  # from another port each, so through one slave or the other
        assert radclient(site.core, "coa", ['User-Name = "dae%d"' % n, "Session-Timeout = 77"], cluster.VIP, "radsecret").ack
        assert radclient(site.core, "disconnect", ['User-Name = "dae%d"' % n], cluster.VIP, "radsecret").ack
    wait_for(lambda: lac.do("count")["closed"] == "6", "their end")
    assert sum(m.counters()["cluster_forwarded"] for m in site.slaves) > 0
    lac.do("quit")


def test_dae_captured_before_a_takeover(scene):
    """Repeated to the next master it is answered as it was, and not carried out."""
    site = scene.site
    lac = CLac(site.lac, cluster.VIP)
    assert lac.do("tunnel port=0")["ok"] and lac.do("session user=twice")["up"] == "1"
    ask = request(DISCONNECT, attribute(USER_NAME, "twice"), attribute(EVENT_TIMESTAMP, int(time.time())), ident=9)
    client, thief = (Client(site.core, cluster.VIP) for _ in range(2))
    assert client.ask(ask).ack
    wait_for(lambda: all("twice" not in m.sessions() for m in site.members), "his end")
    scene.depose()
    lac.do("forget")
    assert lac.do("session user=twice")["up"] == "1"
    assert client.ask(ask).ack and thief.ask(ask).ack
    assert site.master.counters()["dae_repeated"] == 2
    scene.depose()  # and who joined behind it
    assert client.ask(ask).ack
    assert site.master.counters()["dae_repeated"] >= 1
    assert "twice" in site.master.sessions()
    assert lac.do("close session=all")["ok"]
    client.close()
    thief.close()
    lac.do("quit")


def test_slave_refuses_commands(scene):
    """And says who is master."""
    site = scene.site
    master, slave = site.master, site.slaves[0]
    for command in "drop user plain", "throttle plain", "snoop plain %s 9" % cluster.CORE, "filter plain in few":
        answer = "\n".join(slave.lns.run(command))
        assert master.link in answer, (command, answer)
    code, out, err = nsctl(slave.ns, "drop", "plain")
    assert code != 0 and master.link in out + err, (code, out, err)
    assert "plain" in site.master.sessions()


def test_show_cluster(scene):
    """The lines of old, and one for each other member."""
    site = scene.site
    for member in site.members:
        lines = [line for line in member.lns.run("show cluster") if line.strip()]
        status = "Master" if member is site.master else "Slave"
        labels = ["Cluster status   ", "My address       ", "VIP address      ", "Multicast address", "UDP port         ",
                  "Multicast i'face "]
        values = [status, member.link, cluster.VIP, "239.192.13.13", "32792", "link"]
        for line, label, value in zip(lines, labels, values):
            assert line.startswith("%s: %s" % (label, value)), line
        text = "\n".join(lines)
        for label in ("Table version #  ", "Highest session  ", "Highest bundle   ", "Highest tunnel   "):
            assert "%s: " % label in text, text
        assert "changes queued for sending" in text and "2 peers" in text, text
        for other in site.members:
            if other is not member:
                assert sum(other.link in line for line in lines) >= 1, text


def test_slave_quits(scene):
    """SIGQUIT is the same as SIGTERM there."""
    site = scene.site
    victim = site.slaves[0]
    victim.stop(signal.SIGQUIT)
    site.settle()
    assert set(site.master.sessions()) == set(USERS)
    victim.start()
    site.settle()


def test_master_quits(scene):
    """SIGQUIT there ends all calls; the books are closed."""
    site = scene.site
    quits = site.master
    quits.stop(signal.SIGQUIT)
    assert re.search(r"closing \d+ tunnels with %d sessions, which are those of the whole cluster" % len(USERS), quits.lns.log)
    wait_for(lambda: scene.lac.do("count")["up"] == "0", "the end of all calls")
    for user in USERS:
        end_of(site.radius, user, STOP)
    wait_for(lambda: [m.sessions() for m in site.living()] == [{}, {}], "the end of all sessions at the others")
