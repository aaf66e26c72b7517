"""Members of two releases in one cluster: today's, and one to come that has more to say (nextrelease.py)."""

import json
import signal

import pytest

import nextrelease
import pylac
from members import VIP, Network, Trio, held, wait_all
from netns import wait_for
from test_cluster_faults import Scene, Trial

OLD, NEW = None, "new"  # what Lns.program is


@pytest.fixture(scope="module")
def program():
    return nextrelease.build()


@pytest.fixture
def plant(tmp_path_factory, program):
    """plant(release of each member): not started."""
    made = []

    def make(*releases):
        trio = Trio(tmp_path_factory)
        made.append(trio)
        for member, release in zip(trio.members, releases):
            member.lns.program = release and program
        return trio
    try:
        yield make
    finally:
        for trio in made:
            trio.close()


def start_in_turn(trio):
    """The first becomes master, and who is older comes before who is younger."""
    for m in trio.members:
        m.start()
        trio.wait()
    assert trio.master() is trio.members[0]


def marks(member):
    """{user: what the field of the release to come holds}, of a member that has it."""
    shown = json.loads("\n".join(member.lns.run("show session json")))
    return {one["user"]: one["next_release"] for one in shown if "user" in one}


def takeover(trio, number):
    """The master is killed; this one follows."""
    trio.master().kill()
    master = trio.wait()
    assert master is trio.members[number]
    trio.through(master)
    return master


def change(master, user):
    """The master tells all of this session anew."""
    assert "Throttling user" in "\n".join(master.lns.run("throttle %s 300" % user))



def no_harm(trio):
    for m in trio.alive():
        counted = m.counters()
        for name in "cluster_refused", "cluster_malformed", "cluster_other_format", "cluster_send_failed":
            assert counted[name] == 0, (m.address, name, counted[name])


def test_an_old_master_in_between(plant):
    """A session of a new master is the same behind a mastership of an old one, with what that knew nothing of."""
    trio = plant(NEW, OLD, NEW)
    start_in_turn(trio)
    new, old, last = trio.members
    lac = pylac.Lac(Network(trio))
    trio.through(old)  # it hands on what it cannot do
    joe = lac.tunnel().session().up("joe", "pw")
    joe.ping(VIP)
    mark = marks(new)["joe"]
    assert mark > nextrelease.MARK
    wait_all(trio, lambda m: held(m, "joe"), held(new, "joe"))
    assert marks(last) == {"joe": mark}
    assert old.counters()["cluster_unknown_kind"] > 0  # the new ones say what it does not know
    no_harm(trio)
    takeover(trio, 1)
    joe.ping(VIP)
    change(old, "joe")
    sue = lac.tunnel().session().up("sue", "pw")
    sue.ping(VIP)
    wait_all(trio, lambda m: bool(held(m, "sue")), True)
    assert marks(last) == {"joe": mark, "sue": 0}
    no_harm(trio)
    new.start()  # a full synchronisation from the old one
    trio.wait()
    assert marks(new) == {"joe": mark, "sue": 0}
    takeover(trio, 2)
    joe.ping(VIP)
    sue.ping(VIP)
    assert marks(last) == {"joe": mark, "sue": 0}
    change(last, "sue")
    joe.hangup()
    wait_all(trio, lambda m: bool(held(m, "joe")), False)
    lac.close()


def test_a_new_master_of_old_members(plant):
    """An old master dies; a new one goes on with its sessions, and an old one with those of the new one."""
    trio = plant(OLD, NEW, OLD)
    start_in_turn(trio)
    lac = pylac.Lac(Network(trio))
    trio.through(trio.members[2])
    joe = lac.tunnel().session().up("joe", "pw")
    wait_all(trio, lambda m: bool(held(m, "joe")), True)
    assert marks(trio.members[1]) == {"joe": 0}
    new = takeover(trio, 1)
    ann = lac.tunnel().session().up("ann", "pw")
    change(new, "joe")
    mark = marks(new)["ann"]
    assert mark > nextrelease.MARK
    wait_all(trio, lambda m: held(m, "ann"), held(new, "ann"))
    takeover(trio, 2)
    for session in joe, ann:
        session.ping(VIP)
    new.start()
    trio.wait()
    assert marks(new) == {"joe": 0, "ann": mark}
    no_harm(trio)
    joe.hangup()
    ann.hangup()
    wait_all(trio, lambda m: bool(held(m, "joe") or held(m, "ann")), False)
    lac.close()


def versions(member):
    return sorted(peer["software"] for peer in member.show()["peers"])


def test_rolling_restart(plant, program):
    """One member after the other goes over to the new release, the master last; all of its sessions are the same."""
    trio = plant(OLD, OLD, OLD)
    start_in_turn(trio)
    lac = pylac.Lac(Network(trio))
    trio.through(trio.master())
    sessions = [lac.tunnel().session().up(user, "pw") for user in ("joe", "sue")]
    ids = {user: held(trio.master(), user) for user in ("joe", "sue")}
    for member in reversed(trio.members):
        trio.through(next(m for m in trio.members if m is not member))
        for session in sessions:
            session.ping(VIP)
        member.lns.stop(signal.SIGTERM, timeout=30)
        for session in sessions:
            session.ping(VIP)
        member.lns.program = program
        member.start()
        trio.wait()
        for m in trio.members:
            assert {user: held(m, user) for user in ids} == ids
            trio.through(m)
            for session in sessions:
                session.ping(VIP)
        no_harm(trio)
    for m in trio.members:
        assert versions(m) == [nextrelease.VERSION] * 2
    assert trio.master() is not trio.members[0]
    for session in sessions:
        session.hangup()
    wait_all(trio, lambda m: bool(held(m, "joe") or held(m, "sue")), False)
    lac.close()


@pytest.mark.parametrize("upwards", [True, False])
def test_under_load(tmp_path_factory, program, upwards):
    """The same with 1,000 packets/s, and calls that come and go: no packet is lost, no call fails, the books are right.
    And back to the old release."""
    before, behind = (None, program) if upwards else (program, None)
    scene = Scene(tmp_path_factory, program=before)
    site = scene.site
    try:
        with Trial(scene, gap=0):
            for member in [*site.slaves, site.master]:
                member.stop()
                site.settle()
                member.program = behind
                member.start()
                site.settle()
        shown = {peer["software"] for m in site.members for peer in m.show()["peers"]}
        assert (shown == {nextrelease.VERSION}) == upwards and len(shown) == 1
        for m in site.members:
            assert m.counters()["cluster_malformed"] == 0
    finally:
        scene.close()
