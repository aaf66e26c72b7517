"""Each command over a connection of the telnet program and over a bare one; columns are those of 2.4.1.

COMMANDS has a row for each: the command, whether it needs the privileged mode, and the lines it prints as regular
expressions, in order; ANY stands for whatever comes.
"""

import json
import os
import re
import signal
import time

import pytest

from lns import Cli
from netns import wait_for
from pylac import Lac
from telnet import telnet

USERS = {"user%d" % n: "secret" for n in range(6)}
ANY = "..."


class Many(str):
    """A line that may come any number of times."""



SESSION = ("  SID LkToSID  TID Username                         IP              I T G 6     opened downloaded   "
           "uploaded idle   Rem.Time LAC(L)/RLNS(R)/PPPOE(P) CLI")
SESSION_ROW = (r"[ \d]{5} [ \d]{7} [ \d]{4} .{32} [\d.]+ {1,9} ?[YN] [YN] [YN] [YN] [ \d]{10} [ \d]{10} [ \d]{10} [ \d]{4} "
               r"[ \d]{10} \([LRP]\)\S+ +\S*")
DETAILS = [r"", r"Session \d+:", r"\tUser:\t\tuser1", r"\tCalling Num:\t07330001", r"\tCalled Num:\t02010001",
           r"\tTunnel ID:\t\d+", r"\tPPP Phase:\tNetwork", r"\t IPCP state:\tOpened", r"\t IPV6CP state:\t\w+",
           r"\t CCP state:\t\w+", r"\tIP address:\t10\.9\.0\.\d+", r"\tUnique SID:\t\d+", r"\tOpened:\t\t\d+ seconds",
           r"\tIdle time:\t\d+ seconds", r"\tBytes In/Out:\t\d+/\d+", r"\tPkts In/Out:\t\d+/\d+", r"\tMRU:\t\t\d+",
           r"\tRx Speed:\t\d+", r"\tTx Speed:\t\d+", r"\tIntercepted:\tno", r"\tWalled Garden:\tno", r"\tThrottled:\tno",
           ANY]
TUNNELS = " TID             Hostname                   IP  State Sessions"
TBF = "  TBF#   Sid  Rate Credit Queued |  ByteIn  PackIn ByteSent PackSent PackDrop PackDelay"
THROTTLE = "  SID  TID Username                         Rate In    Out   TBFI   TBFO"
REMOTE = ("  IP Remote LNS TID  l2tp secret                      assignment Id                    File/Radius   State "
          "Count Sess")


def text(line):
    return re.escape(line)


