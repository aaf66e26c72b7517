"""Members of a cluster: who is master, what the others hold, and what becomes of sessions when the master goes."""

import json
import os
import signal
import time

import pytest

import pylac
from members import LAC, LINK, OUTER, POOL, VIP, Addresses, Member, Network, Trio, all_up, held, wait_all
from netns import wait_for


def test_one_master_and_two_slaves(trio):
    for m in trio.members:
        m.start()
    master = trio.wait()
    assert master.show()["term"] == 1
    for m in trio.members:
        show = m.show()
        assert show["master"] == master.address
        assert {p["address"] for p in show["peers"]} == {o.address for o in trio.members if o is not m}
        text = "\n".join(m.lns.run("show cluster"))
        assert "2 peers." in text and ("Master" if m is master else "Slave") in text.split("\n")[0]


def test_a_killed_master_is_followed_by_another(trio):
    for m in trio.members:
        m.start()
    first = trio.wait()
    first.kill()
    second = trio.wait()
    assert second is not first and second.show()["term"] == 2
    first.start()
    assert trio.wait() is second


@pytest.fixture
def lac(trio):
    one = pylac.Lac(Network(trio))
    yield one
    one.close()


def test_sessions_are_on_all_members(trio, lac):
    """Those that were there when a member came, and those that come later; ends too."""
    for m in trio.members[:2]:
        m.start()
    master = trio.wait()
    trio.through(master)
    tunnel = lac.tunnel()
    joe = tunnel.session().up("joe", "pw")
    trio.members[2].start()
    trio.wait()
    ann = tunnel.session().up("ann", "pw")
    for user in "joe", "ann":
        wait_all(trio, lambda m: held(m, user), held(master, user))
    for m in trio.members:
        trio.through(m)
        for session in joe, ann:
            session.ping(VIP)
    joe.hangup()
    wait_all(trio, lambda m: m.lns.session("joe"), None)
    assert held(master, "ann")
    for m in trio.members:
        assert m.counters()["cluster_refused"] == 0


def test_control_through_a_slave(trio, lac):
    """The LAC need not know who is master."""
    for m in trio.members:
        m.start()
    master = trio.wait()
    slave = trio.slaves()[0]
    trio.through(slave)
    joe = lac.tunnel().session().up("joe", "pw")
    joe.ping(VIP)
    wait_all(trio, lambda m: held(m, "joe"), held(master, "joe"))
    joe.hangup()
    wait_all(trio, lambda m: m.lns.session("joe"), None)


def test_sessions_outlive_the_master(trio, lac):
    """Twice, so that the second master has none of it at first hand; new calls and ends go on."""
    for m in trio.members:
        m.start()
    trio.wait()
    trio.through(trio.slaves()[0])
    tunnel = lac.tunnel()
    joe = tunnel.session().up("joe", "pw")
    before = held(trio.master(), "joe")
    for user in "ann", "eve":
        old = trio.master()
        trio.through(next(m for m in trio.alive() if m is not old))
        old.kill()
        trio.wait()
        assert held(trio.master(), "joe") == before
        joe.ping(VIP)
        tunnel.session().up(user, "pw").ping(VIP)
        if user == "ann":
            old.start()
            trio.wait()
    joe.hangup()
    wait_all(trio, lambda m: m.lns.session("joe"), None)
    wait_all(trio, lambda m: bool(m.lns.session("eve")), True)


