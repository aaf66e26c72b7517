"""RADIUS accounting: one Start and one Stop of each session, what they say, and that none is ever lost."""

import os
import re
import signal
import socket
import struct
import time

import pytest

import packets
import pylac
from clac import PAIR, TOOLS, CLac
from fakeradius import (ACCT_OFF, ACCT_ON, ACCT_SESSION_ID, AUTHENTIC, CALLED_STATION, CALLING_STATION, CLASS,
                        CONNECT_INFO, CUI, DELAY_TIME, EVENT_TIMESTAMP, FRAMED_IP, FRAMED_NETMASK, FRAMED_PROTOCOL,
                        FRAMED_ROUTE, IDLE_TIMEOUT, INPUT_GIGAWORDS, INPUT_OCTETS, INPUT_PACKETS, INTERIM,
                        INTERIM_INTERVAL, NAS_IDENTIFIER, NAS_IP, NAS_PORT, OUTPUT_GIGAWORDS, OUTPUT_OCTETS,
                        OUTPUT_PACKETS, SERVICE_TYPE, SESSION_TIME, SESSION_TIMEOUT, START, STOP, TERMINATE_CAUSE,
                        TUNNEL_CLIENT, TUNNEL_CLIENT_AUTH, TUNNEL_CONNECTION, TUNNEL_MEDIUM, TUNNEL_SERVER,
                        TUNNEL_TYPE, USER_NAME, FakeRadius, acknowledge, attribute, silent)
from lns import ROOT
from netns import wait_for
from pylac import Lac
from test_plugins import compile_plugin

SECRET = "radsecret"
PATIENT = {"disable_sending_hello": True, "kill_timedout_sessions": False}
NSCTL = os.path.join(ROOT, "nsctl")
LOST_CARRIER, USER_REQUEST, IDLE, TIMEOUT, ADMIN_RESET, PORT_ERROR, NAS_REBOOT = 2, 1, 4, 5, 6, 8, 11


class Site:
    """A daemon with accounting, a server for logins and one or two for accounting, and a LAC."""

    def __init__(self, plant, servers=1, clock=False, answer=acknowledge, accept=(), extra=(), local_users=False,
                 **settings):
        self.plant, self.network = plant, plant.network
        self.logins = plant.keep(FakeRadius(self.network.core, self.network.CORE, secret=SECRET))
        self.logins.answer = lambda server, request: [server.accept(request, *accept)]
        self.servers = []
        for address in (self.network.CORE, self.network.CORE2)[:servers]:
            self.servers.append(plant.keep(FakeRadius(self.network.core, address, 1813, SECRET)))
            self.servers[-1].answer = answer
        self.server = self.servers[0]
        chosen = {"primary_radius": self.network.CORE, "primary_radius_port": 1812, "radius_secret": SECRET,
                  "radius_accounting": True, "allow_duplicate_users": True}
        if clock:  # the LAC is not to be asked whether it is there each time the clock is put ahead
            chosen.update(PATIENT)
        if servers == 2:
            chosen["secondary_radius"] = self.network.CORE2
        chosen.update(settings)
        self.lns = plant.lns(chosen, clock=clock, extra=extra, local_users={"ann": "secret"} if local_users else None)
        self.lac = Lac(self.network)
        self.tunnel = self.lac.tunnel()

    def session(self, user="joe", **kwargs):
        session = self.tunnel.session(**kwargs)
        session.up(user, "secret")
        return session

    def records(self, *status, user=None):
        """What came, of all servers, in order of coming; one repeated in a later round counts again."""
        found = sorted((r for server in self.servers for r in server.records), key=lambda r: r.time)
        return [r for r in found if (not status or r.status in status)
                and (user is None or r.get(USER_NAME) == user.encode())]

    def wait(self, *status, user=None, count=1, timeout=15):
        def enough():
            self.lac.drain()
            return len(self.records(*status, user=user)) >= count
        wait_for(enough, "%d records of %s" % (count, status), timeout)
        return self.records(*status, user=user)

    def settle(self, timeout=15):
        """Nothing is queued any more."""
        wait_for(lambda: self.counter("acct_queued") == 0, "the end of the queue", timeout)

    def counter(self, name):
        return self.lns.counters()[name]


def one_each(site, sessions=1):
    """One Start and one Stop of each session, the Start first."""
    starts = [r.get(ACCT_SESSION_ID) for r in site.records(START)]
    stops = [r.get(ACCT_SESSION_ID) for r in site.records(STOP)]
    assert len(starts) == len(set(starts)) == sessions, starts
    assert sorted(starts) == sorted(stops)
    for ident in starts:
        kinds = [r.status for r in site.records(START, STOP) if r.get(ACCT_SESSION_ID) == ident]
        assert kinds == [START, STOP], kinds


@pytest.fixture
def site(plant):
    return Site(plant)


# ---------------------------------------------------------------------------- what is told

