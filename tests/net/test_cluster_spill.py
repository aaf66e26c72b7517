"""Accounting records that wait because no server answers are all members': those in the master's file, too."""

import re
import signal

import pytest

import cluster
import fakeradius
from clac import CLac, Traffic
from fakeradius import INPUT_GIGAWORDS, INPUT_OCTETS, INPUT_PACKETS, START, STOP, TERMINATE_CAUSE, USER_NAME
from netns import wait_for

CALLS = 7000  # two records each: more than memory is for
ADMIN_RESET = 6  # what the LAC says of each
SIZE, PACKETS = 100, 20


class Scene:
    """Calls that came and went while the accounting server was away; their records fill memory and the file."""

    def __init__(self, factory, count):
        self.site = cluster.Site(lambda name: factory.mktemp(name, numbered=True), count,
                                 settings={"max_sessions": 20000, "max_tunnels": 100})
        self.answer = self.site.radius.accounting.answer
        self.some = 0  # Starts that arrive in front of a test
        self.site.radius.accounting.answer = fakeradius.silent

    def start(self, members=None):
        site = self.site
        site.start_members(members)
        self.lac = CLac(site.lac, cluster.VIP)
        assert self.lac.do("tunnel count=10 port=0")["ok"]
        answer = self.lac.do("session count=%d user=one%%d" % CALLS, 120)
        assert answer["up"] == str(CALLS), answer
        self._one_with_traffic()
        assert self.lac.do("close session=all", 120)["ok"]
        wait_for(lambda: all(m.counters()["acct_queued"] >= 2 * (CALLS + 1) for m in site.living()),
                 "the records at all members", 60)
        wait_for(lambda: site.master.counters()["acct_spilled"] > 0, "records that are in the file")  # when they are final

    def _one_with_traffic(self):
        """His Stop goes to the file, and has to have what the slaves have carried of his call."""
        site = self.site
        sink = Traffic(site.core, "sink", "port=%d" % cluster.SINK_PORT)
        lac = CLac(site.lac, cluster.VIP)
        assert lac.do("tunnel port=0")["ok"] and lac.do("session user=busy")["up"] == "1"
        assert lac.do("blast session=0 to=%s:%d size=%d pps=1000 packets=%d"
                      % (cluster.CORE, cluster.SINK_PORT, SIZE, PACKETS))["sent"] == str(PACKETS)
        assert lac.do("close session=0")["ok"]
        lac.do("quit")
        sink.close()

    def stop_all(self):
        """At once. Who keeps the Stops of the sessions that there are."""
        for member in self.site.members:
            member.lns.process.send_signal(signal.SIGTERM)
        for member in self.site.members:
            assert member.lns.process.wait(20) == 0
        keepers = [m for m in self.site.members if re.search("a Stop of [1-9][0-9]* sessions too", m.lns.log)]
        assert len(keepers) == 1
        return keepers[0]

    def back(self, timeout=90):
        """The server answers again: each record once, a Stop with what it has to say."""
        radius = self.site.radius
        radius.accounting.answer = self.answer
        wait_for(lambda: radius.balance()[2] == CALLS + 1 and self.site.master.counters()["acct_queued"] == 0,
                 "the Stops", timeout)
        print("ids, Starts, Stops, again: %s" % (radius.balance(),))
        assert radius.balance() == (CALLS + 1, CALLS + 1, CALLS + 1, 0)
        for records in radius.accounts.values():
            assert [r.status for r in records] == [START, STOP]
            stop = records[1]
            assert stop.number(TERMINATE_CAUSE) == ADMIN_RESET
            carried = PACKETS if stop.get(USER_NAME) == b"busy" else 0
            assert (stop.octets(INPUT_OCTETS, INPUT_GIGAWORDS), stop.number(INPUT_PACKETS)) == (carried * SIZE, carried)


@pytest.fixture
def scene(tmp_path_factory, request):
    scene = Scene(tmp_path_factory, 3)
    yield scene
    scene.site.close()


def test_master_is_killed(scene):
    scene.start()
    scene.site.master.kill()
    scene.site.settle()
    scene.back()