def test_a_master_that_is_stopped_hands_over(trio, lac):
    """No gap: the next one is master before the old one has ended, and no Stop is kept for what lives on."""
    old = all_up(trio)
    trio.through(old)
    joe = lac.tunnel().session().up("joe", "pw")
    wait_all(trio, lambda m: bool(m.lns.session("joe")), True)
    heir = next(m for m in trio.members if m is not old)
    old.lns.process.send_signal(signal.SIGTERM)
    old.lns.wait_log("cluster: leaving, the next master is ")
    joe.ping(VIP)
    assert old.lns.process.wait() == 0
    trio.through(heir)
    joe.ping(VIP)
    assert trio.wait().show()["term"] == 2
    assert [m.lns.log.count("cluster: %s leaves" % old.address) for m in trio.alive()] == [1, 1]
    assert "cluster_hb_timeout" not in "".join(m.lns.log for m in trio.alive())
    joe.hangup()
    wait_all(trio, lambda m: m.lns.session("joe"), None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_slave_that_is_stopped_leaves_all_alone(trio, lac, number):
    master = all_up(trio)
    trio.through(master)
    joe = lac.tunnel().session().up("joe", "pw")
    for slave in trio.slaves():
        slave.lns.process.send_signal(number)
        assert slave.lns.process.wait() == 0
    joe.ping(VIP)
    wait_for(lambda: master.show()["peers"] == [], "a master without peers")
    assert master.show()["term"] == 1 and master.lns.session("joe")
    lac.tunnel().session().up("sue", "pw").ping(VIP)
    shown = master.show()["next_heartbeat"]
    wait_for(lambda: master.show()["next_heartbeat"] > shown, "a later word")
    assert master.show()["queued_changes"] == 0  # for whom?


def test_a_master_that_stood_still_is_slave_when_it_wakes(trio, lac):
    old = all_up(trio)
    trio.through(old)
    joe = lac.tunnel().session().up("joe", "pw")
    wait_all(trio, lambda m: bool(m.lns.session("joe")), True)
    began = time.monotonic()
    os.kill(old.lns.process.pid, signal.SIGSTOP)
    others = [m for m in trio.members if m is not old]
    try:
        wait_for(lambda: any(m.show()["status"] == "master" for m in others), "another master")
        trio.through(next(m for m in others if m.show()["status"] == "master"))
        joe.ping(VIP)
        wait_for(lambda: time.monotonic() > began + 1.5, "a stop longer than cluster_hb_timeout")
    finally:
        os.kill(old.lns.process.pid, signal.SIGCONT)
    assert trio.wait() is not old
    assert old.counters()["cluster_frozen"] == 1
    for m in trio.members:
        trio.through(m)
        joe.ping(VIP)
        assert held(m, "joe") == held(old, "joe")


def test_two_masters_meet(trio, lac):
    """What was done on each side of a broken network is there afterwards."""
    old = all_up(trio)
    trio.through(old)
    tunnel = lac.tunnel()
    joe, sue = tunnel.session().up("joe", "pw"), tunnel.session().up("sue", "pw")
    wait_all(trio, lambda m: bool(m.lns.session("sue")), True)
    old.part()
    others = [m for m in trio.members if m is not old]
    wait_for(lambda: any(m.show()["status"] == "master" for m in others), "another master")
    ann = tunnel.session().up("ann", "pw")  # the cut-off one still draws the traffic
    sue.hangup()
    trio.through(next(m for m in others if m.show()["status"] == "master"))
    joe.ping(VIP)
    eve = pylac.Lac(Network(trio))
    eve_session = eve.tunnel().session().up("eve", "pw")
    old.rejoin()
    trio.wait()
    for user in "joe", "ann", "eve":
        wait_for(lambda: all(m.lns.session(user) for m in trio.members), user + " on all")
    for m in trio.members:
        trio.through(m)
        for session in joe, ann, eve_session:
            session.ping(VIP)
    eve.close()


def test_the_link_comes_later_than_the_member(trio, lac):
    """Its interface has no address yet: it serves alone, and joins when it has one, with what it has."""
    late = trio.members[2]
    late.ns.ip("addr del %s/24 dev among" % late.address)
    for m in trio.members:
        m.start()
    wait_for(lambda: late.show()["status"] == "master", "a master that is alone")
    trio.through(late)
    joe = lac.tunnel().session().up("joe", "pw")
    late.ns.ip("addr add %s/24 dev among" % late.address)
    trio.wait()
    wait_all(trio, lambda m: bool(m.lns.session("joe")), True)
    for m in trio.members:
        trio.through(m)
        joe.ping(VIP)


@pytest.mark.parametrize("down, up", [("link set among down", "link set among up"),
                                      ("addr del %s/24 dev among", "addr add %s/24 dev among")])
def test_the_link_goes_and_comes(trio, lac, down, up):
    """A slave's, then the master's."""
    for who in "slave", "master":
        master = all_up(trio) if who == "slave" else trio.wait()
        trio.through(master)
        session = lac.tunnel().session().up({"slave": "ann", "master": "eve"}[who], "pw")
        victim = master if who == "master" else trio.slaves()[0]
        others = [m for m in trio.members if m is not victim]
        victim.ns.ip(down % victim.address if "%s" in down else down)
        wait_for(lambda: all(victim.address not in [p["address"] for p in m.show()["peers"]] for m in others) and
                 [m.show()["status"] for m in others].count("master") == 1, "the others without it")
        trio.through(next(m for m in others if m.show()["status"] == "master"))
        session.ping(VIP)
        victim.ns.ip(up % victim.address if "%s" in up else up)
        trio.wait()
        for m in trio.members:
            trio.through(m)
            session.ping(VIP)


def test_the_wall_clock_is_nothing_to_members(tmp_path_factory):
    """Stepped by a day, ahead and back, at the master and at a slave: nothing happens."""
    trio = Trio(tmp_path_factory, clock=True)
    try:
        master = all_up(trio)
        for member in trio.members:
            for day in 86400, -2 * 86400:
                member.lns.step(0, day)
                assert trio.wait() is master and master.show()["term"] == 1
        assert all(m.counters()["cluster_frozen"] == 0 for m in trio.members)
        assert "is gone" not in "".join(m.lns.log for m in trio.members)
    finally:
        trio.close()


SHARED = "10.11.0.200"


class SharedNetwork:
    """What class pylac.Lac asks a network for, when the members' address is on the LAC's own LAN."""
    LAC, LNS = LAC, SHARED

    def __init__(self, trio):
        self.lac = trio.lac


def mac_of(member):
    return json.loads(member.ns.run("ip", "-json", "link", "show", "outer"))[0]["address"]


@pytest.mark.parametrize("how", ["kill", "stop", "freeze"])
def test_a_lan_without_a_router_turns_to_the_master(tmp_path_factory, how):
    """Two members with the same address on one LAN, and no BGP. A host there and the LAC have the address of one of
    them in their ARP tables; whoever goes, master or slave, they turn to the other, and traffic goes on."""
    trio = Trio(tmp_path_factory, {"bind_address": SHARED})
    try:
        trio.members = trio.members[:2]
        for m in trio.members:
            m.ns.ip("addr add %s/24 dev outer" % SHARED)
            m.start()
        trio.wait()
        host = trio.new("host")
        host.plug("lan", trio.lac, "host")
        trio.lac.ip("link set host master br0")
        host.ip("addr add 10.11.0.101/24 dev lan")

        def turned(ns, device, member):
            entries = json.loads(ns.run("ip", "-json", "neigh", "show", SHARED, "dev", device) or "[]")
            return [e.get("lladdr") for e in entries] == [mac_of(member)]

        for who in "master", "slave":
            victim = trio.master() if who == "master" else trio.slaves()[0]
            heir = next(m for m in trio.members if m is not victim)
            for ns, device in (host, "lan"), (trio.lac, "br0"):  # whoever answered first, this one has been asked
                ns.ip("neigh replace %s lladdr %s dev %s nud reachable" % (SHARED, mac_of(victim), device))
            lac = pylac.Lac(SharedNetwork(trio))
            session = lac.tunnel().session().up({"master": "ann", "slave": "eve"}[who], "pw")
            wait_for(lambda: all(m.lns.session(session.user) for m in trio.members), "the session on both")
            session.ping(SHARED)
            before = heir.counters()["arp_sent"]
            pid = victim.lns.process.pid
            {"kill": victim.kill, "stop": victim.lns.stop, "freeze": lambda: os.kill(pid, signal.SIGSTOP)}[how]()
            wait_for(lambda: heir.show()["status"] == "master" and heir.counters()["arp_sent"] > before, "its word")
            for ns, device in (host, "lan"), (trio.lac, "br0"):
                wait_for(lambda: turned(ns, device, heir), "%s's place in the ARP table" % heir.address)
            session.ping(SHARED)
            os.kill(pid, signal.SIGCONT) if how == "freeze" else victim.start()
            trio.wait()
            session.ping(SHARED)
            lac.close()
    finally:
        trio.close()


def test_a_member_that_was_forgotten_synchronises(tmp_path_factory):
    """The master has not heard its only slave for longer than it thinks of it, and there was nobody to tell of changes; the
    slave heard the master all the time."""
    trio = Trio(tmp_path_factory, {"cluster_hb_timeout": 20}, clock=True)
    try:
        trio.members = trio.members[:2]
        master = all_up(trio)
        slave = trio.slaves()[0]
        trio.through(master)
        lac = pylac.Lac(Network(trio))
        tunnel = lac.tunnel()
        tunnel.session().up("ann", "pw")
        eve = tunnel.session().up("eve", "pw")
        wait_all(trio, lambda m: bool(m.lns.session("eve")), True)
        slave.ns.run("iptables", "-A", "OUTPUT", "-o", "among", "-j", "DROP")
        for _ in range(65):
            master.lns.step(1)
        master.lns.wait_log("cluster: %s is gone" % slave.address)
        eve.hangup()
        wait_for(lambda: not master.lns.session("eve"), "the end of a session")
        slave.ns.run("iptables", "-F", "OUTPUT")
        trio.wait()
        wait_all(trio, lambda m: bool(m.lns.session("eve")), False)
        assert slave.lns.session("ann")
        lac.close()
    finally:
        trio.close()


def test_a_master_that_is_stopped_waits_for_one_that_lags(trio, lac):
    """Changes to both slaves are lost at the moment of SIGTERM; they get them, and one takes over with all sessions."""
    master = all_up(trio)
    trio.through(master)
    slaves = trio.slaves()
    for m in slaves:  # by the kind of message, behind the UDP header
        m.ns.run("iptables", "-A", "INPUT", "-i", "among", "-p", "udp", "-m", "u32", "--u32", "0>>22&0x3C@8&0xFF=4",
                 "-j", "DROP")
    joe = lac.tunnel().session().up("joe", "pw")
    wait_for(lambda: not any(m.show()["up_to_date"] for m in slaves), "slaves that lag")
    master.lns.process.send_signal(signal.SIGTERM)
    master.lns.wait_log("stopping at signal")
    for m in slaves:
        m.ns.run("iptables", "-F", "INPUT")
    assert master.lns.process.wait() == 0
    trio.through(trio.wait())
    joe.ping(VIP)
    assert all(m.lns.session("joe") for m in slaves)


def test_a_member_with_another_configuration(trio, lac):
    """Another pool and slower heartbeats: it holds and forwards what the master says, and when it is master itself
    the sessions live on, and new ones get addresses of its own pool."""
    odd = trio.members[2]
    odd.lns.settings.update(cluster_hb_interval=3, cluster_hb_timeout=20)
    odd.lns.write_config()
    odd.lns.write("ip_pool", "10.8.0.0/24\n")
    master = all_up(trio)
    if master is odd:
        odd.lns.stop()
        odd.start()
        trio.wait()
    trio.through(odd)
    tunnel = lac.tunnel()
    joe = tunnel.session().up("joe", "pw")
    joe.ping(VIP)
    wait_all(trio, lambda m: held(m, "joe"), held(odd, "joe"))
    for m in trio.members[:2]:
        m.kill()
    wait_for(lambda: odd.show()["status"] == "master", "the last one as master")
    joe.ping(VIP)
    sue = tunnel.session().up("sue", "pw")
    assert sue.address.startswith("10.8.0.")
    sue.ping(VIP)
    for m in trio.members[:2]:
        m.start()
    trio.wait()
    for m in trio.members:
        trio.through(m)
        joe.ping(VIP)
        sue.ping(VIP)


def test_members_without_the_key_are_ignored(trio):
    master = all_up(trio)
    stranger = next(m for m in trio.members if m is not master)
    stranger.lns.stop()
    stranger.lns.settings["cluster_secret"] = "another"
    stranger.lns.write_config()
    stranger.start()
    assert stranger.show()["status"] == "master"
    assert stranger.counters()["cluster_bad_hmac"] and master.counters()["cluster_bad_hmac"]
    assert trio.members and master.show()["status"] == "master"
    assert stranger.address not in [p["address"] for p in master.show()["peers"]]


def test_counters_are_those_of_all_members(trio, lac):
    """What each member has moved for a session is in what any of them shows."""
    all_up(trio)
    trio.through(trio.master())
    joe = lac.tunnel().session().up("joe", "pw")
    wait_all(trio, lambda m: bool(m.lns.session("joe")), True)
    for m in trio.members:
        trio.through(m)
        for _ in range(5):
            joe.ping(VIP)

    def moved(m):
        one = m.lns.session("joe")
        return one["downloaded"], one["uploaded"]
    sizes = 15 * (20 + 8 + 32)
    wait_all(trio, moved, (str(sizes), str(sizes)))
