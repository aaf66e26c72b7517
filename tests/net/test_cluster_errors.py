"""What operators do wrong in a cluster's configuration: one line says what, where, and what was expected."""

import json
import re
import socket

import pytest

from members import LINK, Trio
from netns import Timeout, wait_for

PORT, GROUP = 32792, "239.192.13.13"


def errors(member, pattern):
    """The lines of level error that match."""
    return [line for line in member.lns.log.splitlines() if re.search(r" error \S+ .*(%s)" % pattern, line)]


def wait_error(member, pattern):
    """That it comes, and, many messages later, has come once."""
    wait_for(lambda: errors(member, pattern), "a line like %r; there are:\n%s" % (pattern, member.lns.log))
    before = member.counters()["cluster_received"]
    wait_for(lambda: member.counters()["cluster_received"] > before + 30, "more messages", 60)
    line, = errors(member, pattern)
    return line


# ---------------------------------------------------------------------------- no link

NO_LINK = {
    "missing": ("eth7", "cluster_interface eth7 is no interface of this machine"),
    "empty": ("", "cluster_interface is empty"),
    "down": ("among", "cluster_interface among is down"),
    "bare": ("among", "cluster_interface among has no IPv4 address"),
    "loopback": ("lo", "cluster_interface lo is the loopback, where no other member can be"),
}


def show(daemon):
    return json.loads("\n".join(daemon.run("show cluster json")))


@pytest.mark.parametrize("case", NO_LINK)
def test_no_link(plant, case):
    """Who should be one of a cluster and stands alone says why, once, and shows it until that is mended."""
    interface, why = NO_LINK[case]
    ns = plant.network.lns
    ns.ip("link add among type veth peer name there", "link set there up")
    if case == "down":
        ns.ip("addr add %s/24 dev among" % (LINK % 1))
    if case == "bare":
        ns.ip("link set among up")
    daemon = plant.lns({"cluster_interface": interface, "cluster_secret": "among us"}, clock=True)
    daemon.step(5)  # it has looked again meanwhile
    line, = re.findall(r" error \S+ cluster: (%s.*)" % re.escape(why), daemon.log)
    assert line == why + ": this member serves alone, whoever else does"
    shown = daemon.run("show cluster")
    assert "State            : alone, " + why in shown and shown[0] == "Cluster status   : Master"
    assert show(daemon)["trouble"] == why and show(daemon)["state"] == "alone"
    if case in ("down", "bare"):
        ns.ip("link set among up", *(["addr add %s/24 dev among" % (LINK % 1)] if case == "bare" else []))
        daemon.step(2)
        wait_for(lambda: show(daemon)["state"] == "master", "its place among the members")
        assert show(daemon)["trouble"] == ""
    ns.ip("link del among")


def test_alone_by_intent(plant):
    """Who has no settings of a cluster is right to be alone."""
    daemon = plant.lns({"cluster_interface": "lo"})
    assert " error " not in daemon.log and show(daemon)["trouble"] == ""


def refusal(plant, settings):
    """What it says when it does not start."""
    with pytest.raises(Timeout) as failure:
        plant.lns(settings)
    return str(failure.value)


def test_port_in_use(plant):
    ns = plant.network.lns
    ns.ip("link add among type veth peer name there", "link set there up", "link set among up",
          "addr add %s/24 dev among" % (LINK % 1))
    settings = {"cluster_interface": "among", "cluster_secret": "among us"}
    with ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", PORT))
        assert "cluster_port %d on among: Address already in use" % PORT in refusal(plant, settings)
    ns.sysctl("ipv4.igmp_max_memberships", 0)
    try:
        assert "cluster_address %s cannot be joined on among: No buffer space available" % GROUP in refusal(plant, settings)
    finally:
        ns.sysctl("ipv4.igmp_max_memberships", 20)
        ns.ip("link del among")


# ---------------------------------------------------------------------------- members that do not hear each other

def two(trio):
    for m in trio.members[:2]:
        m.start()
    trio.wait()
    return trio.members[:2]


def test_secrets(trio):
    """Another secret, none here, none there: each says what it sees."""
    one, other = two(trio)
    other.lns.set('set cluster_secret "something else"')
    assert wait_error(one, "cluster_secret").endswith("cluster: %s has another cluster_secret: it is not heard" % other.address)
    assert wait_error(other, "cluster_secret").endswith(
        "cluster: %s has another cluster_secret: it is not heard" % one.address)
    other.lns.set('set cluster_secret ""')
    assert wait_error(one, "does not sign").endswith(
        "cluster: %s does not sign its messages: no cluster_secret is set there: it is not heard" % other.address)
    assert wait_error(other, "signs its").endswith(
        "cluster: %s signs its messages, and no cluster_secret is set here: it is not heard" % one.address)
    other.lns.set('set cluster_secret "among us"')
    trio.wait()
    other.lns.set('set cluster_secret "something else"')  # not told again within a minute
    wait_error(one, "another cluster_secret")


