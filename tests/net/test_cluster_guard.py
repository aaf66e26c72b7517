"""Who is heard on the cluster's link: what a stranger, or a recorder of real messages, can do with and without a secret."""

import collections
import json
import socket
import struct
import time

import pytest

import clwire
import pylac
from members import OUTER, VIP, Network, Trio, all_up, held, wait_all
from netns import wait_for

KEY = "among us"
COUNT_RECORD = 6


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


def test_a_proof_of_a_former_life(trio, wire):
    """It is a few seconds old, and its nonce still good: it does not put the dead in the place of the living."""
    late = trio.slaves()[0]
    late.kill()
    wire.frames()
    late.start()
    trio.wait()
    proofs = [f for f in wire.frames() if clwire.head_of(clwire.payload_of(f)).kind == clwire.PROOF
              and clwire.ends_of(f)[0] == late.address]
    assert len(proofs) >= 2
    late.kill()
    late.start()
    trio.wait()
    still = Still(trio)
    others_ = [m for m in trio.members if m is not late]
    logs = {m: len(m.lns.log) for m in others_}
    for frame in proofs * 5:
        wire.inject(frame)
    for m in others_:
        wait_for(lambda: still.grown(m)["cluster_replayed"] >= 5, "proofs that are too old")
        assert "is gone" not in "".join(m.lns.log[logs[m]:])
    still.check()


# ---------------------------------------------------------------- a member that errs


@pytest.fixture
def rogue(trio, wire):
    one = clwire.Rogue(wire, KEY)
    one.join(3)
    return one


def others(trio):
    """What members say of each other, without the rogue."""
    return [(s["status"], s["term"], s["master"], s["up_to_date"], sum(p["address"] != clwire.STRANGER for p in s["peers"]))
            for s in (m.show() for m in trio.members)]


def call(trio, user, through=None):
    lac = pylac.Lac(Network(trio))
    trio.through(through or trio.master())
    session = lac.tunnel().session().up(user, "pw")
    session.ping(VIP)
    wait_all(trio, lambda m: bool(held(m, user)), True)
    return session


def settled(trio):
    """As Trio.settled(), whoever else is in the lists of peers."""
    shows = [m.show() for m in trio.alive()]
    masters = [s for s in shows if s["status"] == "master"]
    return len(masters) == 1 and all(s["up_to_date"] and s["master"] == masters[0]["master"] for s in shows)


def test_a_flood_of_resends(trio, rogue):
    """Asking is cheap: what is answered to one asker is limited, and the others do not notice."""
    call(trio, "joe")
    master = trio.master()
    before, state = master.counters(), others(trio)
    began = time.monotonic()
    for n in range(3000):
        rogue.say(clwire.RESEND, clwire.field(14, 1) + clwire.field(15, 100000), to=master.address)
        if n % 50 == 49:
            rogue.listen()
            rogue.heartbeat()
    wait_for(lambda: grown(master, before)["cluster_too_often"] > 0, "a limit")
    took = (time.monotonic() - began) * 1000
    assert grown(master, before)["cluster_resent"] <= 1024 + 10 * took + 100
    call(trio, "sue")
    assert others(trio) == state


def test_a_flood_of_synchronisations(trio, rogue):
    call(trio, "joe")
    master = trio.master()
    before, state = master.counters(), others(trio)
    began = time.monotonic()
    for n in range(3000):
        rogue.say(clwire.SYNC_ASK, clwire.field(16, n + 1), to=master.address)
        if n % 50 == 49:
            rogue.listen()
            rogue.heartbeat()
    wait_for(lambda: grown(master, before)["cluster_too_often"] > 0, "a limit")
    took = time.monotonic() - began
    assert grown(master, before)["cluster_syncs"] <= 10 * took + 2
    call(trio, "sue")
    assert others(trio) == state


def test_a_packet_is_handed_on_once(trio, rogue):
    """Two slaves that take each other for the master: what one hands on ends at the other."""
    call(trio, "joe")
    slave = trio.slaves()[0]
    before = {m: m.counters() for m in trio.members}
    payload = clwire.field(19, 1) + clwire.field(20, b"\x0a\x0b\0\x64") + clwire.field(21, 1701) \
        + clwire.field(22, b"\x0a\x63\0\1") + clwire.field(23, 1701) + clwire.field(24, b"\xc8\2\0\14" + bytes(8))
    for _ in range(100):
        rogue.say(clwire.FORWARD, payload, to=slave.address)
    wait_for(lambda: grown(slave, before[slave])["forward_not_master"] == 100, "100 packets that are dropped")
    for m, was in before.items():
        assert not grown(m, was)["cluster_forwarded"]


