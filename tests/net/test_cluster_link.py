"""The network among the members fails: the interface goes, moves, comes late, or carries messages one way only."""

import json
import time

import pylac
import pytest
from netns import wait_for
from test_cluster import LINK, VIP, Network, Trio, held


@pytest.fixture
def trio(tmp_path_factory, request):
    plant = Trio(tmp_path_factory, getattr(request, "param", None), clock=True)
    try:
        for m in plant.members:
            m.lns.ahead = [0, 0]
            m.start()
        plant.wait()
        plant.site_lac = pylac.Lac(Network(plant))
        plant.through(plant.slaves()[0])
        plant.tunnel = plant.site_lac.tunnel()
        plant.joe = plant.tunnel.session().up("joe", "pw")
        whole(plant, "joe")
        yield plant
        plant.site_lac.close()
    finally:
        plant.close()


def whole(trio, *users):
    """One master, all others up to date, and all hold these sessions, which pass traffic through any of them."""
    trio.wait(timeout=30)
    for user in users:
        wait_for(lambda: len({held(m, user) for m in trio.alive()}) == 1 and held(trio.master(), user), user + " on all")
    for m in trio.alive():
        trio.through(m)
        trio.joe.ping(VIP)


def pick(trio, who):
    return trio.master() if who == "master" else trio.slaves()[0]


def others(trio, member):
    return [m for m in trio.members if m is not member]


def masters(trio):
    return [m for m in trio.alive() if m.show()["status"] == "master"]


def apart(trio, member):
    """It has lost the others, and they it: each side has a master."""
    wait_for(lambda: member in masters(trio) and len(masters(trio)) == 2, "two masters")


def good(trio, member):
    """It has the others' word again, and a new call is told to all."""
    trio.wait(timeout=30)
    trio.through(member)
    trio.tunnel.session().up("sue", "pw")
    whole(trio, "joe", "sue")


@pytest.mark.parametrize("who", ["slave", "master"])
def test_interface_down_and_up(trio, who):
    victim = pick(trio, who)
    victim.ns.ip("link set among down")
    apart(trio, victim)
    victim.ns.ip("link set among up")
    good(trio, victim)


@pytest.mark.parametrize("who", ["slave", "master"])
def test_address_removed_and_put_back(trio, who):
    victim = pick(trio, who)
    victim.ns.ip("addr del %s/24 dev among" % victim.address)
    victim.lns.wait_log("has no IPv4 address: this member serves alone")
    apart(trio, victim)
    victim.ns.ip("addr add %s/24 dev among" % victim.address)
    victim.lns.wait_log("cluster: among has the address %s now" % victim.address)
    good(trio, victim)
    assert victim.lns.log.count("this member serves alone") == 1


@pytest.mark.parametrize("who", ["slave", "master"])
def test_interface_made_anew(trio, who):
    victim = pick(trio, who)
    mac = json.loads(victim.ns.run("ip", "-json", "link", "show", "among"))[0]["address"]
    victim.ns.ip("link del among")
    apart(trio, victim)
    trio.switch.plug("m%d" % victim.number, victim.ns, "among")
    trio.switch.ip("link set m%d master br0" % victim.number)
    victim.ns.ip("link set among address " + mac, "addr add %s/24 dev among" % victim.address)
    good(trio, victim)


@pytest.mark.parametrize("trio", [{"cluster_hb_timeout": 50}], indirect=True)
@pytest.mark.parametrize("who", ["slave", "master"])
def test_renumbered(trio, who):
    """Others believe that it has another address when it has been silent for a minute at the old one."""
    victim = pick(trio, who)
    new = LINK % (100 + victim.number)
    victim.ns.ip("addr del %s/24 dev among" % victim.address, "addr add %s/24 dev among" % new)
    victim.lns.wait_log("cluster: among has the address %s now" % new)
    victim.address = new
    victim.lns.wait_log("does not hear this member", timeout=20)
    for _ in range(0, 120, 4):
        if trio.settled():
            break
        trio.step(4)
    good(trio, victim)


def test_interface_that_comes_late(trio):
    """A member starts without it, and serves alone; it joins the others when it has come, and they have their sessions."""
    victim = trio.slaves()[0]
    victim.lns.stop()
    victim.ns.ip("link del among")
    victim.start()
    wait_for(lambda: victim.show()["status"] == "master", "a master that is alone")
    trio.switch.plug("m%d" % victim.number, victim.ns, "among")
    trio.switch.ip("link set m%d master br0" % victim.number)
    victim.ns.ip("addr add %s/24 dev among" % victim.address)
    victim.lns.wait_log("cluster: among has the address")
    good(trio, victim)


