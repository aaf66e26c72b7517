"""What is left of a cluster that was in two parts: sessions, addresses, books and the word of who was master where."""

import time

import fakeradius
import pylac
import pytest
from members import LAC, RADIUS, VIP, Network, Trio, all_up, held
from netns import Timeout, wait_for
from test_cluster_stops import Books

USERS = ["user%d" % n for n in range(24)]
NAMES = ["stays", "leaves", "dies", "comes", "one", "two", *("%s%d" % (name, n) for name in "ab" for n in range(4))]


@pytest.fixture
def plant(tmp_path_factory):
    plants = []

    def make(settings=None, **kwargs):
        plant = Trio(tmp_path_factory, settings, **kwargs)
        plants.append(plant)
        for m in plant.members:
            m.lns.write("local_users", "".join("%s * pw\n" % user for user in USERS + NAMES))
        return plant
    yield make
    for plant in plants:
        plant.close()


def masters(trio):
    return [m for m in trio.alive() if m.show()["status"] == "master"]


def on_all(trio, user):
    """All members hold this session, as one."""
    wait_for(lambda: len({held(m, user) for m in trio.alive()}) == 1 and held(trio.alive()[0], user), user + " on all")


def test_masters_that_began_with_different_tables(plant):
    """The old master dies and the others have lost each other; one of them had not heard its last changes. It loses,
    and what it did itself is numbered as those changes were."""
    trio = plant({"cluster_hb_timeout": 50})
    old = all_up(trio)
    behind, ahead = trio.slaves()
    trio.through(old)
    lac = pylac.Lac(Network(trio))
    tunnel = lac.tunnel()
    tunnel.session().up(USERS[0], "pw")
    on_all(trio, USERS[0])
    behind.part()
    for user in USERS[1:21]:
        tunnel.session().up(user, "pw")
    wait_for(lambda: held(ahead, USERS[20]), "the last one at who is ahead")
    assert not held(behind, USERS[1])
    old.kill()
    wait_for(lambda: len(masters(trio)) == 2, "two masters", 30)
    trio.through(behind)
    other = pylac.Lac(Network(trio))
    late = other.tunnel().session().up(USERS[21], "pw")
    assert behind.show()["table_version"] < ahead.show()["table_version"]
    behind.rejoin()
    assert trio.wait(30) is ahead
    on_all(trio, USERS[21])
    for m in trio.alive():
        trio.through(m)
        late.ping("10.99.0.1")
    lac.close()
    other.close()


# ---------------------------------------------------------------- long ones, by a stepped clock

STEP = 12  # seconds; cluster_hb_timeout is longer, so that nobody thinks his loop stood still
LONG = {"cluster_hb_timeout": 150, "hello_interval": 10, "echo_timeout": 10, "idle_echo_timeout": 60,
        "radius_accounting": True, **RADIUS}
SECOND_LAC = "10.11.0.101"


class Side:
    """A LAC whose packets go to one member, and the subscribers behind it."""

    def __init__(self, trio, member, address=LAC):
        self.trio, self.address = trio, address
        self.towards(member)
        self.lac = pylac.Lac(Network(trio), address=address)
        self.tunnel = self.lac.tunnel(host="lac" + address)

    def towards(self, member):
        if self.address == LAC:
            self.trio.through(member)
        else:
            self.trio.lac.ip("route replace %s/32 via 10.11.0.%d table 101" % (VIP, member.number))

    def dial(self, user):
        return self.tunnel.session().up(user, "pw")

    def listen(self, seconds=0.05):
        """Answer all that has come, however long we were not at our turn."""
        end = time.monotonic() + seconds
        while self.lac.pump(end - time.monotonic()) or time.monotonic() < end:
            pass
        self.tunnel.resend()


@pytest.fixture
def aged(plant):
    trio = plant(LONG, clock=True)
    trio.lac.ip("addr add %s/24 dev br0" % SECOND_LAC, "rule add from %s lookup 101" % SECOND_LAC)
    trio.books = Books(trio)
    for m in trio.members:
        m.lns.ahead = [0, 0]
    all_up(trio)
    yield trio


def answered(trio):
    """No record is under way, which would be sent again for the clock's sake."""
    wait_for(lambda: all(m.counters()["acct_queued"] == 0 for m in trio.alive()), "the answers to all records")


def pass_by(trio, seconds, *sides):
    """So much time passes for all members, a step each, while the LACs answer."""
    for _ in range(0, seconds, STEP):
        answered(trio)
        trio.step(STEP)
        for side in sides:
            side.listen()


def become_two(trio, victim, *sides):
    """Until both sides have a master, and no longer."""
    answered(trio)
    victim.part()
    while len(masters(trio)) < 2:
        pass_by(trio, STEP, *sides)


def become_one(trio, victim, *sides):
    victim.rejoin()
    wait_for(trio.settled, "one master", 30)
    for side in sides:
        side.towards(trio.master())
        side.listen(0.2)