COMMANDS = [
    ("show session", False, [text(SESSION), Many(SESSION_ROW)]),
    ("show session {sid}", False, DETAILS),
    ("show session 9999", False, ["There is no session 9999"]),
    ("show tunnels", False, [text(TUNNELS), r"[ \d]{4} .{20} [ \d.]{20}   Open [ \d]{6} Tunnel To LAC"]),
    ("show tunnel", False, [text(TUNNELS), ANY]),
    ("show tunnel all", False, [text(TUNNELS), ANY]),
    ("show tunnel {tid}", False, [
        "", r"Tunnel \d+:", r"\tState:\t\tOpen", r"\tHostname:\tpylac", r"\tRemote IP:\t10\.1\.0\.2",
        r"\tRemote Port:\t\d+", r"\tRx Window:\t\d+", r"\tNext Recv:\t\d+", r"\tNext Send:\t\d+", r"\tQueue Len:\t\d+",
        r"\tLast Packet Age:\d+", r"\tSessions:\t\d+ \d+"]),
    ("show users", False, [Many(r"user\d")]),
    ("show users user1", False, DETAILS),
    ("show users nobody", False, []),
    ("show pool", False, ["IP Address      Used  Session User", r"[\d.]+ *\tY [ \d]{8} user1",
                          r"[\d.]+ *\tY [ \d]{8} user2", r"\(Not displaying unused addresses\)", "", "Free: 252",
                          "Used: 2"]),
    ("show pool all", False, ["IP Address      Used  Session User", Many(r"[\d.]+ *\t(Y [ \d]{8} user\d|N.*)"), "",
                              "Free: 252", "Used: 2"]),
    ("show radius", False, ["    ID Radius Sock State  Session    Retry Try", "", r"Free: \d+", "Used: 0"]),
    ("show radius all | count NULL", False, [r"16384"]),
    ("show radius servers", False, [
        "Server           Port For  Weight State    Since   Requests    Replies Unanswered RTT ms"]),
    ("show cluster", False, [
        r"Cluster status   : Master", r"My address       : 127\.0\.0\.1", r"VIP address      : 10\.1\.0\.1",
        r"Multicast address: 239\.192\.13\.13", r"UDP port         : 32792", r"Multicast i'face : lo",
        r"Table version #  : \d+", r"Next heartbeat # : \d+", r"Highest session  : 2", r"Highest bundle   : 0",
        r"Highest tunnel   : 1", r"0 changes queued for sending", r"0 peers\."]),
    ("show bgp", False, ["BGP is not configured"]),
    ("show bgp 127.0.0.2", False, ["BGP is not configured"]),
    ("show ipcache", False, ["  Sess# IP Address", Many(r"[ \d]{7} 10\.9\.0\.\d+"), "2 entries in cache"]),
    ("show plugins", False, ["Plugins currently loaded:", "  sessionctl"]),
    ("show tbf", False, [text(TBF), r"0 tbf entries used, \d+ total"]),
    ("show throttle", False, [text(THROTTLE)]),
    ("show version", False, [r"L2TPNS \d\S*"]),
    ("show histogram idle", False, [Many(r"[ \d]{3} seconds  : [ \d]{4}\.\d\d% \([ \d]{6}\)"),
                                    r"lots of secs : [ \d]{4}\.\d\d% \([ \d]{6}\)", r"2 total sessions open\."]),
    ("show histogram open", False, [Many(r" < [ \d]{8,9} seconds : [ \d]{4}\.\d\d% \([ \d]{6}\)"),
                                    r"2 total sessions open\."]),
    ("show counters", False, [
        "Ethernet        Bytes    Packets     Errors    Dropped", r"RX        ( [ \d]{10}){4}",
        r"TX        ( [ \d]{10}){4}", " ", "Tunnel          Bytes    Packets     Errors    Retries",
        r"RX        ( [ \d]{10}){4}", r"TX        ( [ \d]{10}){4}", " ", "Counter                       Value     ",
        "-----------------------------------------", Many(r"[a-z0-9_]{1,31} +\d+"), " ",
        r"Last counter reset \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}"]),
    ("uptime", False, [r"\d\d:\d\d:\d\d up .*, 2 users, load average: [\d.]+, [\d.]+, [\d.]+",
                       r"Bandwidth: UDP-ETH:\d+/\d+  ETH-UDP:\d+/\d+  TOTAL:\d+\.\d   IN:\d+ OUT:\d+"]),
    ("write terminal", False, ["# Current configuration:", ANY]),
    ("debug", False, ["Currently debugging: critical"]),
    ("debug error", False, []),
    ("debug", False, ["Currently debugging: critical error"]),
    ("debug banana", False, ['Invalid debugging flag "banana"']),
    ("no debug", False, []),
    ("debug", False, ["Debugging off"]),
    ("history", False, ["", "Command history:", Many(r"[ \d]{3}\. \S.*")]),
    ("help", False, ["", "Commands available:", Many(r"  \S.{18,} .*")]),
    ("show banana", False, ['Invalid command "show banana"']),
    ("show running-config", True, ["# Current configuration:", ANY]),
    ("show remotelns-conf", True, [text(REMOTE)]),
    ("throttle user1 300", True, ["Throttling user user1"]),
    ("show tbf", True, [text(TBF), Many(r"[ \d]{5} [ \d]{6} [ \d]{5,6} [ \d]{6} [ \d]{6} \|( [ \d]{7}){2}( [ \d]{8}){4}"),
                        r"2 tbf entries used, \d+ total"]),
    ("show throttle", True, [text(THROTTLE), r"[ \d]{5} [ \d]{4} user1 {27} [ \d]{7}( [ \d]{6}){3}"]),
    ("show session {sid} | include Throttled", True, [r"\tThrottled:\tYES \(300kbps/300kbps\)"]),
    ("no throttle user1", True, ["Unthrottling user user1"]),
    ("throttle nobody 300", True, ["User nobody is not connected"]),
    ("snoop user1 10.2.0.2 9999", True, ["Snooping user user1 to 10.2.0.2:9999"]),
    ("show session {sid} | include Intercepted", True, [r"\tIntercepted:\t10\.2\.0\.2:9999"]),
    ("no snoop user1", True, ["Not snooping user user1"]),
    ("snoop nobody 127.0.0.1 9999", True, ["User nobody is not connected"]),
    ("suspend bgp", True, ["BGP is not configured"]),
    ("suspend bgp 127.0.0.2", True, ["BGP is not configured"]),
    ("no suspend bgp", True, ["BGP is not configured"]),
    ("restart bgp", True, ["BGP is not configured"]),
    ("restart bgp 127.0.0.2", True, ["BGP is not configured"]),
    ("clear counters", True, ["Counters cleared"]),
    ("drop session 9999", True, ["There is no session 9999"]),
    ("drop tunnel 9999", True, ["There is no tunnel 9999"]),
    ("drop user nobody", True, ["User nobody is not connected"]),
]

