"""The usage files of all members together tell each octet of each session once, whoever was the master when."""

import os
import signal

import pytest

import cluster
import test_cluster_faults as faults
from clac import CLac
from fakeradius import INPUT_GIGAWORDS, INPUT_OCTETS, OUTPUT_GIGAWORDS, OUTPUT_OCTETS, STOP, USER_NAME
from netns import wait_for

SESSIONS, PPS = 20, 400
SHORT = 600  # so many calls that end make an early file: there is room for 1,024


class Site(cluster.Site):
    def __init__(self, factory):
        self.usage = {n: str(factory.mktemp("usage%d" % n, numbered=True)) for n in (1, 2, 3)}
        super().__init__(lambda name: factory.mktemp(name, numbered=True), 3,
                         settings={"max_sessions": 1000, "max_tunnels": 100, "cluster_hb_timeout": 50})

    def settings(self, member):
        return {**super().settings(member), "accounting_dir": self.usage[member.number]}

    def told(self):
        """{user: [octets up, down]} of all files there are."""
        sums = {}
        for folder in self.usage.values():
            for name in os.listdir(folder):
                if name.startswith("."):
                    continue
                with open(os.path.join(folder, name)) as f:
                    for line in f:
                        if line.startswith("#"):
                            continue
                        user, _, _, up, down = line.split()
                        one = sums.setdefault(user, [0, 0])
                        one[0] += int(up)
                        one[1] += int(down)
        return sums

    def stopped(self):
        """The same by the Stops, one for each id: what was on its way when the master went may come twice, the same."""
        sums = {}
        for records in list(self.radius.accounts.values()):
            stops = [(r.octets(INPUT_OCTETS, INPUT_GIGAWORDS), r.octets(OUTPUT_OCTETS, OUTPUT_GIGAWORDS))
                     for r in records if r.status == STOP]
            assert len(set(stops)) <= 1, stops
            if stops:
                one = sums.setdefault(records[0].get(USER_NAME).decode(), [0, 0])
                one[0] += stops[0][0]
                one[1] += stops[0][1]
        return {user: octets for user, octets in sums.items() if any(octets)}


class Scene:
    def __init__(self, factory):
        self.site = Site(factory)
        self.moved = [0, 0]

    def start(self):
        self.site.start_members()
        self.lac = CLac(self.site.lac, cluster.VIP)
        assert self.lac.do("tunnel count=2 port=0")["ok"]
        assert self.lac.do("session count=%d user=long%%d" % SESSIONS)["up"] == str(SESSIONS)
        self.site.settle()

    def traffic(self):
        """Both ways, through all that are there; then all members have told what they counted."""
        with cluster.Load(self.site, self.lac, PPS) as load:
            faults.run_on(1)
        assert not load.up.corrupt and not load.down.corrupt
        self.moved[0] += load.up.received * load.size
        self.moved[1] += load.down.received * load.size
        wait_for(lambda: len({str(faults.carried(m)) for m in self.site.living()}) == 1, "the same counts at all members")

    def file(self):
        """So many short calls that the master writes one."""
        master = self.site.master
        before = master.counters()["usage_files"]
        lac = CLac(self.site.lac, cluster.VIP)
        assert lac.do("tunnel port=0")["ok"]
        assert lac.do("session count=%d user=short%%d" % SHORT)["up"] == str(SHORT)
        assert lac.do("close session=all")["ok"]
        wait_for(lambda: master.counters()["usage_files"] > before, "a file")
        lac.do("quit")

    def close_some(self, which):
        assert self.lac.do("close session=%s" % which)["ok"]

    def end(self):
        """The last octets: the one who is left tells them at its end."""
        site = self.site
        wait_for(lambda: not site.master.sessions(), "the end of all sessions")
        for member in site.living():
            member.stop(signal.SIGTERM)
        wait_for(lambda: site.stopped().keys() >= {"long%d" % n for n in range(SESSIONS)}, "the Stops")
        told, stopped = site.told(), site.stopped()
        print("moved %s; files of %s tell %s, Stops %s" % (
            self.moved, {n: len(os.listdir(folder)) for n, folder in site.usage.items()},
            [sum(one[i] for one in told.values()) for i in (0, 1)], [sum(one[i] for one in stopped.values()) for i in (0, 1)]))
        assert told == stopped
        assert [sum(one[i] for one in told.values()) for i in (0, 1)] == self.moved


@pytest.fixture
def scene(tmp_path_factory):
    scene = Scene(tmp_path_factory)
    yield scene
    scene.site.close()


def test_two_takeovers(scene):
    """Sessions that go on, that end before and behind it; what a file has told, and what was in none."""
    site = scene.site
    scene.start()
    scene.traffic()
    scene.file()
    assert set(site.told()) == {"long%d" % n for n in range(SESSIONS)}
    scene.traffic()
    scene.close_some("0-4")
    scene.traffic()
    site.master.kill()
    site.settle()
    scene.close_some("5-9")
    scene.traffic()
    scene.file()
    scene.traffic()
    scene.close_some("10-14")
    site.master.stop(signal.SIGTERM)
    site.settle()
    scene.traffic()
    scene.close_some("all")
    scene.end()


def test_who_joins(scene):
    """Who was not there when files were written, and when sessions ended, is the last."""
    site = scene.site
    scene.start()
    late = site.slaves[0]
    late.stop(signal.SIGTERM)
    site.settle()
    scene.traffic()
    scene.file()
    scene.traffic()
    scene.close_some("0-4")
    late.start()
    site.settle()
    for member in [m for m in site.members if m is not late]:
        member.kill()
        site.settle()
    scene.traffic()
    scene.close_some("all")
    scene.end()
