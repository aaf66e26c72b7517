"""Who is heard on the cluster's link: what a stranger, or a recorder of real messages, can do with and without a secret."""

import collections

import pytest

import clwire
import pylac
from netns import wait_for
from test_cluster import LINK, VIP, Network, Trio, all_up, held, wait_all

KEY = "among us"


@pytest.fixture
def plant(tmp_path_factory):
    """plant(settings): three members, all up."""
    made = []

    def make(settings=None):
        trio = Trio(tmp_path_factory, settings)
        made.append(trio)
        all_up(trio)
        return trio
    try:
        yield make
    finally:
        for trio in made:
            trio.close()


@pytest.fixture
def trio(plant):
    return plant()


@pytest.fixture
def wire(trio):
    one = clwire.Wire(trio)
    yield one
    one.close()


def grown(member, before):
    """By how much each counter has grown."""
    return collections.Counter({name: value - before.get(name, 0) for name, value in member.counters().items()
                                if value > before.get(name, 0)})


class Still:
    """The members in a state that nothing may change: who is master, in which term, and the sessions."""

    def __init__(self, trio):
        self.trio = trio
        self.state = self._state()
        self.counts = {m: m.counters() for m in trio.members}

    def _state(self):
        return [(s["status"], s["term"], s["master"], s["up_to_date"], len(s["peers"])) for s in
                (m.show() for m in self.trio.members)] + [sorted(one["Username"] for one in m.lns.sessions())
                                                          for m in self.trio.members]

    def grown(self, member):
        return grown(member, self.counts[member])

    def check(self):
        assert self._state() == self.state


def heard_unicast(trio, wire):
    """What members say to each other alone: a call through a slave, and one that starts again."""
    wire.frames()
    lac = pylac.Lac(Network(trio))
    trio.through(trio.slaves()[0])
    lac.tunnel().session().up("joe", "pw").ping(VIP)
    late = trio.slaves()[1]
    late.kill()
    late.start()
    trio.wait()
    wait_all(trio, lambda m: bool(held(m, "joe")), True)
    lac.close()
    return [f for f in wire.frames() if clwire.head_of(clwire.payload_of(f)).receiver]


def test_unicast_is_nothing_to_another(trio, wire):
    """Recorded, and sent to a member that it was not for: it has not seen its counter yet."""
    frames = heard_unicast(trio, wire)
    kinds = {clwire.head_of(clwire.payload_of(f)).kind for f in frames}
    print("kinds:", sorted(kinds))
    assert {clwire.CHALLENGE, clwire.PROOF, clwire.SYNC_ASK, clwire.SYNC, clwire.SYNC_ACK, clwire.FORWARD} <= kinds
    still = Still(trio)
    for member in trio.members:
        others = [f for f in frames if member.address not in clwire.ends_of(f)]
        assert others
        for frame in others:
            wire.inject(clwire.readdressed(frame, member))
        wait_for(lambda: still.grown(member)["cluster_not_for_us"] == len(others), "all to be counted")
    still.check()
    for member in trio.members:
        assert not still.grown(member)["cluster_wrong_role"] and not still.grown(member)["recv_forward"]


def test_unicast_to_a_former_life(trio, wire):
    """The same, to the member it was for, which has begun anew."""
    frames = heard_unicast(trio, wire)
    late = trio.slaves()[0]
    to_late = [f for f in frames if clwire.ends_of(f)[1] == late.address]
    assert to_late
    late.kill()
    late.start()
    trio.wait()
    still = Still(trio)
    for frame in to_late:
        wire.inject(frame)
    wait_for(lambda: still.grown(late)["cluster_not_for_us"] == len(to_late), "all to be counted")
    still.check()