@pytest.mark.san
def test_start_and_stop(plant):
    """All that SPEC 7 names, and octets seen from the subscriber's side."""
    classes, identity = [b"first class", b"\0\1\2"], b"\0who pays"
    site = Site(plant, accept=[attribute(CLASS, c) for c in classes] + [
        attribute(FRAMED_IP, socket.inet_aton("10.9.0.7")), attribute(FRAMED_NETMASK, b"\xff\xff\xff\xff"),
        attribute(CUI, identity),
        attribute(FRAMED_ROUTE, "192.168.7.0/24 0.0.0.0 1")])
    session = site.session("joe", called="02010001", calling="07330001", serial=4711)
    began = time.time()
    (start,) = site.wait(START)
    for _ in range(3):
        session.ping(site.network.CORE, size=72)
    sid = int(site.lns.session("joe")["SID"])
    session.hangup(3)
    (stop,) = site.wait(STOP)
    access = site.logins.access[0]
    assert access.all(CUI) == [b"\0"], "RFC 4372 2.1: asks for one"
    for record in start, stop:
        assert record.get(ACCT_SESSION_ID) == access.get(ACCT_SESSION_ID)
        assert record.get(USER_NAME) == b"joe"
        assert record.get(NAS_IP) == socket.inet_aton(site.network.LNS)
        assert record.get(NAS_IDENTIFIER) == b"lns1"
        assert record.number(NAS_PORT) == sid
        assert (record.number(SERVICE_TYPE), record.number(FRAMED_PROTOCOL)) == (2, 1)
        assert record.get(FRAMED_IP) == socket.inet_aton(session.address)
        assert record.get(FRAMED_NETMASK) == b"\xff\xff\xff\xff"
        assert record.get(FRAMED_ROUTE).startswith(b"192.168.7.0/24 ")
        assert (record.get(CALLED_STATION), record.get(CALLING_STATION)) == (b"02010001", b"07330001")
        assert record.get(CONNECT_INFO) == access.get(CONNECT_INFO)
        assert record.all(CLASS) == classes and record.all(CUI) == [identity]
        assert record.number(AUTHENTIC) == 1  # RADIUS
        assert abs(record.number(EVENT_TIMESTAMP) - began) < 10
        assert record.number(DELAY_TIME) == 0
        assert record.number(TUNNEL_TYPE) & 0xFFFFFF == 3 and record.number(TUNNEL_MEDIUM) & 0xFFFFFF == 1
        assert record.get(TUNNEL_CLIENT)[1:].decode() == site.network.LAC
        assert record.get(TUNNEL_SERVER)[1:].decode() == site.network.LNS
        assert record.get(TUNNEL_CLIENT_AUTH)[1:] == b"pylac"
        assert record.get(TUNNEL_CONNECTION) == b"4711"
    assert start.get(TERMINATE_CAUSE) is None and start.get(INPUT_OCTETS) is None
    assert stop.number(TERMINATE_CAUSE) == ADMIN_RESET
    assert stop.number(SESSION_TIME) <= 10
    assert stop.octets(INPUT_OCTETS, INPUT_GIGAWORDS) == stop.octets(OUTPUT_OCTETS, OUTPUT_GIGAWORDS) == 300
    assert stop.number(INPUT_PACKETS) == stop.number(OUTPUT_PACKETS) == 3
    one_each(site)


def preset(lns, session, **counters):
    """Writes counters of a session in the daemon's memory: nobody waits for 4 gigaoctets."""
    places = {"rx_bytes": 32, "tx_bytes": 48}  # session.h, struct sess_fast
    told = lns.session(session.user)
    packets, octets = 1, int(told["uploaded"])
    tail = struct.pack("=4Q", octets, packets, octets, packets)
    found = []
    with open("/proc/%d/maps" % lns.process.pid) as maps, open("/proc/%d/mem" % lns.process.pid, "r+b") as memory:
        for line in maps:
            begin, end = (int(n, 16) for n in line.split()[0].split("-"))
            if line.split()[1] == "rw-s" and end - begin < 1 << 26:
                memory.seek(begin)
                data = memory.read(end - begin)
                found += [begin + n for n in range(0, len(data), 64)
                          if data[n + 32:n + 64] == tail and data[n + 16:n + 20] == socket.inet_aton(session.address)]
        assert len(found) == 1
        for name, value in counters.items():
            memory.seek(found[0] + places[name])
            memory.write(struct.pack("=Q", value))


def test_gigawords(plant):
    """Octets pass 2^32 between two records, and 5 * 2^32 the other way."""
    site = Site(plant, clock=True, radius_interim=60, max_sessions=100)
    session = site.session()
    session.ping(site.network.CORE, size=72)
    preset(site.lns, session, rx_bytes=(1 << 32) - 100, tx_bytes=(5 << 32) - 150)
    site.lns.step(70)
    (interim,) = site.wait(INTERIM)
    site.settle()
    session.ping(site.network.CORE, size=72)
    session.hangup()
    (stop,) = site.wait(STOP)
    assert [interim.number(a) for a in (INPUT_GIGAWORDS, INPUT_OCTETS)] == [0, (1 << 32) - 100]
    assert [interim.number(a) for a in (OUTPUT_GIGAWORDS, OUTPUT_OCTETS)] == [4, (1 << 32) - 150]
    assert [stop.number(a) for a in (INPUT_GIGAWORDS, INPUT_OCTETS)] == [1, 0]
    assert [stop.number(a) for a in (OUTPUT_GIGAWORDS, OUTPUT_OCTETS)] == [4, (1 << 32) - 50]


def test_directions(site):
    """Input is what the subscriber sends: an echo request of his, with nobody to answer it."""
    session = site.session()
    session.send_ip(packets.udp(session.address, site.network.CORE, 5, 9, b"x" * 72))
    session.send_ip(packets.udp(session.address, "10.2.0.77", 5, 9, b"x" * 172))
    session.ping(site.network.CORE)
    session.hangup()
    (stop,) = site.wait(STOP)
    assert stop.octets(INPUT_OCTETS, INPUT_GIGAWORDS) >= 100 + 200 + 60
    assert stop.octets(INPUT_OCTETS, INPUT_GIGAWORDS) > stop.octets(OUTPUT_OCTETS, OUTPUT_GIGAWORDS)


def test_local_user(plant):
    """Found in local_users: Acct-Authentic says Local."""
    site = Site(plant, local_users=True)
    site.session("ann")
    assert site.wait(START)[0].number(AUTHENTIC) == 2
    assert site.logins.access == []