# What each needs beside its name, as `?` tells it.
HELP = [
    ("show session ?", r"\[ID\]\.\.\."), ("show tunnels ?", r"\[all\|ID\]"), ("show users ?", r"\[USER\]"),
    ("show pool ?", r"\[all\]"), ("show bgp ?", r"\[NEIGHBOUR\]"), ("show cluster ?", r"\[json\]"),
    ("show histogram ?", r"idle .*\n  open "), ("debug ?", r"critical .*\n(.*\n)*  all "), ("debug w?", "warning "),
    ("throttle ?", "USER"), ("snoop ?", "USER IP PORT"), ("drop ?", "session .*\n(.*\n)*  user "),
    ("drop session ?", "ID "), ("restart bgp ?", r"\[PEER\]"), ("suspend ?", "bgp "), ("shutdown ?", "<cr>"),
    ("show version | ?", r"begin .*\n  count .*\n  egrep .*\n  exclude .*\n  grep .*\n  include "),
]


@pytest.fixture(scope="module")
def site(module):
    module.daemon = module.lns({"peer_address": "10.9.255.1"}, local_users=USERS, extra=["load plugin sessionctl"],
                               users={"admin": "letmein"})
    return module


@pytest.fixture(scope="module")
def online(site):
    """Two subscribers in one tunnel."""
    lac = Lac(site.network)
    tunnel = lac.tunnel()
    sessions = [tunnel.session(calling="0733000%d" % n, called="0201000%d" % n).up("user%d" % n) for n in (1, 2)]
    yield sessions
    tunnel.stop()
    lac.close()


@pytest.fixture
def lns(site, online):
    yield site.daemon
    site.daemon.check()


def connect(how, lns):
    cli = telnet(lns.ns) if how == "telnet" else Cli.tcp(lns.ns)
    cli.prompt()
    return cli


def match(lines, expected):
    """The lines are those expected; the first difference as text, None: there is none."""
    at = 0
    for n, pattern in enumerate(expected):
        if pattern == ANY:
            return None
        if isinstance(pattern, Many):
            first = at
            while at < len(lines) and re.fullmatch(pattern, lines[at]):
                at += 1
            if at == first:
                return "no line %r but %r" % (pattern, lines[at:at + 1])
        elif at == len(lines) or not re.fullmatch(pattern, lines[at]):
            return "line %d should be %r, is %r" % (n + 1, pattern, lines[at:at + 1])
        else:
            at += 1
    return None if at == len(lines) else "more lines: %r" % lines[at:]


@pytest.mark.san
@pytest.mark.parametrize("how", ["telnet", "raw"])
def test_commands(lns, online, how):
    """Each command prints its known lines, in user mode where it belongs there."""
    cli = connect(how, lns)
    names = {"sid": lns.session("user1")["SID"], "tid": lns.session("user1")["TID"]}
    wrong = []
    enabled = False
    for command, privileged, expected in COMMANDS:
        if privileged and not enabled:
            assert cli.enable()
            enabled = True
        lines = cli.run(command.format(**names))
        while lines and lines[-1] == "":
            lines.pop()
        difference = match(lines, expected)
        if difference:
            wrong.append("%s: %s" % (command, difference))
    cli.close()
    assert not wrong, "\n".join(wrong)


