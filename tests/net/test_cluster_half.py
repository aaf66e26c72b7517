"""The members lose each other while calls are half set up, and the routers turn the LAC to the other side.

Each call of MOMENTS has a tunnel of its own. All members know of its first steps; then the old master is cut off, and one side
hears so many more, of which it can tell nobody: the old master itself, or the new one. From there on the LAC's packets go to the
other side, for two minutes of a stepped clock. What both sides know goes on there; what only one knows goes on when the cluster
is whole again; and nobody ends a call since its LAC speaks to another master.
"""

import threading
import time

import pytest

import fakeradius
from members import LAC, VIP, Trio
from netns import wait_for
from test_cluster_flight import CALL, HEARD, LIFE, LINK, LOGIN, LOST, TUNNEL, Caller
from test_cluster_split import STEP, masters

SETTINGS = {"primary_radius": LAC, "primary_radius_port": 1812, "radius_secret": "radsecret", "radius_accounting": True,
            "radius_authtypes": "chap,pap", "cluster_hb_timeout": 150}
PARTED = 10  # steps of the clock at least; between them LACs and subscribers repeat themselves
LONGEST = 40
NAMES = {len(TUNNEL): "nothing", len(TUNNEL + CALL[:1]): "icrq", len(TUNNEL + CALL): "iccn",
         len(TUNNEL + CALL + LINK): "lcp", len(TUNNEL + CALL + LINK + LOGIN): "login", len(LIFE) - 1: "nak"}
NOT_REPEATED = {("chap", "login", LOST)}  # by no peer, but by a master who takes over (test_cluster_flight.py)


def moments():
    """{name: (steps that all know, steps behind these that one side knows, the rest, whether the last was answered, login)}"""
    found = {}
    for auth in "pap", "chap":
        for known, name in NAMES.items():
            for heard in range(known + 1, len(LIFE) + 1):
                for way in HEARD, LOST:
                    step = LIFE[heard - 1][0]
                    if step != "challenge" and (auth, step, way) not in NOT_REPEATED:
                        found["%s %s known, %s %s" % (auth, name, step, way)] = \
                            LIFE[:known], LIFE[known:heard], LIFE[heard:], way, auth
    return found


MOMENTS = moments()


class Scene:
    """All of them at once. `side`: the master who hears of them first."""

    def __init__(self, factory, side):
        self.errors, self.early = {}, set()
        self.whole = threading.Event()
        self.servers = []
        self.trio = Trio(factory, SETTINGS, clock=True)
        try:
            for port, answer in (1812, lambda s, r: [s.accept(r)]), (1813, fakeradius.acknowledge):
                self.servers.append(fakeradius.FakeRadius(self.trio.lac, LAC, port))
                self.servers[-1].answer = answer
            for m in self.trio.members:
                m.lns.ahead = [0, 0]
                m.start()
            old = self.trio.wait()
            self.trio.through(old)
            self.callers = {name: Caller(self, name.replace(" ", ".").replace(",", ""), one[4]) for name, one in MOMENTS.items()}
            self.clock = Caller(self, "clock")
            self._told()
            old.part()
            if side == "new":
                self.trio.through(self._new_master(old))
            self._untold()
            new = self._new_master(old)
            self.trio.through(new if side == "old" else old)
            self._parted()
            old.rejoin()
            wait_for(self.trio.settled, "one master", 30)
            self.trio.through(self.trio.master())
            self.whole.set()
            for thread in self.threads:
                thread.join(120)
        except BaseException:
            self.close()
            raise

    def _told(self):
        for name, caller in self.callers.items():
            caller.run(MOMENTS[name][0])
        self.clock.run(TUNNEL)
        for m in self.trio.members:
            wait_for(lambda: len(m.lns.tunnels("all")) == len(self.callers) + 1, "all tunnels")

    def _new_master(self, old):
        while len(masters(self.trio)) < 2:
            self._step()
        return next(m for m in masters(self.trio) if m is not old)

    def _step(self):
        for m in self.trio.members:
            m.lns.step(STEP)

    def _untold(self):
        for name, caller in self.callers.items():
            _, steps, _, way, _ = MOMENTS[name]
            caller.run(steps[:-1])
            getattr(caller, steps[-1][0])()
            if way == HEARD:
                caller.wait(getattr(caller, steps[-1][1]), steps[-1][0])
        self.clock.run([("hello", "acked")])  # behind all these
        for name, caller in self.callers.items():
            if MOMENTS[name][3] == LOST:
                caller.discard()

    def _parted(self):
        self.threads = [threading.Thread(target=self._finish, args=(name,), daemon=True) for name in self.callers]
        for thread in self.threads:
            thread.start()
        for n in range(LONGEST):
            if n >= PARTED and not self._waiting():
                break
            time.sleep(1.2)  # longer than a LAC waits
            self._step()

    def _waiting(self):
        """Calls that both sides know, and are not up yet."""
        return [name for name in self.callers if " nothing known" not in name and name not in self.early | self.errors.keys()]

    def _finish(self, name):
        caller, (_, steps, behind, _, _) = self.callers[name], MOMENTS[name]
        try:
            caller.wait(getattr(caller, steps[-1][1]), steps[-1][0])
            caller.run(behind)
            if not self.whole.is_set():
                self.early.add(name)
            while not self.whole.is_set():
                caller.lac.pump(0.1)
                caller.tunnel.resend()
            assert not caller.session.gone and not caller.tunnel.closed, "ended"
            caller.wait(caller.up, "IPCP again")
            caller.session.ping(VIP)
            assert not caller.session.gone and not caller.tunnel.closed
            caller.run([("cdn", "acked")])
        except Exception as error:  # told to the test of this moment
            self.errors[name] = error

    def close(self):
        self.whole.set()
        for one in [*(c.lac for c in getattr(self, "callers", {}).values()), *self.servers]:
            one.close()
        self.trio.close()


@pytest.fixture(scope="module")
def scene(request, tmp_path_factory):
    scene = Scene(tmp_path_factory, request.param)
    yield scene
    scene.close()


def check_moment(scene, name):
    caller = scene.callers[name]
    session = caller.session
    print("closed %r, terminated %s" % (session.closed, session.terminated))
    if name in scene.errors:
        raise scene.errors[name]
    assert name in scene.early or " nothing known" in name, "it has waited until the cluster was whole"


def check_all(scene):
    for m in scene.trio.members:
        wait_for(lambda: m.lns.sessions() == [], "the end of all at %s" % m.address)


@pytest.mark.parametrize("scene, name", [(side, name) for side in ("old", "new") for name in [*MOMENTS, "in the end"]],
                         indirect=["scene"], scope="module")
def test_split(scene, name):
    check_moment(scene, name) if name in MOMENTS else check_all(scene)