# ---------------------------------------------------------------- one way


def mute(member):
    """Nothing of what it says leaves."""
    member.ns.run("iptables", "-A", "OUTPUT", "-o", "among", "-p", "udp", "-j", "DROP")


def deaf(member, to):
    member.ns.run("iptables", "-A", "INPUT", "-i", "among", "-s", to.address, "-j", "DROP")


def mended(*members):
    for m in members:
        m.ns.run("iptables", "-F", "INPUT")
        m.ns.run("iptables", "-F", "OUTPUT")


def test_a_slave_that_is_not_heard(trio):
    """It hears the master, but cannot hand anything to it: it says so, draws no traffic, and takes nothing over."""
    master, victim = trio.master(), trio.slaves()[0]
    mute(victim)
    victim.lns.wait_log("the master %s does not hear this member" % master.address)
    wait_for(lambda: not victim.show()["draws_traffic"], "its withdrawal")
    assert not victim.show()["up_to_date"]
    assert (victim.show()["status"], victim.show()["term"], masters(trio)) == ("slave", 1, [master])
    trio.through(next(m for m in trio.slaves() if m is not victim))
    trio.tunnel.session().up("ann", "pw")
    mended(victim)
    victim.lns.wait_log("the master hears this member again")
    wait_for(lambda: victim.show()["draws_traffic"], "its traffic")
    good(trio, victim)
    whole(trio, "ann")
    assert master.show()["term"] == 1 and trio.master() is master
    assert victim.counters()["cluster_unheard"] == 1


def test_the_last_one_is_not_heard_by_who_takes_over(trio):
    """The master dies; of the others one is not heard, however long it has been up: it follows."""
    master = trio.master()
    victim, other = sorted(trio.slaves(), key=lambda m: m.address, reverse=True)
    mute(victim)
    victim.lns.wait_log("does not hear this member")
    master.kill()
    wait_for(lambda: masters(trio) == [other], "the one that is heard as master")
    wait_for(lambda: victim.show()["master"] == other.address, "who follows it")
    mended(victim)
    good(trio, victim)


@pytest.mark.parametrize("trio", [{"cluster_hb_timeout": 50}], indirect=True)  # seconds for a call that only it knows
def test_a_master_that_is_not_heard(trio):
    """The others elect one of them; it steps down as soon as it hears that, and what it did alone is not lost."""
    victim = trio.master()
    trio.through(victim)
    mute(victim)
    began = time.monotonic()
    trio.tunnel.session().up("ann", "pw")  # the others do not hear of it
    wait_for(lambda: [m for m in masters(trio) if m is not victim], "another master")
    took = time.monotonic() - began
    wait_for(lambda: victim not in masters(trio), "one master")
    print("a new master after %.2f s, the old one steps down %.2f s later" % (took, time.monotonic() - began - took))
    wait_for(lambda: not victim.show()["draws_traffic"], "its withdrawal")
    wait_for(lambda: victim.counters()["cluster_sync_parts"] > 110, "an offer that goes on", 30)
    mended(victim)
    good(trio, victim)
    whole(trio, "ann")
    assert trio.master().show()["term"] == 2


def test_a_pair_that_does_not_hear_each_other(trio):
    """The master and a slave: another slave hears both. It waits, draws no traffic, and there is one master all the time."""
    master = trio.master()
    victim = trio.slaves()[0]
    deaf(victim, master)
    deaf(master, victim)
    wait_for(lambda: victim.show()["master"] == "", "a member without a master")
    wait_for(lambda: not victim.show()["draws_traffic"], "its withdrawal")
    begun = victim.show()["next_heartbeat"]
    while victim.show()["next_heartbeat"] < begun + 50:  # five times cluster_hb_timeout
        assert masters(trio) == [master]
    assert "cluster: others hear a master that this member does not hear" in victim.lns.log
    trio.through(next(m for m in trio.slaves() if m is not victim))
    trio.tunnel.session().up("ann", "pw")
    mended(master, victim)
    good(trio, victim)
    whole(trio, "ann")
    assert trio.master() is master and master.show()["term"] == 1