def keys(cli, text, pattern):
    """Types without a line's end; what is shown until it matches."""
    cli.sock.sendall(text.encode())
    shown = cli.read_until(re.compile(pattern.encode()))
    return shown


@pytest.mark.parametrize("how", ["telnet", "raw"])
def test_question_mark_and_tab(lns, how):
    """`?` tells what an argument is, Tab completes words."""
    cli = connect(how, lns)
    assert cli.enable()
    for typed, shown in HELP:
        keys(cli, typed, r"(?m)^  %s" % shown)
        keys(cli, "\x15", "")
        cli.run("")
    keys(cli, "show hist\t", "histogram ")
    keys(cli, "\x15", "")
    cli.run("")
    keys(cli, "show version | incl\t", "include ")
    cli.run("TPNS")
    cli.close()


def test_privileged_commands_are_not_for_users(lns):
    """In user mode they are not there, and change nothing."""
    cli = connect("raw", lns)
    for command, privileged, _ in COMMANDS:
        if privileged and not command.startswith(("show tbf", "show thr", "show sess", "no debug")):
            shown = "\n".join(cli.run(command.format(sid=1)))
            assert "Invalid" in shown or "Incomplete" in shown, (command, shown)
    assert "Invalid" in "\n".join(cli.run("shutdown"))
    cli.close()


def test_modes(lns):
    """enable, configure terminal, ^Z, exit, disable, and the three ways to leave."""
    for word in "quit", "logout", "exit":
        cli = connect("telnet", lns)
        assert cli.enable()
        cli.run("configure terminal")
        assert cli.last_prompt == "lns1(config)# "
        keys(cli, "\x1a", r"lns1# $")
        cli.run("conf t")
        assert cli.last_prompt == "lns1(config)# "
        cli.run("exit")
        assert cli.last_prompt == "lns1# "
        cli.run("disable")
        assert cli.last_prompt == "lns1> "
        cli.send(word)
        with pytest.raises(ConnectionError):
            cli.prompt()
        cli.close()


def test_filters(lns):
    """Each filter, by abbreviations too, on each kind of output."""
    def run(command):
        return [line for line in lns.run(command) if line.strip()]
    assert run("show counters | include session_c") == run("show counters | i session_c") != []
    assert len(run("show counters | exclude _")) == len(run("show counters | ex _")) < 12
    for word in "begin", "beg":
        assert run("show counters | %s netlink_errors" % word)[0].startswith("netlink_errors")
    for word in "grep", "gr", "g":
        assert run("show users | %s ^user[2-9]$" % word) == ["user2"]
    assert run("show users | grep -v 1") == run("show users | grep -vi -e 1") == ["user2"]
    assert run("show users | egrep '^(user1|user3)$'") == run("show users | eg 'r[1]'") == ["user1"]
    assert run("show users | grep -i USER1") == ["user1"]
    for word in "count", "c":
        assert run("show users | " + word) == ["2"]
        assert run("show users | %s user1" % word) == ["1"]
    assert run("show users | include user | exclude 1 | count") == ["1"]
    assert run("show session json | include user1 | count") == ["1"]
    assert int(run("help | count show")[0]) > 15
    assert len(run("history | include egrep")) == 2
    assert "what?" in run("show users | include")[0]
    assert "no regular expression" in run("show users | grep [")[0]
    assert "usage" in run("show users | grep")[0]


# ---------------------------------------------------------------------------- debug

def test_debug_streams(lns, site):
    """Log lines up to the level come to who asked, and to nobody else; the log's own level stays."""
    cli, other = connect("telnet", lns), connect("raw", lns)
    cli.run("debug all")
    other.run("debug warning")
    lac = Lac(site.network)
    session = lac.tunnel().session().up("user4")
    cli.read_until(rb"\n\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} call \d+/\d+ .*\n(?s:.*)lns1> $")
    session.tunnel.stop()
    lac.close()
    lns.wait_gone("user4")
    assert " call " not in lns.log, "it runs at level 3"
    assert "call " not in "\n".join(other.run("show version"))
    assert other.run("debug") == ["Currently debugging: critical error warning", ""]
    cli.run("no debug")
    cli.run("")
    before = lns.counters()["select_called"]
    wait_for(lambda: lns.counters()["select_called"] > before, "a turn")
    for one in cli, other:
        one.close()


