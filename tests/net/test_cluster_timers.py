"""What is due at a time - time-outs, Interim-Updates, records that nobody has answered - when masters die in between: once,
and when it is due. The clocks of all members are put ahead together."""

import json
import time

import fakeradius
import pylac
import pytest
from fakeradius import (ACCT_SESSION_ID, DELAY_TIME, IDLE_TIMEOUT, INTERIM, INTERIM_INTERVAL, SESSION_TIME, SESSION_TIMEOUT, START,
                        STOP, TERMINATE_CAUSE, USER_NAME, attribute)
from members import RADIUS, VIP, Network, Trio, all_up, wait_all
from netns import wait_for

STEP = 3  # seconds; cluster_hb_timeout is longer, so that nobody thinks his loop stood still
IDLE_CAUSE, SESSION_CAUSE = 4, 5  # Acct-Terminate-Cause
LIMIT, IDLE, INTERVAL = 200, 150, 60
WHAT = {"timed": [attribute(SESSION_TIMEOUT, LIMIT)], "idle": [attribute(IDLE_TIMEOUT, IDLE)],
        "told": [attribute(INTERIM_INTERVAL, INTERVAL)]}


class Scene:
    def __init__(self, factory):
        self.trio = Trio(factory, {**RADIUS, "cluster_hb_timeout": 70, "radius_accounting": True, "radius_interim_min": INTERVAL},
                         clock=True)
        self.mute, self.records = False, []
        try:
            self.trio.serve(1812, self._login)
            self.trio.serve(1813, self._account)
            self.trio.through(all_up(self.trio))
            self.lac = pylac.Lac(Network(self.trio))
            self.stepped, self.began = 0, time.monotonic()
            self.without = 0  # seconds without a master, at most
            self.longest = STEP  # step, on a machine that may be busy
        except BaseException:
            self.close()
            raise

    def _login(self, server, request):
        return [server.accept(request, *WHAT.get(request.get(USER_NAME).decode(), ()))]

    def _account(self, server, request):
        if self.mute and request.status != INTERIM:
            self.records.append((self.now(), request))
            return []
        self.records.append((self.now(), request))
        return fakeradius.acknowledge(server, request)

    def of(self, user, *kinds):
        """Its records, as (when, request); what is sent again is left out."""
        found = {}
        for when, request in list(self.records):
            if request.status in kinds and request.get(USER_NAME) == user.encode():
                found.setdefault(tuple(a for a in request.attributes if a[0] != DELAY_TIME), (when, request))
        return list(found.values())

    def now(self):
        """As the members see it."""
        return self.stepped + time.monotonic() - self.began

    @property
    def slack(self):
        """The step in which something comes due, and what was rounded or waited for."""
        return self.longest + 3

    def pass_until(self, when):
        while self.now() + STEP < when:
            begun = self.now()
            self.stepped += STEP
            self.trio.step(STEP)
            for _ in range(3):  # an answer makes them ask for more
                self.lac.drain()
                for t in self.lac.tunnels.values():
                    t.resend()
            self.longest = max(self.longest, self.now() - begun)

    def lose_master(self):
        """It comes back as a slave, a minute behind what the others' clocks say, which is nothing to them."""
        old, died = self.trio.master(), self.now()
        old.kill()
        new = wait_for(self.trio.master, "another master", 30)
        self.without = max(self.without, self.now() - died)
        self.trio.through(new)
        old.lns.ahead = [0, 0]
        old.start()
        self.trio.wait()

    def close(self):
        self.trio.close()


@pytest.fixture
def scene(tmp_path_factory):
    scene = Scene(tmp_path_factory)
    yield scene
    scene.lac.close()
    scene.close()


def packets_of(member, user):
    """Of a session, as this member knows it."""
    shown = json.loads("\n".join(member.lns.run("show session json")))
    return next(one["uploaded_packets"] for one in shown if one["user"] == user)