def test_far(tmp_path_factory):
    """Without a secret, one from another network."""
    trio = Trio(tmp_path_factory, {"cluster_secret": ""})
    try:
        one, other = trio.members[:2]
        other.ns.ip("addr flush dev among", "addr add 10.14.0.2/24 dev among")
        for m in one, other:
            m.start()
        assert wait_error(one, "network of").endswith(
            "cluster: 10.14.0.2 is not heard: it is not of the network of cluster_interface, and no cluster_secret is set")
    finally:
        trio.close()


def test_another_format(trio):
    """A member of a release that speaks another format."""
    member = trio.members[0].start()
    with trio.switch.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        trio.switch.ip("addr add %s/24 dev br0" % (LINK % 9))
        def many():
            for _ in range(100):
                sock.sendto(b"\x4c\x4e\x09" + bytes(60), (member.address, PORT))
            return member.counters()["cluster_other_format"] >= 100
        wait_for(many, "messages of another format")
    wait_for(lambda: errors(member, "another version"), "the line")
    line, = errors(member, "another version")
    assert line.endswith("cluster: %s speaks another version of the protocol and is not heard: its release is too far from ours"
                         % (LINK % 9))


def test_one_address_for_two(trio):
    """A third member has the address of the second; the first one hears both."""
    one, second, third = trio.members
    third.ns.ip("addr flush dev among", "addr add %s/24 dev among" % second.address)
    for m in trio.members:
        m.start()
    assert wait_error(one, "two members").endswith(
        "cluster: %s is the address of two members, or somebody repeats what was said there" % second.address)


def test_own_address_at_another(trio):
    """Where there are but two, with one address, their kernels let neither hear the other: both see it all the same."""
    one, other = trio.members[:2]
    other.ns.ip("addr flush dev among", "addr add %s/24 dev among" % one.address)
    for m in one, other:
        m.start()
    for m in one, other:
        wait_for(lambda: errors(m, "two members"), "the error; %s" % m.lns.log)
        before = m.show()["next_heartbeat"]
        wait_for(lambda: m.show()["next_heartbeat"] > before + 20, "more heartbeats", 60)
        line, = errors(m, "two members")
        assert "cluster: %s is the address of two members" % one.address in line
        assert m.counters()["cluster_received"] == 0


def test_restart_is_no_twin(trio):
    """A member that is killed and comes back at once, several times, is one member."""
    one, other = two(trio)
    for _ in range(4):
        other.kill()
        other.start()
        trio.wait()
    assert not errors(one, "two members")


# ---------------------------------------------------------------------------- settings that should be alike

def test_differences(trio):
    """Each setting that one has otherwise is named once on each side, in the log and in `show cluster`."""
    one, other = trio.members[:2]
    other.lns.settings.update({"max_sessions": 1000, "radius_authtypes": "chap"})
    other.lns.extra.append("load plugin stripdomain")
    other.lns.write_config()
    other.lns.write("ip_pool", "10.9.0.0/25\n")
    two(trio)
    one.lns.set('set l2tp_secret "of one"')
    names = ["ip_pool", "l2tp_secret", "max_sessions", "plugin", "radius_authtypes"]
    for m, peer in (one, other), (other, one):
        def told():
            return sorted(m.show()["peers"][0]["differs"].split(", ")) == names
        wait_for(told, "all differences; %s" % m.show()["peers"])
        shown, = [line for line in m.lns.run("show cluster") if line.startswith("Differs")]
        assert sorted(shown.split(": ")[2].split(", ")) == names and peer.address in shown
        for name in names:
            line = wait_error(m, "another %s " % name)
            assert "cluster: %s has another %s than this member" % (peer.address, name) in line
            assert line.endswith(": all members should have the same")
    assert 'here it is "pap"' in wait_error(one, "another radius_authtypes")
    assert "of one" not in one.lns.log + other.lns.log
    other.lns.set('set l2tp_secret "of one"')
    one.lns.set("set radius_authtypes chap")
    for m, peer in (one, other), (other, one):
        for name in "l2tp_secret", "radius_authtypes":
            m.lns.wait_log("cluster: %s has the same %s now" % (peer.address, name))
        left = ["ip_pool", "max_sessions", "plugin"]
        wait_for(lambda: sorted(m.show()["peers"][0]["differs"].split(", ")) == left, "what is left")


def test_alike(trio):
    """Members with the same configuration have nothing to say, round after round; nor without a secret."""
    one, other = two(trio)
    for secret in "among us", "":
        for m in one, other:
            m.lns.set('set cluster_secret "%s"' % secret)
        trio.wait()
        before = one.counters()["cluster_received"]
        wait_for(lambda: one.counters()["cluster_received"] > before + 120, "some rounds", 120)
        for m in one, other:
            assert " has another " not in re.sub(".*another cluster_secret.*", "", m.lns.log)
            assert m.show()["peers"][0]["differs"] == ""
