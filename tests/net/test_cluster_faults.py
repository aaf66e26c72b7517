"""What befalls a cluster of three while a thousand sessions pass traffic: no session is lost, and little traffic.

Each fault is put on while a load of PPS packets a second each way goes through all sessions and a second LAC sets up and
closes calls without end. The gap is what was lost of the load, as seconds of it. The timers are fast ones
(a heartbeat each 0.1 s, a master is missed after 1 s); the default ones are in tests marked `long`, as are the full lengths.
"""

import collections
import contextlib
import functools
import json
import random
import signal
import socket
import struct
import time

import pytest

import cluster
import clwatch
import clwire
from clac import CLac
from fakeradius import STOP, USER_NAME
from netns import Timeout, wait_for

SESSIONS, TUNNELS, PPS = 1000, 8, 1000
OBEY = 1.5  # seconds in which a router follows what a member says
SETTLE = 2.5  # and a member the rules: one that lags draws traffic for 2 s more
TAKEOVER = 1.5  # seconds of traffic that a member's death, a freeze or a partition may cost at most


class Scene:
    """A plant with a LAC whose sessions are to outlive everything."""

    def __init__(self, factory, sessions=SESSIONS, first=3, **kwargs):
        """`first` of the members are started."""
        self.site = cluster.Site(functools.partial(factory.mktemp, numbered=True), **{"second": cluster.Frr, **kwargs})
        self.churned = 0
        self.rounds = 0
        try:
            self.site.start_members(self.site.members[:first])
            self.lac = CLac(self.site.lac, cluster.VIP)
            assert self.lac.do("tunnel count=%d port=0 hello=1" % TUNNELS)["ok"]
            answer = self.lac.do("session count=%d parallel=200" % sessions)
            assert answer["up"] == str(sessions), answer
            self.sessions = sessions
            self.users = {"user%d" % n for n in range(sessions)}
            self.before = self.held()
        except BaseException:
            self.site.close()
            raise

    def held(self):
        """Id and address of each session that is to last, as the master has it."""
        return {user: what for user, what in self.site.master.sessions().items() if user in self.users}

    def whole(self):
        """As it was made, and settled: another test may use it."""
        try:
            calls = self.sessions + self.churned
            return len(self.site.living()) == len(self.site.members) and self.site.settled() \
                and self.held() == self.before and self.site.radius.balance()[:3] == (calls, calls, self.churned)
        except Exception:
            return False

    def close(self):
        self.site.close()


def differences(scene):
    """What members hold that they should not, or not as they should; {} is well."""
    found = {}
    for member in scene.site.living():
        has = member.sessions()
        wrong = {user: (scene.before.get(user), has.get(user)) for user in has.keys() | scene.before.keys()
                 if has.get(user) != scene.before.get(user)}
        if wrong:
            found[str(member)] = wrong
    return found


def same_sessions(scene):
    """All members hold the sessions that are to last, and no others."""
    try:
        wait_for(lambda: not differences(scene), "the same sessions")
    except Timeout:
        raise AssertionError("master is %s; (should be, is): %s" % (scene.site.master, differences(scene))) from None


def balanced(radius, started, stopped):
    """So many calls have a Start, so many a Stop."""
    want = started, started, stopped
    try:
        wait_for(lambda: radius.balance()[:3] == want, "the books")
    except Timeout:
        raise AssertionError("calls, Starts, Stops: %s, not %s" % (radius.balance()[:3], want)) from None