@pytest.mark.san
def test_accounting_on_comes_first(site):
    """With an empty table the server is told that older sessions are over."""
    site.session()
    site.wait(START)
    assert [r.status for r in site.records()] == [ACCT_ON, START]
    on = site.records()[0]
    assert on.get(NAS_IP) == socket.inet_aton(site.network.LNS) and on.get(NAS_IDENTIFIER) == b"lns1"
    assert on.get(ACCT_SESSION_ID) and on.number(DELAY_TIME) == 0 and on.get(USER_NAME) is None


BILLING = r"""
#include <plugin.h>
#include <string.h>
int plugin_api_version = PLUGIN_API_VERSION;
static const struct pluginfuncs *f;
int plugin_init(const struct pluginfuncs *funcs) { f = funcs; return 1; }
int plugin_post_auth(struct param_post_auth *p)
{
	f->set_garden(p->s, strcmp(p->username, "poor") == 0);
	return PLUGIN_RET_OK;
}
int plugin_radius_account(struct param_radius_account *p)
{
	f->radius_add(p->packet, 0, 11, "by a plugin", 11);
	f->radius_add(p->packet, 9, 1, "key=value", 9);
	return PLUGIN_RET_OK;
}
int plugin_control(struct param_control *p)
{
	if (strcmp(p->argv[0], "release") != 0)
		return PLUGIN_RET_OK;
	f->set_garden(f->get_session_by_user("poor"), 0);
	p->response = 1;
	return PLUGIN_RET_STOP;
}
"""


def with_plugin(plant, folder, **kwargs):
    compile_plugin(folder, "billing", BILLING)
    return Site(plant, extra=['load plugin "billing"'], plugin_dir=str(folder), **kwargs)


@pytest.mark.san
def test_garden_and_plugin(plant, tmp_path):
    """A gardened session is accounted from when it is let out; a plugin adds attributes to each record."""
    site = with_plugin(plant, tmp_path, clock=True, radius_interim=60)
    kept, freed = site.session("poor"), site.session("rich")
    (start,) = site.wait(START)
    assert start.get(USER_NAME) == b"rich"
    assert start.get(11) == b"by a plugin" and start.get(26)[:4] == b"\0\0\0\x09"
    freed.hangup()
    kept.ping(site.network.CORE)
    site.lns.step(100)
    assert site.lns.ns.run(NSCTL, "release", check=False) is not None
    (start,) = site.wait(START, user="poor")
    kept.ping(site.network.CORE, size=72)
    kept.hangup()
    (stop,) = site.wait(STOP, user="poor")
    assert stop.number(INPUT_OCTETS) == stop.number(OUTPUT_OCTETS) == 100, "what it had in the garden is not told"
    assert stop.number(SESSION_TIME) < 50
    assert stop.get(11) == b"by a plugin"
    assert site.records(INTERIM) == []
    site.settle()
    one_each(site, 2)


def test_never_released(plant, tmp_path):
    site = with_plugin(plant, tmp_path)
    site.session("poor").hangup()
    site.session("rich").hangup()
    site.wait(STOP)
    site.settle()
    assert site.records(START, STOP, user="poor") == []


# ---------------------------------------------------------------------------- exactly one, and why

def term_request(site, session):
    session.send_cp(pylac.LCP, pylac.TERM_REQ)


def stopccn(site, session):
    site.tunnel.stop()


def drop(site, session):
    site.lns.run("drop user joe")


def drop_tunnel(site, session):
    site.lns.run("drop tunnel %s" % site.lns.tunnels()[0]["TID"])


def same_user(site, session):
    other = site.lac.tunnel().session()
    other.up("joe", "secret")


def time_passes(site, session):
    site.lns.step(200)


def echo_loss(site, session):
    session.answering = False
    site.lns.step(130)
    site.lns.step(130)


def lac_vanishes(site, session):
    site.lac.drain = lambda: None
    site.lns.set("set hello_interval 1")
    for _ in range(12):
        site.lns.step(20)


ENDS = [
    (lambda site, session: session.hangup(1), LOST_CARRIER, {}, ()),
    (lambda site, session: session.hangup(2), PORT_ERROR, {}, ()),
    (lambda site, session: session.hangup(3), ADMIN_RESET, {}, ()),
    (lambda site, session: session.hangup(4), USER_REQUEST, {}, ()),
    (term_request, USER_REQUEST, {}, ()),
    (stopccn, LOST_CARRIER, {}, ()),
    (drop, ADMIN_RESET, {}, ()),
    (drop_tunnel, ADMIN_RESET, {}, ()),
    (same_user, ADMIN_RESET, {"allow_duplicate_users": False}, ()),
    (time_passes, TIMEOUT, {}, [attribute(SESSION_TIMEOUT, 150)]),
    (time_passes, IDLE, {}, [attribute(IDLE_TIMEOUT, 150)]),
    (echo_loss, LOST_CARRIER, {"idle_echo_timeout": 120, "kill_timedout_sessions": True}, ()),
    (lac_vanishes, LOST_CARRIER, {"disable_sending_hello": False}, ()),
]
NAMES = ["cdn1", "cdn2", "cdn3", "cdn4", "terminate", "stopccn", "drop", "drop-tunnel", "login-elsewhere",
         "session-timeout", "idle-timeout", "echo", "lac-vanishes"]


@pytest.mark.parametrize("end, cause, settings, accept", ENDS, ids=NAMES)
def test_terminate_cause(plant, end, cause, settings, accept):
    site = Site(plant, clock=True, accept=accept, **settings)
    session = site.session()
    site.wait(START)
    end(site, session)
    stops = site.wait(STOP, timeout=30)
    assert [r.number(TERMINATE_CAUSE) for r in stops] == [cause]
    site.settle()
    if end != same_user:
        one_each(site)


