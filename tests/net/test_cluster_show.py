"""`show cluster` in each state that a member can be in, for people and for programs."""

import re
import signal
import threading

from lns import Cli
from members import LINK, VIP, Trio
from netns import wait_for

# what scripts written for 2.4.1 read, in this order
OLD = ["Cluster status   ", "My address       ", "VIP address      ", "Multicast address", "UDP port         ",
       "Multicast i'face ", "Table version #  ", "Next heartbeat # ", "Highest session  ", "Highest bundle   ",
       "Highest tunnel   "]
COLUMNS = "Member Role State Uptime Heard Version Lag Sessions Tunnels Host Software".split()


class Shown:
    """`show cluster` taken apart: `own` and `peers` are rows by column, `lines` what has a colon."""

    def __init__(self, text):
        assert [line.partition(":")[0] for line in text[:11]] == OLD, text
        assert re.fullmatch(r"\d+ changes queued for sending", text[11])
        assert re.fullmatch(r"\d+ peers\.", text[12])
        self.lines = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text)}
        at = next(n for n, line in enumerate(text) if line.startswith("  Member"))
        head = text[at]
        assert head.split() == COLUMNS
        rows = [line for line in text[at + 1:] if line.strip()]
        # columns are where their heads are: text begins, numbers end there
        state = head.index("State"), head.index("Uptime") - 4
        self.rows = [dict(zip(["Mark", *COLUMNS], [
            line[0], *line[1:state[0]].split(), line[slice(*state)].strip(), *line[state[1]:].split()])) for line in rows]
        assert all(len(row) == len(COLUMNS) + 1 for row in self.rows), rows
        self.own, *self.peers = self.rows
        assert self.own["Mark"] == "*" and all(p["Mark"] == " " for p in self.peers)
        assert text[12] == "%d peers." % len(self.peers)
        assert [p["Member"] for p in self.peers] == sorted(p["Member"] for p in self.peers)

    def peer(self, member):
        return next((p for p in self.peers if p["Member"] == member.address), None)


def shown(member):
    return Shown(member.lns.run("show cluster"))


def state_seen(member, other):
    """What a member says of another."""
    row = shown(member).peer(other)
    return row and row["State"]


def test_alone(plant):
    """Who stands alone shows what 2.4.1 showed, and no more."""
    daemon = plant.lns()
    assert [line.partition(":")[0] for line in daemon.run("show cluster") if line.strip()] == [
        *OLD, "0 changes queued for sending", "0 peers."]
    daemon.stop()


def test_three_members(trio):
    for m in trio.members:
        m.start()
    master = trio.wait()
    for m in trio.members:
        wait_for(lambda: {p["State"] for p in shown(m).peers} <= {"master", "up to date"}, "peers in good state")
        text, json = shown(m), m.show()
        assert text.lines["My address"] == text.own["Member"] == m.address and text.lines["VIP address"] == VIP
        assert text.own["Host"] == "lns%d" % m.number and text.own["Heard"] == "-"
        assert [p["Member"] for p in text.peers] == [p["address"] for p in json["peers"]]
        assert all(re.fullmatch(r"\d+ms", p["Heard"]) for p in text.peers)
        assert {row["Lag"] for row in text.rows} == {"0"} and json["lag"] == 0
        assert text.lines["Term"] == str(json["term"]) == "1" and text.lines["Messages"] == "signed" and json["signed"]
        assert text.lines["State"] == text.own["State"] == json["state"] == ("master" if m is master else "up to date")
        traffic = "left to others" if m is master else "drawn"
        wait_for(lambda: shown(m).lines["Traffic"] == traffic, "traffic " + traffic)
        assert text.lines["Master"].startswith(master.address)
        assert ("heard" in text.lines["Master"]) == (m is not master)
        assert (json["master_silent_ms"] < 1000) and text.own["Software"] == text.peers[0]["Software"]
    assert [row["Role"] for m in trio.members for row in shown(m).rows if row["Member"] == master.address] == ["Master"] * 3