class Trial:
    """The block in which a fault is put on: traffic and churn around it, and the reckoning behind it."""

    def __init__(self, scene, gap=TAKEOVER, pps=PPS, failing=0):
        """`failing`: so many calls may fail that are being set up at the moment of the fault."""
        self.scene, self.site, self.gap, self.failing = scene, scene.site, gap, failing
        self.watch = clwatch.Watch(self.site)
        scene.rounds += 1
        self.churn = cluster.Churn(self.site, scene.rounds, first=scene.churned)
        self.load = cluster.Load(self.site, scene.lac, pps)

    def __enter__(self):
        self.watch.__enter__()
        self.churn.__enter__()
        self.load.__enter__()
        return self

    def __exit__(self, kind, *rest):
        self.load.__exit__(kind, *rest)
        self.churn.__exit__(kind, *rest)
        self.watch.__exit__(kind, *rest)
        if kind is None:
            print("up: %s; down: %s; %d calls came and went; %s" % (self.load.up, self.load.down, self.churn.made, self.watch))
            self.reckon()

    def reckon(self):
        """Sessions, traffic, control channels, accounting, processes."""
        scene, site, lac = self.scene, self.site, self.scene.lac
        scene.churned += self.churn.made
        for direction in self.load.up, self.load.down:
            assert direction.corrupt == 0
            assert direction.gap <= self.gap, str(direction)
        assert sum(int(bad.answer.get("failed", 0)) for bad in self.churn.bad) <= self.failing, self.churn.bad[:3]
        assert all(bad.closed["ok"] for bad in self.churn.bad), self.churn.bad[:3]
        assert max(self.watch.by_router.longest.values(), default=0) <= OBEY, self.watch.by_router.longest
        assert max(self.watch.by_rule.longest.values(), default=0) <= SETTLE, self.watch.by_rule.longest
        count = lac.do("count")
        assert (count["up"], count["closed"], count["tunnels_up"]) == (str(scene.sessions), "0", str(TUNNELS)), count
        site.settle()
        assert scene.held() == scene.before
        same_sessions(scene)
        said = lac.do("hello tunnel=all", 60)
        assert said["ok"], said
        got = lac.do("ping session=all to=%s count=1" % cluster.CORE)
        assert got["received"] == str(scene.sessions), got
        assert lac.do("stats")["violations"] == "0"
        self.books()
        for member in site.members:
            member.lns._check_log()

    def books(self):
        """A Start for every call, a Stop for each that came and went, none for those that last."""
        scene, radius = self.scene, self.site.radius
        if self.churn.bad:  # some of those had their Start
            scene.churned = wait_for(lambda: self.whole_books(), "the books")
        calls = scene.sessions + scene.churned
        balanced(radius, calls, scene.churned)
        print("accounting records that came again:", radius.balance()[3])

    def whole_books(self):
        """How many calls have come and gone, when each has a Start and a Stop."""
        calls, started, stopped = self.site.radius.balance()[:3]
        return calls == started == stopped + self.scene.sessions and stopped

    def stayed(self, *numbers):
        """The BGP sessions of these members went on all the time."""
        assert not self.watch.flapped(but={m.number for m in self.site.members} - set(numbers))

    def others(self, *members):
        return [m.number for m in self.site.members if m not in members]


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    stage = cluster.Stage(lambda: Scene(tmp_path_factory))
    yield stage
    stage.close()


@pytest.fixture
def scene(stage):
    return stage.get()


@pytest.fixture
def own(stage, tmp_path_factory):
    """Makes a scene for one test alone."""
    stage.close()
    scenes = []

    def make(**kwargs):
        scenes.append(Scene(tmp_path_factory, **kwargs))
        return scenes[-1]
    yield make
    for scene in scenes:
        scene.close()


def run_on(seconds):
    """Let load and churn go on; not a wait for anything."""
    time.sleep(seconds)


def two_masters(site):
    """Wait until each part of a cluster that is in two has one."""
    wait_for(lambda: list(site.roles().values()).count("master") == 2, "two masters")


def new_master(site, old, timeout=30):
    """Wait until one of the others is master; how long that took."""
    began = time.monotonic()
    wait_for(lambda: [m for m, role in site.roles().items() if role == "master" and m is not old], "a new master", timeout)
    return time.monotonic() - began


@contextlib.contextmanager
def befallen(scene, begin, end, **kwargs):
    """A trial with a fault that is over behind the block; no BGP session notices it. `kwargs`: of the Trial."""
    with Trial(scene, **kwargs) as trial:
        begin()
        try:
            yield trial
        finally:
            end()
        scene.site.settle()
    trial.stayed(1, 2, 3)


def each(members, what, *args):
    """Does so with each of them, when it is called."""
    return lambda: [getattr(m, what)(*args) for m in members]


def test_slave_killed(scene):
    site = scene.site
    with Trial(scene) as trial:
        victim = site.slaves[0]
        victim.kill()
        site.settle()
        trial.stayed(*trial.others(victim))
        victim.start()
        site.settle()
    trial.stayed(*trial.others(victim))


def test_master_killed(scene):
    site = scene.site
    with Trial(scene) as trial:
        victim = site.master
        victim.kill()
        print("a new master after %.2f s" % new_master(site, victim))
        site.settle()
        victim.start()
        site.settle()
    trial.stayed(*trial.others(victim))