@pytest.mark.san
def test_quit_accounts_for_all(site):
    """SIGQUIT: a Stop of each session, NAS-Reboot, and Accounting-Off as the last word."""
    for n in range(5):
        site.session("user%d" % n)
    site.wait(START, count=5)
    site.lns.process.send_signal(signal.SIGQUIT)

    def ended():
        site.lac.pump(0.05)
        return not site.lns.process.alive()

    wait_for(ended, "the end of the daemon", 40)
    site.lns.stop()
    one_each(site, 5)
    assert {r.number(TERMINATE_CAUSE) for r in site.records(STOP)} == {NAS_REBOOT}
    assert [r.status for r in site.records()][-1] == ACCT_OFF
    assert len(site.records(ACCT_OFF)) == 1
    assert not spilled(site)


@pytest.mark.parametrize("wall", [0, -86400])
def test_quit_without_a_server(plant, wall):
    """SIGQUIT with nobody to take the records: five minutes, whatever is done to the wall clock; they are kept."""
    site = Site(plant, clock=True)
    site.settle()
    site.server.answer = silent
    site.session()
    site.lns.process.send_signal(signal.SIGQUIT)
    site.lac.wait(lambda: not site.lns.sessions(), "the end of the session")
    site.lns.step(100, wall=wall)
    assert site.lns.process.alive()
    site.lns.put_ahead(201, wall=0)
    wait_for(lambda: not site.lns.process.alive(), "the end of the daemon")
    site.lns.stop()
    seen = len(site.server.requests)
    site.server.answer = acknowledge
    site.lns.start()
    site.settle()
    after = [r.status for r in site.records(START, STOP) if r in site.server.requests[seen:]]
    assert after == [START, STOP]


@pytest.mark.san
def test_renegotiation_is_one_session(site):
    """LCP anew, and the login again: still one Start."""
    session = site.session()
    site.wait(START)
    for _ in range(3):
        session.renegotiate()
        session.up()
    session.ping(site.network.CORE)
    session.hangup()
    site.wait(STOP)
    site.settle()
    one_each(site)


def test_never_up_never_accounted(site):
    """No Start without an address; and no Stop then."""
    site.tunnel.session().hangup()
    half = site.tunnel.session()
    assert half.authenticate("joe", "secret")
    half.hangup()
    site.logins.answer = lambda server, request: [server.reject(request)]
    assert not site.tunnel.session().authenticate("joe", "wrong")
    site.lac.wait(lambda: site.lns.sessions() == [], "the end of all")
    site.settle()
    assert site.records(START, STOP, INTERIM) == []


@pytest.mark.san
def test_switched_on_and_off(plant):
    """Off: nothing is sent or kept. On: for sessions that come. Off again: who had his Start gets his Stop."""
    site = Site(plant, radius_accounting=False, clock=True, radius_interim=60)
    before = site.session("before")
    site.lns.set("set radius_accounting yes")
    between = site.session("between")
    site.wait(START)
    site.lns.set("set radius_accounting no")
    after = site.session("after")
    site.lns.step(100)
    for session in before, between, after:
        session.hangup()
    site.wait(STOP)
    site.settle()
    assert {r.get(USER_NAME) for r in site.records()} == {b"between"}
    assert site.records(ACCT_ON, INTERIM) == []
    one_each(site)
    site.lns.stop()
    assert spilled(site) is None


# ---------------------------------------------------------------------------- Interim-Updates

@pytest.mark.san
@pytest.mark.parametrize("settings, accept, seconds", [
    ({"radius_interim": 300}, (), 300),
    ({"radius_interim": 300}, [attribute(INTERIM_INTERVAL, 600)], 600),
    ({}, [attribute(INTERIM_INTERVAL, 600)], 600),
    ({"radius_interim": 5}, (), 60),
    ({}, [attribute(INTERIM_INTERVAL, 1)], 60),
    ({"radius_interim": 20, "radius_interim_min": 10}, (), 20)])
