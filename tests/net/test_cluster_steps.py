"""What the manual says to do with a cluster in service, step by step, and that no session is lost by it."""

import pytest

import pylac
from machine import manual
from members import VIP, Network, all_up
from netns import wait_for

CHAPTER = manual().split("\n## Cluster\n")[1].split("\n## ")[0]
NEW = "another secret, as long as you like"


@pytest.fixture
def lac(trio):
    all_up(trio)
    one = pylac.Lac(Network(trio))
    yield one
    one.close()


def lines_of(step):
    """The lines of configuration that stand in a step of the manual, with the secret that the test gives."""
    assert step in CHAPTER, step
    block = CHAPTER.split(step)[1].split("\n\n")[1]
    return [line.strip().replace('"the new one"', '"%s"' % NEW) for line in block.splitlines()]


def test_change_of_the_secret(trio, lac):
    """
    One member after the other, as slowly as people are: the timeout of the test is a second, and between two members
    more than that passes. Nobody takes over, and a call that comes meanwhile is known to all when it is done.
    """
    before, on_each, at_last = (lines_of(step) for step in (
        "First, on each member:", "Then, on each member, within a minute:", "At last, on each member:"))
    master = trio.master()
    trio.through(master)
    tunnel = lac.tunnel()
    joe = tunnel.session().up("joe", "pw")
    wait_for(lambda: all(m.lns.session("joe") for m in trio.members), "joe on all")
    for m in trio.members:
        for line in before:
            m.lns.set(line)
    for m in trio.members:
        for line in on_each:
            m.lns.set(line)
        if m is not trio.members[-1]:
            # one of the others has not heard this one for longer than cluster_hb_timeout was
            other = trio.members[-1]
            wait_for(lambda: any(p["address"] == m.address and p["silent_ms"] > 1500 for p in other.show()["peers"]),
                     "silence")
        if m is trio.members[0]:
            tunnel.session().up("sue", "pw")
    for m in trio.members:
        for line in at_last:
            m.lns.set(line.replace("150", "10"))
    assert trio.wait() is master
    wait_for(lambda: all(m.lns.session("joe") and m.lns.session("sue") for m in trio.members), "both on all")
    assert all(m.show()["term"] == 1 and m.show()["signed"] for m in trio.members)
    assert "secret" not in "".join(m.lns.log for m in trio.members).replace("cluster_secret", "")
    for m in trio.members:
        trio.through(m)
        joe.ping(VIP)


def test_change_too_late(trio, lac):
    """What the manual warns of: without the first step each part has a master, until all have the new one."""
    master = trio.master()
    for m in trio.members:
        m.lns.set('set cluster_secret "%s"' % NEW)
        if m is trio.members[0]:
            wait_for(lambda: len([o for o in trio.members if o.show()["status"] == "master"]) == 2, "two masters")
    trio.wait()
    assert master.alive()
