"""Many RADIUS servers: order, weights, secrets of their own, dead ones and how they come back, and too many requests."""

import json

import pytest

from fakeradius import STATUS_TYPE, USER_NAME, FakeRadius, acknowledge, silent
from netns import wait_for
from pylac import Lac
from test_acct import Crowd
from test_dae import radclient

USERS = {"user%d" % n: ("secret", {}) for n in range(20)}


class Site:
    """A daemon with servers by `radius server` lines, a stepped clock, and a LAC."""

    def __init__(self, plant, *lines, **settings):
        self.network = plant.network
        chosen = {"peer_address": "10.9.255.1"}
        chosen.update(settings)
        self.lns = plant.lns(chosen, extra=lines, clock=True)
        self.lac = Lac(plant.network)
        self.tunnel = self.lac.tunnel()
        self.logins = 0

    def asked(self):
        """A session whose login RADIUS was asked about."""
        sent = self.counter("radius_sent")
        session = self.begin()
        wait_for(lambda: self.counter("radius_sent") > sent, "the Access-Request")
        return session

    def begin(self):
        """A session that has sent its login."""
        session = self.tunnel.session()
        session.user, session.password = "user%d" % self.logins, "secret"
        self.logins += 1
        session.lcp_up()
        session.pap_request()
        return session

    def login(self):
        session = self.begin()
        self.answered(session)
        assert session.authenticated
        return session

    def answered(self, session):
        self.lac.wait(lambda: session.authenticated is not None or session.gone, "the login's answer", 30)

    def up(self, session):
        """On from the login to an address."""
        session.ipcp_request()
        self.lac.wait(lambda: session.ipcp_sent and session.ipcp_peer, "IPCP to open", 20)
        return session

    def waits(self, *seconds):
        """The clock runs on, a step at a time: each lets what is due be sent."""
        for step in seconds:
            self.lns.step(step)
            self.lac.drain()

    def servers(self, kind="auth"):
        """The servers of a kind, by address."""
        listed = json.loads("\n".join(self.lns.run("show radius json")))["servers"]
        return {server["ip"]: server for server in listed if server["for"] == kind}

    def dead(self, kind="auth"):
        return [ip for ip, server in self.servers(kind).items() if server["dead"]]

    def counter(self, name):
        return self.lns.counters()[name]


def fakes(plant, *secrets):
    """Servers in the core network, each with its secret, and their lines."""
    network = plant.network
    network.core.ip("addr add 10.2.0.4/16 dev lns")
    hosts = [network.CORE, network.CORE2, "10.2.0.4"][:len(secrets)]
    servers = [plant.keep(FakeRadius(network.core, host, port=1812 + 10 * n, secret=secret))
               for n, (host, secret) in enumerate(zip(hosts, secrets))]
    return servers, ["radius server %s auth-port %d secret %s" % (s.address, s.port, s.secret.decode())
                     for s in servers]


# ---------------------------------------------------------------------------- the real server