def test_interim(plant, settings, accept, seconds):
    """As often as the server or the configuration says, never below the minimum, late by an eighth at most."""
    site = Site(plant, clock=True, accept=accept, **settings)
    session = site.session()
    site.wait(START)
    for n in range(1, 4):
        session.ping(site.network.CORE, size=72)
        site.lns.step(seconds - 5)
        assert len(site.records(INTERIM)) == n - 1, "too early"
        site.lns.step(5 + seconds // 8 + 1)
        record = site.wait(INTERIM, count=n)[-1]
        assert n * seconds <= record.number(SESSION_TIME) <= n * seconds * 9 / 8 + 10
        assert record.octets(INPUT_OCTETS, INPUT_GIGAWORDS) == 100 * n
        assert record.get(TERMINATE_CAUSE) is None
        site.settle()
    session.hangup()
    site.wait(STOP)
    site.lns.step(2 * seconds)
    assert len(site.records(INTERIM)) == 3
    one_each(site)


def test_interim_set_at_run_time(plant):
    site = Site(plant, clock=True)
    site.session()
    site.wait(START)
    site.lns.set("set radius_interim 100")
    site.lns.step(1)
    site.lns.step(120)
    site.wait(INTERIM)
    site.settle()
    site.lns.set("set radius_interim 0")
    site.lns.step(300)
    assert len(site.records(INTERIM)) == 1


def test_interim_changed_by_coa(plant):
    """Acct-Interim-Interval in a CoA counts from then on; a change of something else postpones nothing."""
    site = Site(plant, clock=True, radius_interim=3600)
    site.session("joe")
    site.wait(START)

    def coa(*attributes):
        output = plant.network.core.run(
            "sh", "-c", "printf '%%s\\n' '%s' | radclient -r 1 -t 5 %s:3799 coa %s" % (
                ", ".join(('User-Name = "joe"',) + attributes), plant.network.LNS, SECRET))
        assert "CoA-ACK" in output, output
    site.lns.set("set radius_dae_client %s" % plant.network.CORE)
    coa("Acct-Interim-Interval = 100")
    site.lns.step(60)
    coa("Session-Timeout = 9999")
    site.lns.step(60)
    site.wait(INTERIM)
    site.settle()
    coa("Acct-Interim-Interval = 0")
    site.lns.step(300)
    assert len(site.records(INTERIM)) == 1


def test_one_interim_at_a_time(plant):
    """While the server is away there is one at most in the queue (RFC 2869 2.1), and never one behind a Stop."""
    site = Site(plant, clock=True, radius_interim=60)
    session = site.session()
    site.wait(START)
    site.settle()
    site.server.answer = silent
    for _ in range(5):
        site.lns.step(70)
    assert site.counter("acct_queued") == 1 and site.counter("acct_interim_skipped") >= 3
    session.hangup()
    site.server.answer = acknowledge
    site.wait(STOP, timeout=60)
    site.settle()
    order = [r.status for r in site.records(START, INTERIM, STOP)]
    assert order[0] == START and order[-1] == STOP and order.count(STOP) == 1


# ---------------------------------------------------------------------------- delivery

def spilled(site):
    """The size of the spill file."""
    try:
        return os.path.getsize(os.path.join(site.lns.folder, "state", "acct-spill"))
    except FileNotFoundError:
        return None


def test_fail_over(plant):
    """The first server is silent: three times the same packet, then the second gets the record, its age told."""
    site = Site(plant, servers=2)
    site.settle()
    first, second = site.servers
    first.answer = silent
    site.session()
    wait_for(lambda: [r for r in second.records if r.status == START], "the Start at the second server", 20)
    old = [r for r in first.records if r.status == START]
    (new,) = [r for r in second.records if r.status == START]
    assert len([r for r in first.requests if r.raw == old[0].raw]) == 3
    assert new.number(DELAY_TIME) in (5, 6) and old[0].number(DELAY_TIME) == 0
    assert new.authenticator != old[0].authenticator
    assert new.get(EVENT_TIMESTAMP) == old[0].get(EVENT_TIMESTAMP)


def test_dead_server_is_not_asked(plant):
    """After three records without an answer the first server's accounting is dead; its logins are not."""
    site = Site(plant, servers=2)
    site.settle()
    first, second = site.servers
    first.answer = silent
    for n in range(3):
        site.session("user%d" % n)
    wait_for(lambda: len([r for r in second.records if r.status == START]) == 3, "the records", 30)
    asked = len(first.requests)
    site.session("later")
    wait_for(lambda: len([r for r in second.records if r.status == START]) == 4, "the record")
    assert len(first.requests) == asked
    assert len({r.raw for r in site.logins.access}) == 4, "no login was asked about anew"


@pytest.mark.san
def test_server_away(plant):
    """Two minutes without a server: none is lost or told twice, the Start comes before the Stop, ages are right."""
    site = Site(plant, clock=True)
    site.settle()
    site.server.answer = silent
    for n in range(20):
        session = site.session("user%d" % n)
        if n % 2:
            session.hangup()
    for _ in range(6):
        site.lns.step(20)
    assert site.counter("acct_queued") == 30
    seen = len(site.server.requests)
    site.server.answer = acknowledge
    for _ in range(5):
        site.lns.step(10)
    site.settle(60)
    arrived = list({r.raw: r for r in site.server.requests[seen:]}.values())
    for n in range(20):
        mine = [r for r in arrived if r.get(USER_NAME) == b"user%d" % n]
        assert [r.status for r in mine] == ([START, STOP] if n % 2 else [START])
        assert all(110 <= r.number(DELAY_TIME) <= 200 for r in mine), [r.number(DELAY_TIME) for r in mine]
    assert len({(r.source, r.id, r.authenticator) for r in site.records()}) == len(site.records())
    assert site.counter("acct_lost") == 0


def test_given_up_when_too_old(plant):
    """radius_acct_retry_time ends the waiting, and it is told."""
    site = Site(plant, clock=True, radius_acct_retry_time=3600)
    site.settle()
    site.server.answer = silent
    site.session()
    site.wait(START)
    site.lns.step(3500)
    assert site.counter("acct_lost") == 0
    site.lns.step(200)
    wait_for(lambda: site.lns.step(40) or site.counter("acct_lost") == 1, "the end of its time", 30)
    assert site.counter("acct_queued") == 0
    site.lns.wait_log("accounting record 1 of session .* is given up")


@pytest.mark.san
def test_restart_with_records_queued(plant):
    """A stop with unacknowledged records and sessions up: all arrive at the next start, and then Accounting-On."""
    site = Site(plant, clock=True)
    site.settle()
    site.server.answer = silent
    gone = site.session("gone")
    kept = site.session("kept")
    kept.ping(site.network.CORE, size=72)
    gone.hangup()
    wait_for(lambda: site.counter("acct_queued") == 3, "three records")
    began = time.time()
    site.lns.stop()
    assert spilled(site) > 0
    seen = len(site.server.requests)
    site.server.answer = acknowledge
    site.lns.ahead[1] += 100  # between two processes there is only the wall clock
    site.lns.start()
    site.settle()
    after = [r for r in site.records() if r in site.server.requests[seen:]]
    told = [(r.status, (r.get(USER_NAME) or b"").decode()) for r in after]
    assert sorted(told[:-1]) == [(START, "gone"), (START, "kept"), (STOP, "gone"), (STOP, "kept")], told
    assert told[-1] == (ACCT_ON, "")
    for user in "gone", "kept":
        assert told.index((START, user)) < told.index((STOP, user))
    (stop,) = [r for r in after if r.status == STOP and r.get(USER_NAME) == b"kept"]
    assert stop.number(TERMINATE_CAUSE) == NAS_REBOOT
    assert stop.number(INPUT_OCTETS) == 100
    assert stop.number(DELAY_TIME) >= 100 and abs(stop.number(EVENT_TIMESTAMP) - began) <= 2
    assert spilled(site) == 0
    site.lns.stop()
    site.lns.start()
    site.settle()
    assert [r.status for r in site.records() if r not in after and r in site.server.requests[seen:]] == [ACCT_ON]


def test_left_for_days(plant):
    """Records of three days ago: tried as long as any others, their age told."""
    site = Site(plant, clock=True, radius_acct_retry_time=3600)
    site.settle()
    site.server.answer = silent
    site.session()
    site.lns.stop()
    seen = len(site.server.requests)
    site.server.answer = acknowledge
    site.lns.ahead[1] += 3 * 86400
    site.lns.start()
    site.settle()
    after = [r for r in site.records(START, STOP) if r in site.server.requests[seen:]]
    assert [r.status for r in after] == [START, STOP]
    assert all(0 <= r.number(DELAY_TIME) - 3 * 86400 < 60 for r in after)
    assert site.counter("acct_lost") == 0


def test_disk_is_full(plant):
    """A state_dir in which no second spill file can be made: what waits is put behind the first."""
    site = Site(plant)
    site.settle()
    state = os.path.join(site.lns.folder, "state")
    site.server.answer = silent
    for n in range(3):
        site.session("user%d" % n)
    site.wait(START, count=3)
    site.lns.stop()
    os.mkdir(os.path.join(state, "acct-spill.new"))  # takes no record
    seen = len(site.server.requests)
    site.lns.start()
    site.lac = Lac(site.network)
    site.tunnel = site.lac.tunnel()
    site.session("later")
    site.lns.stop()
    site.lns.wait_log("acct-spill.new: Is a directory")
    site.server.answer = acknowledge
    site.lns.start()
    site.settle(30)
    after = [r for r in site.records(START, STOP) if r in site.server.requests[seen:]]
    assert {(r.status, r.get(USER_NAME).decode()) for r in after} == {
        (status, user) for status in (START, STOP) for user in ("user0", "user1", "user2", "later")}


def test_spill_file_is_damaged(plant):
    """What is no record is passed over and told; what follows it arrives."""
    site = Site(plant)
    for n in range(4):
        site.session("user%d" % n)
    site.wait(START, count=4)
    site.settle()
    site.lns.stop()
    path = os.path.join(site.lns.folder, "state", "acct-spill")
    with open(path, "rb") as f:
        data = bytearray(f.read())
    data[len(data) // 2] ^= 1  # the second or third
    with open(path, "wb") as f:
        f.write(data[:-100])  # the last one is torn
    site.lns.start()
    site.lns.wait_log("octets are no accounting records")
    site.settle()
    assert site.counter("acct_spill_junk") > 100
    assert len({r.get(ACCT_SESSION_ID) for r in site.records(STOP)}) == 2
    assert len(site.records(STOP)) == 2


def test_on_waits_for_what_was_left(plant):
    """Accounting-On is acknowledged before any new Start is sent; a server that ignores it is not waited for long."""
    site = Site(plant, clock=True)
    site.session("old")
    site.wait(START)
    site.settle()
    site.lns.stop()
    seen = len(site.server.requests)
    site.server.answer = lambda server, request: [] if request.status == ACCT_ON else acknowledge(server, request)
    site.lns.start()
    site.lac = Lac(site.network)
    site.tunnel = site.lac.tunnel()
    site.session("new")
    wait_for(lambda: [r for r in site.server.requests[seen:] if r.status == ACCT_ON], "Accounting-On")
    order = [(r.status, r.get(USER_NAME)) for r in site.server.requests[seen:]]
    assert order[0] == (STOP, b"old") and set(order[1:]) == {(ACCT_ON, None)}, order
    for _ in range(5):
        site.lns.step(20)
    site.wait(START, user="new")


def test_show_radius(site):
    """A record under way has a row: START, STOP."""
    site.settle()
    site.server.answer = silent
    session = site.session()
    wait_for(lambda: [row for row in site.lns.table("show radius") if row.get("State") == "START"], "the row")
    site.server.answer = acknowledge
    site.settle()
    site.server.answer = silent
    session.hangup()
    wait_for(lambda: [row for row in site.lns.table("show radius") if row.get("State") == "STOP"], "the row")


def test_accounting_does_not_wait_for_logins(site):
    """Logins unanswered: records go all the same."""
    site.session("joe")
    site.logins.answer = silent
    for n in range(5):
        other = site.tunnel.session()
        other.user, other.password = "user%d" % n, "secret"
        other.lcp_up()
        other.pap_request()
    (start,) = site.wait(START)
    assert start.number(DELAY_TIME) == 0


# ---------------------------------------------------------------------------- FreeRADIUS

@pytest.mark.san
def test_freeradius(plant):
    """Its detail file and its SQL accounting: one closed row a session, with what went through it."""
    radius = plant.freeradius({"joe": ("secret", {"Framed-IP-Address": "10.9.0.7", "Class": "0x6869",
                                                  "Acct-Interim-Interval": 600})}, sql=True)
    lns = plant.lns({"primary_radius": radius.address, "primary_radius_port": 1812, "radius_secret": radius.secret,
                     "radius_accounting": True, **PATIENT}, clock=True)
    session = Lac(plant.network).tunnel().session(calling="07330001").up("joe", "secret")
    session.ping(plant.network.CORE, size=72)
    wait_for(lambda: lns.counters()["acct_queued"] == 0, "the Start")
    (row,) = radius.rows("SELECT * FROM radacct WHERE username = 'joe'")
    assert row["acctstoptime"] is None and row["framedipaddress"] == "10.9.0.7"
    lns.step(700)
    wait_for(lambda: radius.rows("SELECT 1 FROM radacct WHERE acctinputoctets = 100"), "the Interim-Update")
    session.hangup(1)
    wait_for(lambda: lns.counters()["acct_queued"] == 0, "the Stop")
    (row,) = radius.rows("SELECT * FROM radacct WHERE username = 'joe'")
    assert row["acctstoptime"] and row["acctterminatecause"] == "Lost-Carrier"
    assert (row["acctinputoctets"], row["acctoutputoctets"]) == (100, 100)
    assert 700 <= row["acctsessiontime"] < 720 and row["callingstationid"] == "07330001"
    assert row["acctauthentic"] == "RADIUS" and row["connectinfo_start"] == "8000000/1000000"
    assert len(row["acctuniqueid"]) == 32 and row["acctsessionid"] == row["acctsessionid"].upper()
    assert row["acctupdatetime"] and row["framedipaddress"] == "10.9.0.7"
    assert lns.counters()["acct_lost"] == 0
    detail = radius.accounting
    assert [d["Acct-Status-Type"] for d in detail] == ["Accounting-On", "Start", "Interim-Update", "Stop"]
    assert all(d["Class"] == "0x6869" and d["Acct-Session-Id"] == row["acctsessionid"] for d in detail[1:])
    assert detail[3]["Tunnel-Client-Endpoint:0"] == plant.network.LAC
    assert detail[3]["Acct-Input-Gigawords"] == "0"


# ---------------------------------------------------------------------------- many

class Crowd:
    """Sessions by the thousand: the C test LAC, and a responder that counts whose Start and Stop has come."""

    def __init__(self, plant, *responder, accounting=True, clock=False, extra=(), **settings):
        """What the options of the responder spoil are records alone: one login in a million would not survive it."""
        self.network, self.clock = plant.network, clock
        self.login_server = self.respond("1812")
        self.responder = self.respond("1813", *responder) if accounting else None
        chosen = {"primary_radius": plant.network.CORE, "primary_radius_port": 1812, "radius_secret": "secret",
                  "radius_accounting": True, "debug": 1}
        chosen.update(settings)
        self.lns = plant.lns(chosen, pool=("10.128.0.0/15",), clock=clock, extra=extra)
        self.lac = CLac(plant.network.lac, plant.network.LNS)

    def respond(self, ports, *more):
        responder = self.network.core.start(
            os.path.join(TOOLS, "radresp"), "-l", self.network.CORE, "-p", ports, "-s", "secret",
            "--reply", "Class=0x%s" % bytes(40).hex(), *more)
        responder.wait_line("ready")
        return responder

    def up(self, count, tunnels=4):
        assert self.lac.do("tunnel count=%d" % tunnels)["ok"]
        answer = self.lac.do("session count=%d parallel=300 timeout=60" % count)
        assert (answer["up"], answer["failed"]) == (str(count), "0"), answer

    def counts(self):
        seen = len(self.responder.lines)
        self.responder.send_signal(signal.SIGUSR1)
        line = self.responder.wait_line("^ok .*", seen).group(0)
        return {name: int(value) for name, value in PAIR.findall(line)}

    def told(self, started, stopped, timeout=60):
        """Waits until so many sessions' records have come; all counts then. A stepped clock is put ahead meanwhile."""
        def done():
            if self.clock and self.lns.process.alive():
                self.lns.step(1)
            counts = self.counts()
            return (counts["started"], counts["stopped"]) == (started, stopped) and counts
        return wait_for(done, "%d Starts and %d Stops; there are %s" % (started, stopped, self.counts()), timeout)


def end_of(numbers, cause, ends):
    """Notes why these sessions end, but for those that have ended before."""
    ends.update({"user%d" % n: cause for n in numbers if "user%d" % n not in ends})


def coa(crowd, users):
    """A CoA-Request for each, from the real radclient."""
    path = os.path.join(crowd.lns.folder, "coa")
    with open(path, "w") as f:
        f.write("".join('User-Name = "%s"\nIdle-Timeout = 86400\n\n' % user for user in users))
    said = crowd.network.core.run("radclient", "-s", "-p", "100", "-f", path, crowd.network.LNS + ":3799", "coa", "secret")
    assert re.search(r"Accepted *: %d\b" % len(users), said), said[-1000:]


def same_record(log):
    """By user: the cause of his Stop. Copies of a record say the same, and a Start comes before its Stop."""
    seen = {}
    for line in log.splitlines():
        words = dict(pair.split("=", 1) for pair in line.split() if "=" in pair)
        if words["status"] in ("1", "2"):
            seen.setdefault(words["user"], []).append((int(words["status"]), words["session"], int(words["cause"])))
    for user, records in seen.items():
        assert records[0][0] == START, (user, records)
        assert len(set(records)) == 2 and len({r[1] for r in records}) == 1, (user, records)
    return {user: max(records)[2] for user, records in seen.items()}


def test_twenty_thousand(plant):
    """All that may happen to sessions, and a server that loses and is away: one Start and one Stop each, and why."""
    records = plant.folder("records") / "log"
    crowd = Crowd(plant, "--drop", "10", "--log", str(records), clock=True, extra=['load plugin "sessionctl"'],
                  idle_echo_timeout=3600, disable_sending_hello=True)
    ends = {}
    crowd.up(15000, tunnels=6)
    other = CLac(plant.network.lac, plant.network.LNS)
    assert other.do("tunnel count=2")["ok"]
    assert other.do("session count=5000 parallel=300 first=15000 timeout=60")["up"] == "5000"
    crowd.told(20000, 0)

    coa(crowd, ["user%d" % n for n in range(2000)])
    assert crowd.lac.do("close session=0-2999 result=3")["ok"]
    end_of(range(3000), ADMIN_RESET, ends)
    assert crowd.lac.do("close session=3000-3999 result=1")["ok"]
    end_of(range(3000, 4000), LOST_CARRIER, ends)
    assert crowd.lac.do("close session=4000-4999 how=lcp")["ok"]
    end_of(range(4000, 5000), USER_REQUEST, ends)
    for n in range(5000, 5040):
        crowd.lns.run("drop user user%d" % n)
    for n in range(5040, 5080):
        crowd.lns.ns.run(NSCTL, "drop", "user%d" % n)
    end_of(range(5000, 5080), ADMIN_RESET, ends)
    first = next(t["TID"] for t in crowd.lns.tunnels() if t["TID"] == crowd.lns.session("user5082")["TID"])
    crowd.lns.run("drop tunnel %s" % first)  # every sixth session
    end_of(range(5082, 15000, 6), ADMIN_RESET, ends)
    crowd.told(20000, len(ends))

    crowd.responder.send_signal(signal.SIGSTOP)  # away for two minutes
    assert crowd.lac.do("close session=6000-9999 result=4")["ok"]
    for _ in range(6):
        crowd.lns.step(20)
    counters = crowd.lns.counters()
    assert counters["acct_queued"] > 3000 and counters["acct_lost"] == 0
    crowd.responder.send_signal(signal.SIGCONT)
    end_of(range(6000, 10000), USER_REQUEST, ends)
    crowd.told(20000, len(ends))

    other.process.kill()  # a LAC is lost
    crowd.lns.set("set hello_interval 1")
    crowd.lns.set("set disable_sending_hello no")
    for _ in range(12):
        crowd.lns.step(20)
    end_of(range(15000, 20000), LOST_CARRIER, ends)
    crowd.told(20000, len(ends))
    wait_for(lambda: crowd.lns.counters()["acct_queued"] == 0, "the end of the queue")
    counters = crowd.lns.counters()
    print("%d sessions are left at SIGQUIT" % (20000 - len(ends)))
    assert counters["acct_acked"] == 1 + 20000 + len(ends), "Accounting-On, and as many as there have to be"
    assert counters["acct_lost"] == counters["radius_overflow"] == 0

    crowd.lns.stop(signal.SIGQUIT, 60)
    end_of(range(20000), NAS_REBOOT, ends)
    told = crowd.told(20000, 20000)
    assert told["on"] >= 1 and told["off"] >= 1
    assert told["bad_authenticator"] == told["bad_packet"] == 0
    crowd.responder.stop()
    assert same_record(records.read_text()) == ends


def test_twenty_thousand_and_no_server(plant):
    """None answers accounting: into the file, over a restart, and all arrive, once each and each Start first."""
    crowd = Crowd(plant, accounting=False, idle_echo_timeout=600)
    crowd.up(20000)
    assert crowd.lac.do("close session=all")["ok"]
    wait_for(lambda: crowd.lns.counters()["acct_queued"] == 40001, "the records to be queued")
    counters = crowd.lns.counters()
    print("longest turn %d us, %d records in the file" % (counters["loop_longest_us"], counters["acct_spilled"]))
    assert counters["acct_spilled"] > 20000 and counters["acct_lost"] == counters["acct_spill_errors"] == 0
    crowd.lns.stop()
    crowd.responder = crowd.respond("1813", "--log", os.path.join(crowd.lns.folder, "records"))
    crowd.lns.start()
    told = crowd.told(20000, 20000)
    assert (told["start"], told["stop"]) == (20000, 20000)
    wait_for(lambda: crowd.lns.counters()["acct_queued"] == 0, "the end of the queue")
    print("longest turn %d us" % crowd.lns.counters()["loop_longest_us"])
    open_now = set()
    for line in crowd.lns.read("records").splitlines():
        words = dict(pair.split("=", 1) for pair in line.split() if "=" in pair)
        if words["status"] == "1":
            open_now.add(words["session"])
        elif words["status"] == "2":
            open_now.remove(words["session"])
    assert not open_now


def test_seventy_thousand_over_a_restart(plant):
    """A LAC closes 60,000 at once while others log in; then SIGTERM within a second with 70,000 up, and their Stops."""
    crowd = Crowd(plant, idle_echo_timeout=600)
    crowd.up(60000)
    closing, crowd.lac = crowd.lac, CLac(plant.network.lac, plant.network.LNS)
    closing.send("close session=all")
    crowd.up(70000)
    assert closing.answer()["ok"]
    counters = crowd.lns.counters()
    print("longest turn %d us, %d records through the file" % (
        counters["loop_longest_us"], counters["acct_spilled"]))
    crowd.told(130000, 60000)
    began = time.monotonic()
    crowd.lns.stop()
    took = time.monotonic() - began
    print("stopped in %.2f s" % took)
    assert took < 2
    crowd.lns.start()
    crowd.told(130000, 130000)
    wait_for(lambda: crowd.lns.counters()["acct_queued"] == 0, "the end of the queue")
    told = crowd.counts()
    assert (told["start"], told["stop"], told["on"]) == (130000, 130000, 2)
    print("longest turn after the start %d us" % crowd.lns.counters()["loop_longest_us"])
