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


def change(trio, secret):
    """
    The steps of the manual, one member after the other, as slowly as people are: the timeout of the test is a second, and
    between two members more than that passes.
    """
    before, on_each, at_last = (lines_of(step) for step in (
        "First, on each member:", "Then, on each member, within a minute:", "At last, on each member:"))
    *others, last = trio.members
    for m in trio.members:
        for line in before:
            m.lns.set(line)
    for m in others:
        for line in on_each:
            m.lns.set(line.replace(NEW, secret))
        wait_for(lambda: any(p["address"] == m.address and p["silent_ms"] > 1500 for p in last.show()["peers"]), "silence")
        yield m
    for line in on_each:
        last.lns.set(line.replace(NEW, secret))
    for m in trio.members:
        for line in at_last:
            m.lns.set(line.replace("150", "10"))


def test_change_of_the_secret(trio, lac):
    """Nobody takes over, and a call that comes meanwhile is known to all when it is done. Then none, and one again."""
    master = trio.master()
    trio.through(master)
    tunnel = lac.tunnel()
    calls = [tunnel.session().up("joe", "pw")]
    for secret, user in (NEW, "sue"), ("", "ann"), (NEW, "eve"):
        for m in change(trio, secret):
            if m is trio.members[0]:
                calls.append(tunnel.session().up(user, "pw"))
        assert trio.wait() is master
        wait_for(lambda: all(m.lns.session(user) for m in trio.members), "%s on all" % user)
        assert all(m.show()["term"] == 1 and m.show()["signed"] == bool(secret) for m in trio.members)
    assert NEW not in "".join(m.lns.log for m in trio.members)
    for m in trio.members:
        trio.through(m)
        for call in calls:
            call.ping(VIP)


def test_change_too_late(trio, lac):
    """What the manual warns of: without the first step each part has a master, until all have the new one."""
    master = trio.master()
    for m in trio.members:
        m.lns.set('set cluster_secret "%s"' % NEW)
        if m is trio.members[0]:
            wait_for(lambda: len([o for o in trio.members if o.show()["status"] == "master"]) == 2, "two masters")
    trio.wait()
    assert master.alive()