@pytest.mark.san
@pytest.mark.parametrize("status", [True, False], ids=["status_server", "without"])
def test_freeradius_dies_and_comes_back(plant, status):
    """Two FreeRADIUS with secrets and ports of their own. One dies: the other serves; it is found when it lives again,
    by Status-Server, or where it does not know that by a login that asks it."""
    network = plant.network
    first = plant.freeradius(USERS, port=1812, secret="first", require_message_authenticator=True,
                             status_server=status)
    second = plant.freeradius(USERS, address=network.CORE2, port=1999, secret="second",
                              require_message_authenticator=True)
    site = Site(plant, "radius server %s auth-port 1812 secret first" % network.CORE,
                "radius server %s auth-port 1999 secret second" % network.CORE2,
                radius_accounting=True)
    site.up(site.login())
    wait_for(lambda: [r["Acct-Status-Type"] for r in first.accounting if "User-Name" in r] == ["Start"],
             "the first Start")
    assert len(first.requests) == 1 and not second.requests
    first.close()

    sessions = [site.asked() for _ in range(3)]
    site.waits(2, 3, 3)
    for session in sessions:
        site.answered(session)
        assert session.authenticated
    assert site.dead() == [network.CORE]
    for session in sessions:
        site.up(session)
    wait_for(lambda: site.lns.counters()["acct_sent"] >= 5, "the Starts to be sent")
    site.waits(2, 3, 3)
    wait_for(lambda: sum(r["Acct-Status-Type"] == "Start" for r in second.accounting) == 3, "their Starts")
    assert site.dead("acct") == [network.CORE]
    site.login()  # at once, without the dead one
    assert len(second.requests) == 4
    probes = site.counter("radius_probes")

    first.start()
    site.waits(31, 2, 2)
    wait_for(lambda: site.counter("radius_probes") >= probes + 2, "a probe of each kind")
    if status:
        wait_for(lambda: not site.dead() and not site.dead("acct"), "its answers to Status-Server")
    else:
        assert site.dead() == [network.CORE]
        site.waits(6)
    site.login()
    assert len(first.requests) == 2 and len(second.requests) == 4
    assert site.dead() == []
    asked = site.counter("radius_probes")
    site.waits(31, 31)
    if status:
        assert site.counter("radius_probes") == asked, "a living server was probed"


# ---------------------------------------------------------------------------- order and weights

def test_weights_share_the_load(plant):
    """180 logins by weights 5, 3 and 1: exactly in that proportion, and each server can read its passwords."""
    servers, lines = fakes(plant, "one", "two", "three")
    site = Site(plant, *["%s weight %d" % pair for pair in zip(lines, (5, 3, 1))])
    for _ in range(180):
        site.login()
    assert [len(server.access) for server in servers] == [100, 60, 20]
    for server in servers:
        assert {r.password(server.secret) for r in server.access} == {b"secret"}
        assert all(r.signed(server.secret) for r in server.access)
    table = [line.split() for line in site.lns.run("show radius servers") if line]
    assert table[0] == "Server Port For Weight State Since Requests Replies Unanswered RTT ms".split()
    auth = [row for row in table[1:] if row[2] == "auth"]
    assert [row[3:5] + row[6:9] for row in auth] == [
        ["5", "up", "100", "100", "0"], ["3", "up", "60", "60", "0"], ["1", "up", "20", "20", "0"]]


def test_next_server_reads_its_password(plant):
    """Fail-over: the second server gets the login under its own secret. What the first says later meets nobody."""
    (first, second), lines = fakes(plant, "one", "two")
    first.answer = silent
    second.answer = lambda server, request: [server.reject(request)]
    site = Site(plant, *lines)
    session = site.asked()
    site.waits(2, 3, 3)
    site.answered(session)
    assert session.authenticated is False
    assert [r.password(b"one") for r in first.access] == [b"secret"] * 3
    assert [r.password(b"two") for r in second.access] == [b"secret"]
    assert second.access[0].signed(b"two") and second.access[0].authenticator != first.access[0].authenticator
    assert "Resting: 1" in site.lns.run("show radius")
    first.sock.sendto(first.accept(first.access[0]), first.access[0].source)
    wait_for(lambda: site.counter("radius_bad_id") == 1, "the late answer")
    assert site.lns.session("user0") is None
    site.waits(11)
    assert not [line for line in site.lns.run("show radius") if line.startswith("Resting")]


def test_first_two_that_live(plant):
    """Of three servers the first is dead: a login asks the other two. All dead: each has its turn."""
    servers, lines = fakes(plant, "one", "two", "three")
    for server in servers:
        server.answer = silent
    site = Site(plant, *lines)
    for _ in range(3):
        site.asked()
    site.waits(2, 3, 3)
    assert site.dead() == [servers[0].address]
    session = site.asked()
    site.waits(2, 3, 3, 2, 3, 5)
    site.answered(session)
    assert session.authenticated is False
    for server, count in zip(servers, (0, 3, 3)):
        assert sum(r.get(USER_NAME) == b"user3" for r in server.access) == count