def test_times(scene):
    """Two masters die; each limit and each Interim-Update is kept as if nothing had happened. None is due while there is no
    master: it would be left out."""
    tunnel = scene.lac.tunnel()
    sessions = {user: tunnel.session().up(user, "pw") for user in WHAT}
    up = scene.now()
    wait_all(scene.trio, lambda m: len(m.lns.sessions()), len(WHAT))
    scene.pass_until(up + 20)
    before = packets_of(scene.trio.master(), "idle")
    sessions["idle"].ping(VIP)
    used = scene.now()
    wait_all(scene.trio, lambda m: packets_of(m, "idle") > before, True)
    known = scene.now()  # a second later: for the others it was between these two
    scene.pass_until(used + 3 * STEP)
    scene.lose_master()
    assert not any(s.gone for s in sessions.values())
    scene.pass_until(up + 60)
    scene.lose_master()  # the first Interim-Update comes due meanwhile, or nearly
    scene.pass_until(used + IDLE - 3 * STEP)
    assert not scene.of("idle", STOP) and not any(s.gone for s in sessions.values())
    scene.pass_until(known + IDLE + scene.slack)
    scene.lac.wait(lambda: sessions["idle"].gone, "the end of who was idle")
    scene.pass_until(up + LIMIT - 3 * STEP)
    assert not sessions["timed"].gone
    scene.pass_until(up + LIMIT + scene.slack)
    scene.lac.wait(lambda: sessions["timed"].gone, "the end of who had his time")
    scene.pass_until(up + LIMIT + 2 * INTERVAL)
    for user, cause, least, most in (("idle", IDLE_CAUSE, used + IDLE - up, known + IDLE - up),
                                     ("timed", SESSION_CAUSE, LIMIT, LIMIT)):
        wait_for(lambda: scene.of(user, STOP), "the Stop of " + user)
        (_, stop), = scene.of(user, STOP)
        assert stop.number(TERMINATE_CAUSE) == cause
        assert least - 2 <= stop.number(SESSION_TIME) <= most + scene.slack
    assert not sessions["told"].gone
    times = [0, *(request.number(SESSION_TIME) for _, request in scene.of("told", INTERIM))]
    steps = [b - a for a, b in zip(times, times[1:])]
    print("Interim-Updates at %s" % times[1:])
    late = INTERVAL / 8 + scene.slack + scene.without  # what comes due without a master is spread again
    assert len(steps) >= 4 and all(INTERVAL - scene.slack <= s <= INTERVAL + late for s in steps), steps
    for user in WHAT:
        assert len(scene.of(user, START)) == 1


def test_unanswered_records(scene):
    """A Start and a Stop that no server has answered when the master dies: sent again, the same ones, and then no more."""
    tunnel = scene.lac.tunnel()
    gone = tunnel.session().up("gone", "pw")
    wait_for(lambda: scene.of("gone", START), "a Start")
    wait_for(lambda: all(m.counters()["acct_queued"] == 0 for m in scene.trio.members), "its answer")
    scene.mute = True
    stays = tunnel.session().up("stays", "pw")
    gone.hangup()
    wait_for(lambda: scene.of("stays", START) and scene.of("gone", STOP), "both records")
    scene.lose_master()
    before = len(scene.records)
    wait_for(lambda: len(scene.records) >= before + 2, "both once more", 60)
    scene.mute = False
    wait_for(lambda: all(m.counters()["acct_queued"] == 0 for m in scene.trio.members), "their answers", 60)
    stays.ping(VIP)
    stays.hangup()
    wait_for(lambda: scene.of("stays", STOP), "the last Stop")
    scene.lose_master()
    scene.pass_until(scene.now() + 60)
    for user in "gone", "stays":
        records = scene.of(user, START, STOP)
        assert [r.status for _, r in records] == [START, STOP]
        assert len({r.get(ACCT_SESSION_ID) for _, r in records}) == 1
    assert sum(r.get(USER_NAME) == b"stays" and r.status == START for _, r in scene.records) > 1, "it was sent but once"