def test_who_joins_has_them_all(scene):
    """One comes while the file is full, and then is the last."""
    site = scene.site
    scene.start(site.members[:2])
    site.members[2].start()
    site.settle(60)
    wait_for(lambda: site.members[2].counters()["acct_queued"] == 2 * (CALLS + 1), "the records at who joined", 60)
    for member in site.members[:2]:
        member.kill()
    site.settle(60)
    scene.back()


def test_master_is_stopped_and_comes_back(scene):
    """What it finds in its file then has arrived."""
    site = scene.site
    scene.start()
    old = site.master
    old.stop(signal.SIGTERM)
    site.settle()
    scene.back()
    old.start()
    site.settle()
    wait_for(lambda: old.counters()["acct_queued"] == 0, "the end of its old records")
    assert site.radius.balance()[3] == 0


SESSIONS = 1000


def calls(scene):
    """Sessions; their Starts wait or have arrived, as all members know."""
    site = scene.site
    site.start_members()
    scene.lac = CLac(site.lac, cluster.VIP)
    assert scene.lac.do("tunnel count=4 port=0")["ok"]
    assert scene.lac.do("session count=%d user=one%%d" % SESSIONS)["up"] == str(SESSIONS)
    if scene.some:
        wait_for(lambda: site.radius.balance()[1] >= scene.some, "Starts that have arrived")
        site.radius.accounting.answer = fakeradius.silent

    def known(member):
        return member.counters()["acct_queued"] - (SESSIONS - site.radius.balance()[1]) in (0, 1)  # there is Accounting-On
    wait_for(lambda: all(known(m) for m in site.living()), "the Starts at all members")


def again(site):
    """What came more than once: where each came from."""
    return {ident: [(r.status, r.source) for r in records] for ident, records in site.radius.accounts.items() if len(records) > 2}


def once(scene):
    site = scene.site
    wait_for(lambda: site.radius.balance()[:3] == (SESSIONS,) * 3 and
             all(m.counters()["acct_queued"] == 0 for m in site.living()), "the books", 60)
    assert not again(site), "%s; elections: %s" % (again(site), [m.counters()["cluster_elections"] for m in site.living()])


def test_keeper_is_a_slave(scene):
    """All are stopped, and who kept the records is not master when they are there again."""
    site = scene.site
    calls(scene)
    keeper = scene.stop_all()
    others = [m for m in site.members if m is not keeper]
    site.start_members(others)
    keeper.start()
    site.settle()
    wait_for(lambda: all(m.counters()["acct_queued"] >= 2 * SESSIONS for m in site.living()), "the records at all members")
    site.radius.accounting.answer = scene.answer
    once(scene)
    assert keeper.role == "slave" and site.master in others


def some_starts(scene, server, request):
    """Every third Start is acknowledged: what waits has gaps."""
    if request.status not in (START, STOP) or request.status == START and int(request.get(USER_NAME)[3:]) % 3 == 0:
        return scene.answer(server, request)
    return []


def some_stops(scene, server, request):
    """The server goes away in the middle."""
    return scene.answer(server, request) if scene.site.radius.balance()[2] < SESSIONS // 2 else []


def test_keeper_and_master_are_killed(scene):
    """When the master has sent a part: the keeper offers all once more, and then the next master has to send the rest."""
    site = scene.site
    accounting = site.radius.accounting
    accounting.answer = lambda server, request: some_starts(scene, server, request)
    scene.some = 20
    calls(scene)
    keeper = scene.stop_all()
    others = [m for m in site.members if m is not keeper]
    accounting.answer = lambda server, request: some_stops(scene, server, request)
    site.start_members(others)
    keeper.start()
    site.settle()
    wait_for(lambda: site.radius.balance()[2] == SESSIONS // 2, "the first Stops", 60)
    keeper.kill()
    keeper.start()
    site.settle()
    old = site.master
    old.kill()
    site.settle()
    print("in front of the rest: ids, Starts, Stops, again: %s; %s kept them, %s was master, then %s" % (
        site.radius.balance(), keeper, old, site.master))
    accounting.answer = scene.answer
    once(scene)
