"""Accounting of a cluster whose members have lost each other: a session that goes on has one Stop, at its end."""

import fakeradius
import pylac
import pytest
from members import RADIUS, VIP, Network, Trio, held
from netns import wait_for

STEP = 12  # seconds; cluster_hb_timeout is longer, so that nobody thinks his loop stood still


class Books:
    """Takes accounting records."""

    def __init__(self, trio):
        self.server = trio.serve(1813, fakeradius.acknowledge)

    def kinds(self):
        """{Acct-Session-Id: kinds of its records}"""
        found = {}
        for r in self.server.records:
            if r.status in (fakeradius.START, fakeradius.STOP):
                found.setdefault(r.get(fakeradius.ACCT_SESSION_ID), []).append(r.status)
        return found


@pytest.fixture
def trio(tmp_path_factory):
    plant = Trio(tmp_path_factory, {"cluster_hb_timeout": 150, "hello_interval": 10, "radius_accounting": True, **RADIUS})
    plant.books = Books(plant)
    try:
        for m in plant.members:
            m.lns.ahead = [0, 0]
            m.start()
        yield plant
    finally:
        plant.close()


def isolate(trio, member, on):
    """Off the cluster's link and the LAC's network; and back."""
    for ns in trio.switch, trio.lac:
        ns.ip("link set m%d %s" % (member.number, "nomaster" if on else "master br0"))


def records_get_out(member, yes):
    """Its accounting records; the kernel keeps what it cannot send, and would send it later."""
    member.ns.run("iptables", "-D" if yes else "-A", "OUTPUT", "-p", "udp", "--dport", "1813", "-j", "DROP")


def test_who_hears_nobody_ends_nothing_for_the_others(trio):
    """The master is cut off from all, gives its tunnels up after half an hour, and has Stops to send when it is back."""
    old = trio.wait(timeout=30)
    trio.through(old)
    lac = pylac.Lac(Network(trio))
    joe = lac.tunnel().session().up("joe", "pw")
    wait_for(lambda: all(held(m, "joe") for m in trio.members), "joe on all")
    wait_for(lambda: list(trio.books.kinds().values()) == [[fakeradius.START]], "his Start")
    wait_for(lambda: all(m.counters()["acct_queued"] == 0 for m in trio.members), "its answer, on all")
    isolate(trio, old, True)
    records_get_out(old, False)
    others = [m for m in trio.members if m is not old]
    while not any(m.show()["status"] == "master" for m in others):
        trio.step(STEP, others)
    trio.through(next(m for m in trio.members if m is not old and m.show()["status"] == "master"))
    joe.ping("10.99.0.1")
    ages = 0
    while held(old, "joe"):
        old.ns.run("bash", "-c", "echo nonsense > /dev/udp/%s/1701" % VIP)  # else it knew that it is cut off from all
        old.lns.step(STEP)
        ages += STEP
        assert ages < 2000
    assert ages > 1700
    isolate(trio, old, False)
    trio.wait(timeout=30)
    records_get_out(old, True)
    wait_for(lambda: all(held(m, "joe") for m in trio.members), "joe on all again")
    joe.ping("10.99.0.1")
    assert list(trio.books.kinds().values()) == [[fakeradius.START]]
    joe.hangup()
    wait_for(lambda: fakeradius.STOP in list(trio.books.kinds().values())[0], "his Stop")
    wait_for(lambda: all(m.counters()["acct_queued"] == 0 for m in trio.members), "all records sent")
    assert list(trio.books.kinds().values()) == [[fakeradius.START, fakeradius.STOP]]
    lac.close()