def test_electing(trio):
    """Who has just started, and has heard nobody, looks for a master."""
    member, seen = trio.members[0], []
    member.lns.settings["cluster_hb_timeout"] = 100  # it does so for two seconds: the most there is
    member.lns.write_config()

    def look():
        try:
            cli = Cli.unix(member.lns.socket)
        except OSError:
            return False
        cli.prompt()
        seen.append(Shown(cli.run("show cluster")))
        cli.close()
        return True
    watch = threading.Thread(target=wait_for, args=(look, "the command line"))
    watch.start()
    member.start()
    watch.join()
    assert seen[0].lines["State"] == "electing" and seen[0].lines["Master"] == "none is known"
    assert seen[0].lines["Cluster status"] == "Slave" and not seen[0].peers
    wait_for(lambda: shown(member).lines["State"] == "master", "its mastership")


def test_synchronising(trio):
    """A slave whose parts of the tables do not come says so, and the master says so of it."""
    master, slave, _ = trio.members
    master.start()
    # kind 7 of Docs/cluster-protocol.md, in the fourth octet of the payload
    rule = "-p udp --dport 32792 -m u32 --u32 0>>22&0x3C@8&0xFF=7 -j DROP".split()
    slave.ns.run("iptables", "-A", "INPUT", *rule)
    slave.start()
    wait_for(lambda: shown(slave).lines["Master"].startswith(master.address), "its master")
    text, json = shown(slave), slave.show()
    assert text.lines["State"] == json["state"] == "synchronising" and not json["up_to_date"]
    assert text.lines["Traffic"] == "left to others"
    wait_for(lambda: state_seen(master, slave) == "synchronising", "its state in the eyes of the master")
    assert shown(master).lines["Traffic"] == "drawn"
    slave.ns.run("iptables", "-D", "INPUT", *rule)
    wait_for(lambda: state_seen(master, slave) == "up to date", "all there is")


def test_silent_then_gone(trio):
    """A master that is frozen is silent first; then there is another, and it is not shown."""
    for m in trio.members[:2]:
        m.start()
    master = trio.wait()
    slave, = trio.slaves()
    slave.lns.set("set cluster_hb_timeout 30")
    master.lns.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: state_seen(slave, master) == "silent", "silence")
    wait_for(lambda: shown(slave).lines["State"] == "master", "another master")
    assert state_seen(slave, master) is None
    master.lns.process.send_signal(signal.SIGCONT)
    wait_for(lambda: shown(slave).lines["State"] != shown(master).lines["State"], "one master")
    trio.wait()


def test_two_masters(trio):
    """A cluster that was torn apart: each part has a master. One that does not hear the other goes on, which that one
    shows."""
    for m in trio.members[:2]:
        m.start()
    deaf = trio.wait()
    other, = trio.slaves()
    deaf.part()
    wait_for(lambda: shown(other).lines["State"] == "master", "a second master")
    wait_for(lambda: not shown(deaf).peers, "silence")
    assert shown(deaf).lines["State"] == "master" and not shown(other).peers
    deaf.ns.run("iptables", "-A", "INPUT", "-p", "udp", "--dport", "32792", "-j", "DROP")
    deaf.rejoin()
    wait_for(lambda: state_seen(other, deaf) == "other master", "the sight of another master")
    deaf.ns.run("iptables", "-F", "INPUT")
    trio.wait()
    assert {shown(m).lines["State"] for m in (deaf, other)} == {"master", "up to date"}


def test_leaving(trio):
    """Who has been told to stop shows it while it forwards on."""
    for m in trio.members[:2]:
        m.lns.settings["shutdown_drain"] = 100
        m.lns.write_config()
        m.start()
    trio.wait()
    slave, = trio.slaves()
    slave.lns.process.send_signal(signal.SIGTERM)
    wait_for(lambda: shown(slave).lines["State"] == "leaving", "the state")
    assert slave.lns.process.wait() == 0


def test_no_secret(tmp_path_factory):
    """Without cluster_secret each member shows that it believes everybody."""
    plant = Trio(tmp_path_factory, {"cluster_secret": ""})
    try:
        for m in plant.members[:2]:
            m.start()
        plant.wait()
        for m in plant.members[:2]:
            assert shown(m).lines["Messages"].startswith("NOT SIGNED") and not m.show()["signed"]
            assert shown(m).peer(plant.members[2 - m.number])["Member"] == LINK % (3 - m.number)
    finally:
        plant.close()