def test_debug_ends_with_the_connection(lns, site):
    """When the last who listens has gone, the lines are not made any more."""
    before = child_pids(lns)
    cli = connect("raw", lns)
    cli.run("debug data")
    cli.close()
    wait_for(lambda: set(child_pids(lns)) <= set(before), "the end of the child")
    cli = connect("raw", lns)
    assert cli.run("debug") == ["Currently debugging: critical", ""]
    cli.close()


def test_debug_loses_what_is_not_read(lns, site):
    """A child that cannot keep up tells how many lines it has missed; the daemon goes on."""
    cli = connect("raw", lns)
    cli.run("debug data")
    lac = Lac(site.network)
    session = lac.tunnel().session().up("user5")
    child = max(child_pids(lns))
    os.kill(child, signal.SIGSTOP)
    for _ in range(300):  # some 8 lines each
        session.ping(site.network.CORE, size=100)
    os.kill(child, signal.SIGCONT)
    cli.read_until(rb"\n\(\d+ lines were lost: they came too fast\)\n")
    session.tunnel.stop()
    lac.close()
    cli.close()


def child_pids(lns):
    with open("/proc/%d/task/%d/children" % (lns.process.pid, lns.process.pid)) as f:
        return [int(pid) for pid in f.read().split()]


# ---------------------------------------------------------------------------- shutdown

def test_shutdown(plant):
    """It asks, and a no is a no; a yes ends the daemon as SIGTERM does."""
    daemon = plant.lns(local_users=USERS)
    cli = connect("telnet", daemon)
    assert cli.enable()
    for answer in "", "n", "nonsense":
        cli.send("shutdown")
        cli.read_until(rb"\[y/N\] $")
        assert "Not stopped" in "\n".join(cli.run(answer))
    assert daemon.process.alive()
    cli.send("shutdown")
    cli.read_until(rb"\[y/N\] $")
    cli.send("yes")
    began = time.monotonic()
    assert daemon.process.wait() == 0
    assert time.monotonic() - began < 2
    assert "shutdown" in daemon.log and "stopping at signal 15" in daemon.log
    cli.close()


def test_bgp(plant):
    """Neighbours are shown in the columns that 2.4.1 had; of one alone there is more."""
    daemon = plant.lns(local_users=USERS, extra=[
        "router bgp 64512", " neighbour 127.0.0.2 remote-as 64513", " neighbour 127.0.0.2 timers 30 90",
        " neighbour router.example remote-as 4200000000"])
    head = [r"BGPv4 router identifier 10\.1\.0\.11, local AS number 64512", " ",
            "Peer                  AS         Address State       Retries Retry in Route Pend    Timers",
            "------------------ ----- --------------- ----------- ------- -------- ----- ---- ---------"]
    rows = [r"127\.0\.0\.2          64513       127\.0\.0\.2 \w[\w ]{10} {7}\d +\d+s    no   no   30   90",
            r"router\.example     4200000000               - \w[\w ]{10} {7}\d +\d+s    no   no   60  180"]

    def shown(command):
        return [line for line in daemon.run(command) if line]
    assert match(shown("show bgp"), head + rows) is None, shown("show bgp")
    one = shown("show bgp 127.0.0.2")
    assert match(one[:5], head + rows[:1]) is None
    assert [line for line in one if line.startswith("Last error")]
    assert [p["name"] for p in json.loads("\n".join(daemon.run("show bgp router.example json")))["peers"]] == ["router.example"]
    assert shown("suspend bgp") == ["Routes are withdrawn"]
    assert shown("no suspend bgp 127.0.0.2") == ["Routes are announced"]
    assert shown("restart bgp 127.0.0.2") == ["Connections are opened again"]
    assert shown("suspend bgp 127.0.0.3") == ["There is no neighbour 127.0.0.3"]


def test_show_cluster_json(lns):
    value = json.loads("\n".join(lns.run("show cluster json")))
    assert (value["status"], value["address"], value["peers"]) == ("master", "127.0.0.1", [])