def test_a_name_is_no_terminal_control(trio, rogue):
    """It is shown and logged, but not as it is."""
    rogue.host = b"\x1b[2J\r\nnice"
    rogue.heartbeat()
    member = trio.members[0]
    wait_for(lambda: "nice" in "\n".join(member.lns.run("show cluster")), "its name")
    shown = "\n".join(member.lns.run("show cluster"))
    assert "\x1b" not in shown and "\r" not in shown, repr(shown)


@pytest.mark.parametrize("role, flags", [(0, 0), (0, 3), (1, 3)])
def test_the_highest_term(trio, rogue, role, flags):
    """Somebody has the last term there is. Elections go on, and no session is lost."""
    joe = call(trio, "joe")
    for _ in range(20):
        rogue.heartbeat(role=role, flags=flags, master=rogue.incarnation if role else 0, term=0xffffffff)
        time.sleep(0.02)
    wait_for(lambda: settled(trio) and trio.master(), "a master", 20)  # the rogue is silent now
    assert trio.master().show()["term"] == 0xffffffff
    assert all(bool(held(m, "joe")) for m in trio.members)
    for _ in range(2):
        old = trio.master()
        old.kill()
        wait_for(lambda: settled(trio) and trio.master(), "another master", 20)
        assert trio.master() is not old
        trio.through(trio.master())
        joe.ping(VIP)
        old.start()
        wait_for(lambda: settled(trio) and len(trio.slaves()) == 2, "three members", 20)
        for m in trio.members:
            assert held(m, "joe")
    call(trio, "sue")


@pytest.mark.parametrize("what", ["version", "seq", "base"])
def test_numbers_at_their_end(trio, rogue, what):
    """A slave that says so in its heartbeats stops no change from being told, now and behind a takeover."""
    for _ in range(20):
        rogue.heartbeat(flags=3, master=rogue.members[trio.master().address], **{what: 2**64 - 1})
        time.sleep(0.02)
    state = others(trio)
    call(trio, "joe")
    assert others(trio) == state
    trio.master().kill()
    wait_for(lambda: settled(trio) and trio.master(), "another master", 20)
    call(trio, "sue")