def test_master_stopped(scene):
    site = scene.site
    with Trial(scene, gap=0) as trial:
        victim = site.master
        victim.stop()
        print("a new master after %.2f s" % new_master(site, victim))
        site.settle()
        victim.start()
        site.settle()
    trial.stayed(*trial.others(victim))


def test_slave_stopped(scene):
    site = scene.site
    with Trial(scene, gap=0) as trial:
        victim = site.slaves[0]
        victim.stop()
        site.settle()
        victim.start()
        site.settle()
    trial.stayed(*trial.others(victim))


@pytest.mark.parametrize("seconds", [5, pytest.param(30, marks=pytest.mark.long)])
def test_master_frozen(scene, seconds):
    site = scene.site
    victim = site.master
    with befallen(scene, victim.freeze, victim.thaw):
        print("a new master after %.2f s" % new_master(site, victim))
        site.settle()
        run_on(seconds)


@pytest.mark.parametrize("seconds", [5, pytest.param(30, marks=pytest.mark.long)])
@pytest.mark.parametrize("who, how", [("master", "part"), ("slave", "unplug")])
def test_partition(scene, who, how, seconds):
    """A member hears nobody, without and with loss of carrier; it goes on alone, and joins the others again."""
    site = scene.site
    victim = site.master if who == "master" else site.slaves[0]
    with befallen(scene, getattr(victim, how), victim.rejoin):
        two_masters(site)
        run_on(seconds)


@pytest.mark.parametrize("seconds", [10, pytest.param(60, marks=pytest.mark.long)])
def test_loss(scene, seconds):
    """A fifth of all messages between members is lost."""
    site = scene.site
    with befallen(scene, each(site.members, "lose", 20), each(site.members, "lose", 0), gap=0) as trial:
        run_on(seconds)
        assert site.drawing()
    assert trial.watch.changes <= 4  # 100 in a minute, once


def test_slave_not_heard(scene):
    """It hears the master, which does not hear it: it withdraws, and takes nothing over."""
    site = scene.site
    master, victim = site.master, site.slaves[0]
    with befallen(scene, victim.mute, victim.speak):
        began = time.monotonic()
        wait_for(lambda: not victim.show()["draws_traffic"], "its withdrawal")
        print("withdrawn after %.2f s" % (time.monotonic() - began))
        run_on(3)
        assert site.master is master
    assert site.master is master