def kinds_by_user(trio):
    found = {}
    for r in trio.books.server.records:
        if r.status in (fakeradius.START, fakeradius.STOP):
            found.setdefault(r.get(fakeradius.USER_NAME).decode(), []).append(r.status)
    return found


def books_say(trio, **want):
    """For each user his Starts and Stops, by number."""
    want = {user: [fakeradius.START] * counts[0] + [fakeradius.STOP] * counts[1] for user, counts in want.items()}
    try:
        wait_for(lambda: kinds_by_user(trio) == want, "the books")
    except Timeout:
        raise AssertionError("%s, not %s" % (kinds_by_user(trio), want)) from None


def lengths(*cases):
    """(who is cut off, for how many minutes): the short ones always, the others in check-long."""
    return pytest.mark.parametrize("who, minutes", [
        pytest.param(*case, marks=[pytest.mark.long] if case[1] > 2 else []) for case in cases])


@lengths(("slave", 2), ("master", 2), ("slave", 5), ("master", 10), ("slave", 40))
def test_one_side_hears_no_lac(aged, who, minutes):
    """A member that is cut off hears no LAC and no subscriber for minutes. It ends nobody for that: when the cluster is
    whole again - and it may win - those who live go on, with one Stop at their end; who left meanwhile has left."""
    trio = aged
    victim = trio.master() if who == "master" else trio.slaves()[0]
    side = Side(trio, next(m for m in trio.members if m is not victim))
    stays, leaves, dies = (side.dial(user) for user in ("stays", "leaves", "dies"))
    for user in "stays", "leaves", "dies":
        on_all(trio, user)
    become_two(trio, victim, side)
    others = next(m for m in masters(trio) if m is not victim)
    side.towards(others)
    leaves.hangup()
    dies.answering = False
    comes = side.dial("comes")
    pass_by(trio, 60 * minutes, side)
    assert not held(others, "dies") and held(victim, "dies") and held(victim, "stays")
    become_one(trio, victim, side)
    print("the master is now", "who was cut off" if trio.master() is victim else "the other")
    for user in "stays", "comes":
        on_all(trio, user)
    for user in "leaves", "dies":
        wait_for(lambda: not any(held(m, user) for m in trio.members), user + " gone everywhere")
    pass_by(trio, 120, side)
    for m in trio.members:
        side.towards(m)
        for session in stays, comes:
            session.ping(VIP)
    books_say(trio, stays=(1, 0), comes=(1, 0), leaves=(1, 1), dies=(1, 1))
    stays.hangup()
    comes.hangup()
    books_say(trio, stays=(1, 1), comes=(1, 1), leaves=(1, 1), dies=(1, 1))
    assert all("cluster: members are missing" in m.lns.log for m in (victim, others))


@lengths(("slave", 2), ("master", 5))
def test_each_side_has_a_lac(aged, who, minutes):
    """Both sides serve a LAC, hear nothing of the other one, and take new calls. Ids and addresses that both have given
    are told apart when the cluster is whole: nobody is lost, the older session keeps the address, the log says so."""
    trio = aged
    victim = trio.master() if who == "master" else trio.slaves()[0]
    there = next(m for m in trio.members if m is not victim)
    one, two = Side(trio, there), Side(trio, victim, SECOND_LAC)
    sessions = {"one": one.dial("one"), "two": two.dial("two")}
    for user in "one", "two":
        on_all(trio, user)
    become_two(trio, victim, one, two)
    others = next(m for m in masters(trio) if m is not victim)
    one.towards(others)
    third = {side: side.lac.tunnel(host="new" + side.address) for side in (one, two)}
    for n in range(4):
        for name, side in ("a", one), ("b", two):
            user = "%s%d" % (name, n)
            sessions[user] = (third[side].session() if n % 2 else side.tunnel.session()).up(user, "pw")
        pass_by(trio, STEP, one, two)
    given = [sessions["%s%d" % (name, n)].address for name in "ab" for n in range(4)]
    pass_by(trio, 60 * minutes, one, two)
    become_one(trio, victim, one, two)
    for _ in range(20):
        for side in one, two:
            side.listen(0.1)
    print("addresses that both gave: %d" % (len(given) - len(set(given))))
    for user in sessions:
        on_all(trio, user)
    assert len({held(trio.master(), user)[2] for user in sessions}) == len(sessions)
    assert len({held(trio.master(), user)[0] for user in sessions}) == len(sessions)
    for m in trio.members:
        for side in one, two:
            side.towards(m)
        for session in sessions.values():
            session.ping(VIP)
    told = [line for line in trio.master().lns.log.splitlines() if "is an older session's of another master" in line]
    assert len(told) == len(given) - len(set(given)) > 0, told
    books_say(trio, **{user: (1, 0) for user in sessions})
    for session in sessions.values():
        session.hangup()
    books_say(trio, **{user: (1, 1) for user in sessions})