def test_records_ask_each_server(plant):
    """A record that the first server does not acknowledge goes to the second, and to the third."""
    servers, lines = fakes(plant, "one", "two", "three")
    accounts = [plant.keep(FakeRadius(plant.network.core, s.address, port=s.port + 1, secret=s.secret.decode()))
                for s in servers]
    for account, answer in zip(accounts, (silent, silent, acknowledge)):
        account.answer = answer
    site = Site(plant, *lines, radius_accounting=True)
    wait_for(lambda: accounts[0].records, "Accounting-On")
    site.waits(2, 3, 3, 2, 3, 3)
    wait_for(lambda: accounts[2].records, "it at the third server")
    assert [len({r.raw for r in account.requests}) for account in accounts] == [1, 1, 1]
    assert len({r.get(STATUS_TYPE) for account in accounts for r in account.requests}) == 1


# ---------------------------------------------------------------------------- at run time

def test_lines_at_run_time(plant):
    """A line that is added, changed or taken back counts for the next login; what is under way keeps what it has."""
    (first, second), (one, two) = fakes(plant, "one", "two")
    held = []
    site = Site(plant, one)
    first.answer = lambda server, request: held.append(request) or []
    session = site.asked()
    wait_for(lambda: held, "the request")
    for line in two, "no radius server " + first.address:
        assert not any(site.lns.set(line)), line
    assert list(site.servers()) == [second.address]
    first.sock.sendto(first.accept(held[0]), held[0].source)
    site.answered(session)
    assert session.authenticated
    site.login()
    assert len(second.access) == 1
    site.lns.set("radius server %s auth-port %d secret changed" % (second.address, second.port))
    second.secret = b"changed"
    site.login()
    assert second.access[-1].password(b"changed") == b"secret"
    site.lns.set("no radius server " + second.address)
    site.lns.set(one)
    first.answer = lambda server, request: [server.accept(request)]
    site.login()
    assert len(second.access) == 2


@pytest.mark.san
def test_dae_from_a_server_with_its_own_secret(plant):
    """The server of a line may send Disconnects under its secret, and nobody who is none any more."""
    (first,), (line,) = fakes(plant, "own")
    site = Site(plant, line, radius_secret="common")
    site.up(site.login())
    site.up(site.login())
    target = plant.network.LNS
    assert not radclient(plant.network.core, "disconnect", ["User-Name = user0"], target, secret="common",
                         timeout=1).ack
    assert site.lns.session("user0")
    assert radclient(plant.network.core, "disconnect", ["User-Name = user0"], target, secret="own").ack
    site.lns.wait_gone("user0")
    site.lns.set("no radius server " + first.address)
    assert not radclient(plant.network.core, "disconnect", ["User-Name = user1"], target, secret="own", timeout=1).ack
    assert site.lns.session("user1")


# ---------------------------------------------------------------------------- too many

def test_logins_wait_and_stops_do_not(plant):
    """Nobody answers logins, and 17,000 come: they wait their turn, while Stops arrive. All are in when there is a
    server again, but for those who were asked about in vain for 12 s: 64 at most, if all this takes so long."""
    crowd = Crowd(plant, idle_echo_timeout=600)
    crowd.up(100)
    crowd.login_server.kill()
    crowd.lac.send("session count=17000 parallel=17000 timeout=120")
    wait_for(lambda: crowd.lns.counters()["login_waiting"] > 10000, "logins that wait", 60)
    for n in range(10):
        crowd.lns.run("drop user user%d" % n)
    told = crowd.told(100, 10)
    assert told["stop"] >= 10
    crowd.login_server = crowd.respond("1812")
    answer = crowd.lac.answer(150)
    assert int(answer["failed"]) <= 64 and int(answer["up"]) + int(answer["failed"]) == 17000, answer
    counters = crowd.lns.counters()
    assert counters["acct_lost"] == counters["login_queue_full"] == counters["login_waiting"] == 0
    print("%d waited, longest turn %d us" % (counters["login_waited"], counters["loop_longest_us"]))