def test_a_flood_of_strangers(trio, wire):
    """Of very many incarnations, all with the key: a member that starts is admitted in the midst of it, and no memory
    is kept of any of them."""
    call(trio, "joe")
    master, late = trio.master(), trio.slaves()[0]

    def flood():
        for n in range(500):
            wire.say(clwire.message(clwire.HEARTBEAT, n * 1000003 + 7, 1, 5, clwire.field(8, b"x" * 60), KEY))
        wire.heard()

    def memory():
        with open("/proc/%d/status" % master.lns.process.pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
    flood()
    had, before, began = memory(), master.counters(), time.monotonic()
    late.kill()
    late.start()
    while not trio.settled():
        flood()
        assert time.monotonic() < began + 20, "no longer admitted"
    while grown(master, before)["cluster_not_admitted"] < 20000:
        flood()
    took = time.monotonic() - began
    counted = grown(master, before)
    print("%.1f s; %s" % (took, dict(counted)))
    assert counted["cluster_challenged"] <= 10 * took + 30
    assert memory() <= had + 1024
    assert held(late, "joe")


def test_another_format(trio, wire):
    """A message of a release that speaks otherwise: counted."""
    still = Still(trio)
    body = bytearray(clwire.message(clwire.HEARTBEAT, 99, 1, 100, bytes(200)))
    for number in range(256):
        body[2] = number
        wire.say(clwire.sign(bytes(body), KEY) if number % 2 else bytes(body))
    for m in trio.members:
        wait_for(lambda: still.grown(m)["cluster_other_format"] == 255, "all formats but ours")
    still.check()


# ---------------------------------------------------------------- without a secret


def test_only_the_clusters_interface_is_heard(trio, wire):
    """With or without a secret: not a word that comes by another one, to whichever of its addresses."""
    member = trio.members[0]
    before = member.counters()["cluster_bad_hmac"]
    trio.through(member)
    trio.lac.ip("route add %s/32 via %s" % (member.address, OUTER % member.number))
    with trio.lac.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for address in OUTER % member.number, member.address, VIP:
            for n in range(10):
                sock.sendto(clwire.message(clwire.HEARTBEAT, 77, n + 1, 5, bytes(100)), (address, clwire.PORT))
    wire.say(clwire.message(clwire.HEARTBEAT, 77, 99, 5, bytes(100)))
    wait_for(lambda: member.counters()["cluster_bad_hmac"] > before, "what came by the right one")
    assert member.counters()["cluster_bad_hmac"] == before + 1


def heartbeat_frame(wire, trio):
    wire.frames()
    return wait_for(lambda: next((f for f in wire.frames() if clwire.head_of(clwire.payload_of(f)).kind ==
                                  clwire.HEARTBEAT), None), "a heartbeat")


def test_only_the_own_network_is_heard_without_a_secret(plant):
    """What comes from beyond it is dropped, on the same link as well; who is near is asked to prove himself."""
    trio = plant({"cluster_secret": ""})
    wire = clwire.Wire(trio)
    assert "cluster_secret is not set" in "".join(trio.members[0].lns.log)
    still = Still(trio)
    real = heartbeat_frame(wire, trio)
    for source in "10.13.1.5", "192.0.2.1", "127.0.0.1":
        for n in range(10):
            frame = bytearray(real)
            frame[clwire.ETH + 12:clwire.ETH + 16] = socket.inet_aton(source)
            wire.inject(clwire.respoken(bytes(frame), clwire.message(clwire.HEARTBEAT, 77, n + 1, 1000, bytes(100))))
    slave = trio.slaves()[0]
    wait_for(lambda: still.grown(slave)["cluster_far"] >= 20, "what came from afar")
    assert not still.grown(slave)["cluster_challenged"]
    wire.heard()
    wire.say(clwire.message(clwire.HEARTBEAT, 78, 1, 1000, clwire.field(8, b"x" * 60)))
    answer = wait_for(lambda: wire.heard(), "challenges")
    assert {clwire.head_of(a).kind for a in answer} == {clwire.CHALLENGE}
    wire.say(clwire.message(clwire.HEARTBEAT, 79, 1, 1000, clwire.field(8, b"x" * 60), KEY))  # signed: another cluster's
    wait_for(lambda: still.grown(slave)["cluster_bad_hmac"] > 0, "another key")
    still.check()
    wire.close()


@pytest.mark.parametrize("secret, ttl", [(KEY, 4), ("", 1)])
def test_ttl_needs_a_secret(plant, secret, ttl):
    trio = plant({"cluster_secret": secret, "cluster_mcast_ttl": 4})
    wire = clwire.Wire(trio)
    assert heartbeat_frame(wire, trio)[clwire.ETH + 8] == ttl
    told = "cluster_mcast_ttl 4 needs a cluster_secret: 1 is used"
    assert (told in "".join(trio.members[0].lns.log)) == (not secret)
    wire.close()


MANY = 100


def sessions_of(member):
    return json.loads("\n".join(member.lns.run("show session json")))


def count_of(session, incarnations):
    """A COUNT record: what members of these names are said to have counted for a session."""
    record = struct.pack("!BBIQ", COUNT_RECORD, 0, session["id"], 0) + clwire.field(1, session["unique_id"])
    for incarnation in incarnations:
        record += clwire.field(8, struct.pack("!Q4B", incarnation, 100, 1, 100, 1))
    return clwire.field(1, record)


def test_more_members_than_ever_were(trio, wire, rogue):
    """A COUNT names incarnations, in twos, as restarts do over the months, and nonsense at once: there are places for so many,
    and none ends for want of another."""
    call(trio, "joe")
    session, = sessions_of(trio.master())
    for n in range(MANY):
        rogue.say(clwire.COUNT, count_of(session, [2 * n + 1, 2 * n + 2]))

    def heard(m):
        m.lns.check()
        return sessions_of(m)[0]["uploaded_bytes"] >= 200 * MANY
    wait_for(lambda: all(heard(m) for m in trio.members), "all to have heard")