def test_master_not_heard(scene):
    """It hears the slaves, which elect another: it steps down at once, and offers what it did alone when it is heard. A call
    that is half set up then, with none of its messages known to the new master, may fail."""
    site = scene.site
    victim = site.master
    with befallen(scene, victim.mute, victim.speak, failing=cluster.Churn.RATE // 10):
        print("a new master after %.2f s" % new_master(site, victim))
        began = time.monotonic()
        wait_for(lambda: victim.role == "slave", "the end of the old one's part")
        print("the old one steps down %.2f s later" % (time.monotonic() - began))
        run_on(5)


def test_narrow_link(scene):
    """1 Mbit/s among the members is not enough for this load: they lag, and recover by themselves."""
    site = scene.site
    with befallen(scene, each(site.members, "narrow", "1mbit"), each(site.members, "narrow")):
        run_on(10)
        print("up to date: %s" % {m.number: m.up_to_date() for m in site.members})


def test_link_down_and_up(scene):
    """The cluster interface of a slave, and of the master, is taken down for a while."""
    site = scene.site
    with Trial(scene) as trial:
        for victim in site.slaves[0], site.master:
            victim.ns.ip("link set dev link down")
            two_masters(site)
            run_on(2)
            victim.ns.ip("link set dev link up")
            site.settle()
    trial.stayed(1, 2, 3)


def test_last_one_serves(scene):
    """Both slaves die at once: the master draws traffic again, and stops that when there is one more."""
    site = scene.site
    with Trial(scene) as trial:
        last, victims = site.master, site.slaves
        for victim in victims:
            victim.kill()
        site.settle()
        assert site.routes() == ({last.outer}, {last.inner})
        victims[0].start()
        site.settle()
        assert site.routes() == ({victims[0].outer}, {victims[0].inner})
        victims[1].start()
        site.settle()
    trial.stayed(last.number)


def test_rolling_restart(scene):
    site = scene.site
    with Trial(scene, gap=0):
        for member in site.members:
            member.stop()
            site.settle()
            member.start()
            site.settle()


# ---------------------------------------------------------------- what comes over the link from others


class Snapshot:
    """What no foreign message may change, and the counters that tell of it."""

    def __init__(self, site):
        self.site = site
        self.state = self._state()
        self.counts = {m: m.counters() for m in site.members}

    def _state(self):
        site = self.site
        return site.roles(), site.routes(), {m: m.sessions() for m in site.members}

    def unchanged(self):
        """Nothing is changed; yields by how much each cluster counter has grown, over all members."""
        assert self._state() == self.state
        assert self.site.settled()
        grown = {}
        for m, before in self.counts.items():
            for name, value in m.counters().items():
                if name.startswith("cluster_") and value > before.get(name, 0):
                    grown[name] = grown.get(name, 0) + value - before.get(name, 0)
        return grown


@pytest.fixture
def wire(scene):
    wire = clwire.Wire(scene.site)
    yield wire
    wire.close()


def heard_frames(scene, wire, seconds=2):
    """Real messages of many kinds: calls come and go meanwhile."""
    wire.frames()
    scene.rounds += 1
    with cluster.Churn(scene.site, scene.rounds, first=scene.churned) as churn:
        run_on(seconds)
    scene.churned += churn.made
    scene.site.settle()
    same_sessions(scene)
    frames = wire.frames()
    kinds = collections.Counter(clwire.head_of(clwire.payload_of(f)).kind for f in frames)
    print("heard kinds:", dict(kinds))
    assert kinds[clwire.HEARTBEAT] and kinds[clwire.CHANGE]
    return frames


def bursts(things, size=200):
    """In parts, with a little time between: nobody's socket overflows."""
    for at in range(0, len(things), size):
        yield things[at:at + size]
        time.sleep(0.02)


def inject(wire, frames):
    for some in bursts(frames):
        for frame in some:
            wire.inject(frame)


def test_replayed(scene, wire):
    """Every message again, and all of them twice more in another order."""
    frames = heard_frames(scene, wire)
    before = Snapshot(scene.site)
    inject(wire, frames)
    random.Random(1).shuffle(frames)
    inject(wire, frames + frames)
    run_on(1)
    print("counted:", before.unchanged())


def test_replayed_of_a_former_life(scene, wire):
    """Messages of a member that has been restarted since, its own last words among them."""
    site = scene.site
    victim = site.slaves[0]
    frames = [f for f in heard_frames(scene, wire) if f[clwire.ETH + 12:clwire.ETH + 16] == socket.inet_aton(victim.link)]
    victim.stop()
    frames += [f for f in wire.frames() if f[clwire.ETH + 12:clwire.ETH + 16] == socket.inet_aton(victim.link)]
    victim.start()
    site.settle()
    before = Snapshot(site)
    inject(wire, frames * 2)
    run_on(1)
    print("counted:", before.unchanged())


def test_truncated(scene, wire):
    """Of each kind one message, cut at each length."""
    frames = {clwire.head_of(clwire.payload_of(f)).kind: f for f in heard_frames(scene, wire)}
    before = Snapshot(scene.site)
    cut = [clwire.respoken(f, clwire.payload_of(f)[:n]) for f in frames.values()
           for n in range(0, len(clwire.payload_of(f)))]
    inject(wire, cut)
    run_on(1)
    print("%d messages cut; counted: %s" % (len(cut), before.unchanged()))


def mutants(frame, rng, count):
    payload = clwire.payload_of(frame)
    for _ in range(count):
        new = bytearray(payload)
        for _ in range(rng.randint(1, 4)):
            new[rng.randrange(len(new))] ^= 1 << rng.randrange(8)
        if new != payload:
            yield clwire.respoken(frame, bytes(new))


def test_mutated(scene, wire):
    """Single bits changed: the signature fails."""
    rng = random.Random(2)
    frames = heard_frames(scene, wire)
    before = Snapshot(scene.site)
    bad = [m for f in rng.sample(frames, min(len(frames), 300)) for m in mutants(f, rng, 10)]
    inject(wire, bad)
    run_on(1)
    grown = before.unchanged()
    print("%d messages changed; counted: %s" % (len(bad), grown))
    assert sum(grown.values()) > 0


def master_heartbeat(incarnation, counter, term, key, address):
    fields = clwire.field(2, 1) + clwire.field(3, 3) + clwire.field(4, 10**9) + clwire.field(5, 10**12) \
        + clwire.field(6, 10**6) + clwire.field(7, socket.inet_aton(address)) + clwire.field(12, incarnation)
    return clwire.message(clwire.HEARTBEAT, incarnation, counter, term, fields, key)


@pytest.mark.parametrize("key", [None, "another secret"])
def test_forged(scene, wire, key):
    """A master of a high term, and the end of the master there is; unsigned and with another key, under a new name
    and that of a member."""
    site = scene.site
    real = [f for f in heard_frames(scene, wire) if clwire.head_of(clwire.payload_of(f)).kind == clwire.HEARTBEAT]
    before = Snapshot(site)
    for n in range(1, 200):
        wire.say(master_heartbeat(0x1234567890, n, 1000, key, clwire.STRANGER))
    for frame in real[-3:]:
        head = clwire.head_of(clwire.payload_of(frame))
        source = socket.inet_ntoa(frame[clwire.ETH + 12:clwire.ETH + 16])
        for n in range(1, 50):
            for lie in (master_heartbeat(head.incarnation, head.counter + 1000 + n, head.term + 1, key, source),
                        clwire.message(clwire.LEAVE, head.incarnation, head.counter + 2000 + n, head.term, b"", key)):
                wire.inject(clwire.respoken(frame, lie))
    run_on(1)
    grown = before.unchanged()
    print("counted:", grown)
    assert sum(grown.values()) > 0
    assert not wire.heard(), "a forger got an answer"


def test_stranger_with_the_key_and_no_proof(scene, wire):
    """Who has the key but was never admitted is asked for a proof, not heard; and is not asked without end."""
    before = Snapshot(scene.site)
    for n in range(1, 1001):
        wire.say(master_heartbeat(0x1234567891, n, 1000, cluster.SECRET, clwire.STRANGER))
    run_on(1)
    answers = wire.heard()
    assert {clwire.head_of(a).kind for a in answers} == {clwire.CHALLENGE}
    assert len(answers) < 300, len(answers)
    print("%d challenges; counted: %s" % (len(answers), before.unchanged()))


def nonsense(frames, rng, count, each):
    """Mutants of so many of the frames, signed as their senders would, with counters that were not heard yet."""
    ahead = collections.Counter()
    for frame in rng.sample(frames, min(len(frames), count)):
        good = clwire.head_of(clwire.payload_of(frame))
        for mutant in mutants(frame, rng, each):
            body = bytearray(clwire.payload_of(mutant)[:-clwire.MAC])
            ahead[good.incarnation] += 1
            struct.pack_into("!QQQ", body, 8, good.incarnation, good.receiver, good.counter + 100 + ahead[good.incarnation])
            body[3] = good.kind
            yield clwire.respoken(mutant, clwire.sign(bytes(body), cluster.SECRET))


def test_nonsense_of_a_member(scene, wire):
    """Messages of a member with bits changed and signed anew, as a defective one would send them: nobody ends. If somebody
    does, the last lines say of what: who said it to whom, and the message without its signature."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    frames = heard_frames(scene, wire)
    scene.site.check()
    for some in bursts(list(nonsense(frames, random.Random(seed), 500, 4)), 100):
        for frame in some:
            wire.inject(frame)
        if len(scene.site.living()) < len(scene.site.members):
            print(*("%s %s %s" % (*clwire.ends_of(f), clwire.payload_of(f)[:-clwire.MAC].hex()) for f in some), sep="\n")
            break
    run_on(1)
    scene.site.check()


def carried(member):
    """Octets from and to all subscribers, as it knows them."""
    shown = json.loads("\n".join(member.lns.run("show session json")))
    return sum(one["uploaded_bytes"] for one in shown), sum(one["downloaded_bytes"] for one in shown)


def same_counts(site):
    """All know the same octets of all sessions: which?"""
    try:
        return wait_for(lambda: len({carried(m) for m in site.members}) == 1 and carried(site.master), "the same counts")
    except Timeout:
        raise AssertionError("octets up and down: %s, master is %s" % (
            {str(m): carried(m) for m in site.members}, site.master)) from None


def split(site):
    """Two masters for a while."""
    loser = site.master
    loser.part()
    two_masters(site)
    run_on(2)
    loser.rejoin()
    site.settle()


@pytest.mark.parametrize("splits", [0, 2])
def test_books_behind_a_takeover(stage, splits):
    """The master is killed, perhaps behind partitions; later all sessions end right behind their traffic: a Stop each, and
    together they have every octet, whichever member carried it."""
    stage.close()
    scene = stage.get()
    site, radius = scene.site, scene.site.radius
    with cluster.Load(site, scene.lac, PPS) as load:
        run_on(1)
        for _ in range(splits):
            split(site)
    assert same_counts(site) == (load.size * load.up.received, load.size * load.down.received)
    victim = site.master
    victim.kill()
    site.settle()
    victim.start()
    site.settle()
    before = same_counts(site)
    stopped = {r.get(USER_NAME) for records in radius.accounts.values() for r in records if r.status == STOP}
    with cluster.Load(site, scene.lac, PPS) as load:
        run_on(2)
    assert scene.lac.do("close session=all")["ok"]
    balanced(radius, scene.sessions + scene.churned, scene.sessions + scene.churned)
    wait_for(lambda: all(not m.sessions() for m in site.living()), "the end of all sessions at all members")
    up, down = radius.carried(lambda user: user not in stopped)
    print("octets in the Stops: %d up, %d down" % (up, down))
    assert up == before[0] + load.up.received * load.size
    assert down == before[1] + load.down.received * load.size


# ---------------------------------------------------------------- plants of their own


HOLD = 3


@pytest.mark.parametrize("hold, seconds", [(HOLD, 5), (9, 5), pytest.param(HOLD, 30, marks=pytest.mark.long)])
def test_slave_frozen(own, hold, seconds):
    """It holds its routes and forwards nothing until the router misses it: its share of the traffic is lost for so long.
    When it wakes it is no longer what it was, and takes part again; all count the same."""
    scene = own(hold=hold)
    site = scene.site
    with Trial(scene, gap=hold + 1) as trial:
        victim = site.slaves[0]
        victim.freeze()
        try:
            began = time.monotonic()
            wait_for(lambda: victim.outer not in site.nexthops(cluster.VIP), "the end of its routes")
            print("hold time %d s: the router misses it after %.1f s" % (hold, time.monotonic() - began))
            run_on(seconds)
        finally:
            victim.thaw()
        site.settle()
        run_on(3)
    assert trial.watch.changes <= 2, "it flaps"
    trial.stayed(*trial.others(victim))
    same_counts(site)


@pytest.mark.parametrize("seconds", [5])
def test_slave_frozen_for_less_than_the_hold_time(own, seconds):
    """Its share is lost for as long as it stands; the router does not notice."""
    scene = own(hold=90)
    victim = scene.site.slaves[0]
    with befallen(scene, victim.freeze, victim.thaw, gap=seconds):
        run_on(seconds)
    same_counts(scene.site)


def test_two_members(own):
    """The same cluster of two: each fault leaves one."""
    scene = own(count=2, first=2)
    site = scene.site
    for what, gap in ("kill", TAKEOVER), ("stop", 0), ("freeze", TAKEOVER), ("part", TAKEOVER):
        with Trial(scene, gap=gap):
            victim = site.master
            getattr(victim, what)()
            print(what, "a new master after %.2f s" % new_master(site, victim))
            {"freeze": victim.thaw, "part": victim.rejoin}.get(what, victim.start)()
            site.settle()


def test_all_stopped_at_once(own):
    """Nobody takes over: the master keeps the Stops, once each, and sends them when it is master again."""
    scene = own()
    site = scene.site
    for member in site.members:
        member.lns.process.send_signal(signal.SIGTERM)
    for member in site.members:
        assert member.lns.process.wait(20) == 0
    keepers = [m for m in site.members if "a Stop of %d sessions too" % scene.sessions in m.lns.log]
    assert len(keepers) == 1
    site.start_members(keepers)
    site.start_members([m for m in site.members if m not in keepers])
    balanced(site.radius, scene.sessions, scene.sessions)
    assert site.radius.balance()[3] == 0
    calls_again(site)


def test_all_killed_at_once(own):
    """What there was is lost; the cluster is there again, as on the first day."""
    scene = own()
    site = scene.site
    for member in site.members:
        member.kill()
    site.start_members()
    calls_again(site)


def calls_again(site):
    lac = CLac(site.lac, cluster.VIP)
    assert lac.do("tunnel count=2 port=0")["ok"]
    assert lac.do("session count=50 user=anew%d")["up"] == "50"
    got = lac.do("ping session=all to=%s" % cluster.CORE)
    assert got["received"] == "50", got


def test_member_cut_off(own):
    """A member that draws traffic loses both its networks without a word: the router misses it after the hold time."""
    scene = own(hold=HOLD)
    site = scene.site
    with Trial(scene, gap=HOLD + 1) as trial:
        victim = site.slaves[0]
        victim.cut()
        wait_for(lambda: site.nexthops(cluster.VIP) and victim.outer not in site.nexthops(cluster.VIP), "the end of its routes")
        run_on(1)
        victim.mend()
        site.settle()
    trial.stayed(*trial.others(victim))


def test_frr(own):
    """The same with FRR as the router: a slave killed, the master killed, the next one stopped."""
    scene = own(router=cluster.Frr, second=cluster.Bird)
    site = scene.site
    for gap, fault in (TAKEOVER, "kill slave"), (TAKEOVER, "kill master"), (0, "stop master"):
        with Trial(scene, gap=gap) as trial:
            victim = site.slaves[0] if "slave" in fault else site.master
            victim.stop() if "stop" in fault else victim.kill()
            site.settle()
            victim.start()
            site.settle()
        trial.stayed(*trial.others(victim))


def test_master_draws_with_too_few_slaves(own):
    """cluster_master_min_adv: with less than so many slaves the master draws traffic itself."""
    scene = own(settings={"cluster_master_min_adv": 2})
    site = scene.site
    assert site.routes() == tuple({getattr(m, side) for m in site.slaves} for side in ("outer", "inner"))
    with Trial(scene, gap=0):
        site.slaves[0].stop()
        site.settle()
        assert site.nexthops(cluster.VIP) == {m.outer for m in site.living()}
        next(m for m in site.members if not m.running()).start()
        site.settle()
        assert site.nexthops(cluster.VIP) == {m.outer for m in site.slaves}


@pytest.mark.parametrize("many", [5000, pytest.param(50000, marks=pytest.mark.long)])
def test_joins_many_sessions(own, many):
    """A third member starts where two hold so many sessions: it is up to date within 10 s, while traffic flows."""
    scene = own(sessions=many, first=2, radius=cluster.FastRadius, settings={"debug": 1})
    site = scene.site
    late = site.members[2]
    with cluster.Load(site, scene.lac, PPS) as load:
        began = time.monotonic()
        late.start()
        wait_for(late.up_to_date, "an up-to-date third member")
        took = time.monotonic() - began
        site.settle()
        run_on(1)
    print("up to date after %.1f s; up: %s; down: %s" % (took, load.up, load.down))
    assert took < 10
    assert (load.up.lost, load.down.lost) == (0, 0)
    assert late.show()["highest_session"] == site.master.show()["highest_session"]
    late.kill() if late is site.master else site.master.kill()
    site.settle()
    got = scene.lac.do("ping session=all to=%s timeout=10000" % cluster.CORE)
    assert got["received"] == str(many), got


DEFAULT = {"cluster_hb_interval": 5, "cluster_hb_timeout": 150}


@pytest.mark.long
def test_default_timers_planned(own):
    """Each member in turn is stopped and started again, and a slave is killed: no packet is lost by a stop."""
    scene = own(settings=DEFAULT)
    site = scene.site
    for member in site.members:
        with Trial(scene, gap=0):
            member.stop()
            site.settle(60)
            member.start()
            site.settle(60)
    with Trial(scene) as trial:
        victim = site.slaves[0]
        victim.kill()
        site.settle(60)
        victim.start()
        site.settle(60)
    trial.stayed(*trial.others(victim))


@pytest.mark.long
def test_default_timers_loss(own):
    scene = own(settings=DEFAULT)
    site = scene.site
    with Trial(scene, gap=0) as trial:
        for member in site.members:
            member.lose(20)
        run_on(60)
        for member in site.members:
            member.lose(0)
        site.settle(60)
    assert trial.watch.changes <= 4
    trial.stayed(1, 2, 3)


@pytest.mark.long
@pytest.mark.parametrize("fault", ["kill", "freeze", "part"])
def test_default_timers(own, fault):
    """The master is missed after 15 s; traffic goes on through the slaves all the time."""
    scene = own(settings=DEFAULT)
    site = scene.site
    with Trial(scene) as trial:
        victim = site.master
        getattr(victim, fault)()
        print("a new master after %.2f s" % new_master(site, victim, 40))
        if fault == "freeze":
            run_on(15)
            victim.thaw()
        elif fault == "part":
            run_on(15)
            victim.rejoin()
        else:
            victim.start()
        site.settle(60)
    trial.stayed(*trial.others(victim))
