"""What the manual says to do with a cluster in service, step by step, and that no session is lost by it."""

import pytest

import fakeradius
import pylac
from machine import manual
from members import RADIUS, VIP, Network, Trio, all_up, held, wait_all
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


class Records:
    """Records of sessions that the accounting server has acknowledged, which it does when `answers` is set."""

    def __init__(self, trio):
        self.answers, self.packets = False, {}
        trio.serve(1813, self._take)

    def _take(self, server, request):
        if request.status in (fakeradius.START, fakeradius.STOP):
            if not self.answers:
                return []
            self.packets[request.source, request.raw] = request.get(fakeradius.USER_NAME), request.status
        return fakeradius.acknowledge(server, request)

    def taken(self):
        return sorted(self.packets.copy().values())


@pytest.fixture
def busy(tmp_path_factory):
    """Three members with two calls, and with accounting records that no server takes."""
    plant = Trio(tmp_path_factory, {**RADIUS, "radius_accounting": True})
    try:
        plant.records = Records(plant)
        plant.through(all_up(plant))
        plant.sender = pylac.Lac(Network(plant))
        tunnel = plant.sender.tunnel()
        plant.calls = [tunnel.session().up(user, "pw") for user in ("joe", "sue")]
        tunnel.session().up("ann", "pw").hangup()
        wait_all(plant, lambda m: m.counters()["acct_queued"], 4)
        yield plant
        plant.sender.close()
    finally:
        plant.close()


def stop(trio, member):
    """As the manual has it. What is on its disk is thrown away with it."""
    member.lns.stop()
    trio.take_away(member)


@pytest.mark.parametrize("who", ["slave", "master"])
@pytest.mark.parametrize("said", ["It may start beside the others", "or the old one is stopped first"])
def test_replacement(busy, who, said):
    """Beside the old one, with an address of its own, or behind it with the same one. When all that knew the old one have
    died, too, the new one has everything: sessions, and accounting records that waited all the time."""
    text = " ".join(CHAPTER.split("**To replace a member.**")[1].split("\n\n")[0].split())
    for words in said, "then stop the old one, the master too", "Its `acct-spill` need not be taken along":
        assert words in text
    trio, old = busy, busy.master() if who == "master" else busy.slaves()[0]
    had = {user: held(old, user) for user in ("joe", "sue")}
    if "beside" in said:
        new = trio.add(4).start()
        trio.wait()
        stop(trio, old)
    else:
        stop(trio, old)
        new = trio.add(old.number).start()
    trio.wait()
    for user, what in had.items():
        wait_all(trio, lambda m: held(m, user), what)
    wait_all(trio, lambda m: m.counters()["acct_queued"], 4)
    assert trio.master() is not new
    for m in trio.members:
        trio.through(m)
        for call in trio.calls:
            call.ping(VIP)
    for m in trio.members[:2]:
        m.kill()
    assert trio.wait() is new
    trio.through(new)
    trio.records.answers = True
    wait_for(lambda: new.counters()["acct_queued"] == 0, "the records' end", 60)
    starts = [(user, fakeradius.START) for user in (b"joe", b"sue", b"ann")]
    assert trio.records.taken() == sorted([*starts, (b"ann", fakeradius.STOP)])
    for call in trio.calls:
        call.ping(VIP)
        call.hangup()
    wait_for(lambda: trio.records.taken() == sorted([*starts, *((user, fakeradius.STOP) for user, _ in starts)]), "their Stops")


def test_change_too_late(trio, lac):
    """What the manual warns of: without the first step each part has a master, until all have the new one."""
    master = trio.master()
    for m in trio.members:
        m.lns.set('set cluster_secret "%s"' % NEW)
        if m is trio.members[0]:
            wait_for(lambda: len([o for o in trio.members if o.show()["status"] == "master"]) == 2, "two masters")
    trio.wait()
    assert master.alive()
