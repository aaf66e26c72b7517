"""The command line as operators know it: logins, shows and their columns, drop."""

import json
import os
import re
import signal
import stat
import subprocess

import pytest

import pylac
from lns import Cli, binary
from netns import wait_for
from pylac import Lac

USERS = {"user%d" % n: "secret" for n in range(6)}

# The columns of 2.4.1, which scripts read.
SESSION = ("  SID LkToSID  TID Username                         IP              I T G 6     opened downloaded   "
           "uploaded idle   Rem.Time LAC(L)/RLNS(R)/PPPOE(P) CLI")
TUNNELS = " TID             Hostname                   IP  State Sessions"
POOL = "IP Address      Used  Session User"
RADIUS = "    ID Radius Sock State  Session    Retry Try"
DETAILS = ["User", "Calling Num", "Called Num", "Tunnel ID", "PPP Phase", "IPCP state", "IPV6CP state", "CCP state",
           "IP address", "Unique SID", "Opened", "Idle time", "Bytes In/Out", "Pkts In/Out", "MRU", "Rx Speed",
           "Tx Speed", "Intercepted", "Walled Garden", "Throttled"]
COUNTERS = """radius_retries arp_sent packets_snooped tunnel_created session_created tunnel_timeout session_timeout
radius_timeout radius_overflow tunnel_overflow session_overflow ip_allocated ip_freed cluster_forwarded recv_forward
select_called multi_read_used multi_read_exceeded""".split()

# "one", "two" and "three", by MD5, DES and SHA-512
CRYPT = ("$1$saltsalt$e6Tp.CsfN0eElmaoD0tBJ.", "abzauGTuXJV7w", "$6$saltsalt$0ushZ7aRclYWYXvoVMNARkHM0A9uB22/ti8rbbwiI"
         "cb0Y3NpaBw6P7ZwHytuhXGxncH6TznnSqrLohWoEFD.b/")


@pytest.fixture(scope="module")
def site(module):
    module.daemon = module.lns({"peer_address": "10.9.255.1", "cli_bind_address": "0.0.0.0", "l2tp_secret": "hidden!"},
                               local_users=USERS, users={"admin": "letmein", "enable": "sesame"})
    return module


@pytest.fixture
def lns(site):
    if not site.daemon.process.alive():
        site.daemon.start()
    yield site.daemon
    site.daemon.check()


@pytest.fixture
def online(site, lns):
    """Two subscribers in one tunnel."""
    lac = Lac(site.network)
    tunnel = lac.tunnel()
    sessions = [tunnel.session(calling="0733000%d" % n, called="0201000%d" % n).up("user%d" % n) for n in (1, 2)]
    sessions[0].ping(site.network.CORE, size=100)
    yield sessions
    tunnel.stop()
    lac.close()
    wait_for(lambda: lns.sessions() == [], "the end of the sessions")


# ---------------------------------------------------------------------------- logins

@pytest.mark.san
def test_unix_socket_asks_nothing(lns):
    """The socket gives user mode at once; `enable` asks its password."""
    assert stat.S_IMODE(os.stat(lns.socket).st_mode) == 0o600
    cli = lns.open_cli(enable=False)
    cli.run("show version")
    assert cli.last_prompt == "lns1> "
    cli.close()


@pytest.mark.san
def test_loopback_asks_nothing(site, lns):
    cli = Cli.tcp(site.network.lns)
    assert cli.prompt()[1] == "lns1> "
    assert cli.enable("sesame")
    cli.run("configure terminal")
    assert cli.last_prompt == "lns1(config)# "
    cli.run("exit")
    assert cli.last_prompt == "lns1# "
    cli.run("disable")
    assert cli.last_prompt == "lns1> "
    cli.send("quit")
    with pytest.raises(ConnectionError):
        cli.prompt()


@pytest.mark.san
def test_login_from_elsewhere(site, lns):
    """From another address name and password of the users file are asked."""
    cli = Cli.tcp(site.network.core, site.network.CORE_LNS)
    assert cli.login("admin", "letmein")
    cli.run("show version")
    assert cli.last_prompt == "lns1> "
    assert cli.enable("sesame")
    cli.close()


def test_login_crypt(site, lns):
    """A crypt(3) hash works as well."""
    lns.write("users", "admin:letmein\nmd5:%s\ndes:{crypt}%s\nsha:{crypt}%s\nenable:sesame\n" % CRYPT)
    lns.process.send_signal(signal.SIGHUP)
    for user, password in ("md5", "one"), ("des", "two"), ("sha", "three"):
        def logged_in():
            cli = Cli.tcp(site.network.core, site.network.CORE_LNS)
            try:
                return cli.login(user, password)
            except ConnectionError:
                return False
            finally:
                cli.close()
        wait_for(logged_in, "a login as " + user)


def test_login_refused(site, lns):
    """Wrong name or password: no entry; the third failure closes the connection."""
    cli = Cli.tcp(site.network.core, site.network.CORE_LNS)
    assert not cli.login("admin", "wrong")
    # the prompt for the next name has been read by login(): answer it
    for name, password in ("admin", ""), ("nobody", "letmein"):
        cli.send(name)
        cli.read_until(rb"(?i)password: ?$")
        cli.send(password)
        if name == "admin":
            cli.read_until(rb"(?i)(user ?name|login): ?$")
    with pytest.raises(ConnectionError):
        cli.prompt()
    cli.close()


@pytest.mark.san
def test_enable_refused(site, lns):
    cli = Cli.tcp(site.network.lns)
    cli.prompt()
    cli.timeout = 30
    assert not cli.enable("wrong")
    cli.close()


def test_connections_are_limited(site, lns):
    """At most twenty at once; the daemon serves on, and a place that is left is free again."""
    clis = []
    for _ in range(19 if lns._cli else 20):
        cli = Cli.tcp(site.network.lns)
        cli.prompt()
        clis.append(cli)
    extra = Cli.tcp(site.network.lns)
    with pytest.raises(ConnectionError):
        extra.prompt()
        extra.run("show version")
    for cli in clis:
        cli.close()

    def again():
        try:
            cli = Cli.tcp(site.network.lns)
            cli.prompt()
            cli.close()
            return True
        except ConnectionError:
            return False
    wait_for(again, "a free place")


# ---------------------------------------------------------------------------- shows

@pytest.mark.san
def test_show_session(site, lns, online):
    """The columns of `show session` are those of 2.4.1, in place and width."""
    lines = lns.run("show session")
    assert lines[0].rstrip() == SESSION
    assert len([line for line in lines if line.strip()]) == 3
    row = [line for line in lines if " user1 " in line][0]
    starts = {"Username": SESSION.index("Username"), "IP": SESSION.index("IP ")}
    assert row[starts["Username"]:].startswith("user1 ")
    assert row[starts["IP"]:].startswith(online[0].address)
    for name in "SID", "TID", "opened", "downloaded", "uploaded", "idle", "Rem.Time":
        end = (" " + SESSION).index(" %s " % name) + len(name)
        assert row[end - 1] != " " and row[end] == " ", "column %s of\n%s\n%s" % (name, SESSION, row)
    assert "(L)%s" % site.network.LAC == row[SESSION.index("LAC(L)"):].split()[0]
    assert row.endswith("07330001")
    fields = lns.session("user1")
    assert (fields["LkToSID"], fields["I"], fields["T"], fields["G"], fields["6"]) == ("0", "N", "N", "N", "N")
    assert (fields["uploaded"], fields["downloaded"]) == ("128", "128")


@pytest.mark.san
def test_show_session_detail(site, lns, online):
    shown = lns.run("show session " + lns.session("user1")["SID"])
    assert "Session %s:" % lns.session("user1")["SID"] in shown
    details = lns.details(lns.session("user1")["SID"])
    assert [name for name in details if name in DETAILS] == DETAILS, "names and their order"
    expected = {"User": "user1", "Calling Num": "07330001", "Called Num": "02010001", "PPP Phase": "Network",
                "IPCP state": "Opened", "IP address": online[0].address, "Bytes In/Out": "128/128",
                "Pkts In/Out": "1/1", "Rx Speed": "1000000", "Tx Speed": "8000000", "Intercepted": "no",
                "Walled Garden": "no", "Throttled": "no"}
    assert {name: details[name] for name in expected} == expected
    assert re.fullmatch(r"\d+ seconds?", details["Opened"]) and re.fullmatch(r"\d+ seconds?", details["Idle time"])


def test_show_session_unknown(lns):
    output = "\n".join(lns.run("show session 99999"))
    assert output.strip() and "User:" not in output


@pytest.mark.san
def test_show_tunnels(site, lns, online):
    lines = lns.run("show tunnels")
    assert lines[0].rstrip() == TUNNELS
    row = [line for line in lines if "pylac" in line][0]
    tid = row.split()[0]
    assert row.rstrip() == "%4s %20s %20s %6s %6d Tunnel To LAC" % (tid, "pylac", site.network.LAC, "Open", 2)
    detail = dict(line.strip().split(":", 1) for line in lns.run("show tunnels " + tid) if ":" in line)
    assert {"State", "Hostname", "Remote IP", "Remote Port", "Rx Window", "Next Recv", "Next Send", "Queue Len",
            "Last Packet Age", "Sessions"} <= set(detail)
    assert detail["State"].strip() == "Open" and detail["Remote IP"].strip() == site.network.LAC
    assert int(detail["Remote Port"]) == online[0].lac.port
    assert int(detail["Next Recv"]) == online[0].tunnel.ns
    for word in "show tunnel", "show tunnels all", "show tunnel all":
        assert lns.run(word)[0].rstrip() == TUNNELS


def test_show_users(lns, online):
    assert sorted(line for line in lns.run("show users") if line) == ["user1", "user2"]
    one = "\n".join(lns.run("show users user2"))
    assert "user2" in one and "user1" not in one
    assert [line for line in lns.run("show users user") if line] == []


@pytest.mark.san
def test_show_pool(lns, online):
    lines = lns.run("show pool")
    assert lines[0].rstrip() == POOL
    sid = lns.session("user1")["SID"]
    row = [line for line in lines if line.startswith(online[0].address + " ")][0]
    assert row == "%-15s\tY %8s %s" % (online[0].address, sid, "user1")
    assert "(Not displaying unused addresses)" in lines
    assert [line for line in lines if line.startswith(("Free:", "Used:"))] == ["Free: 252", "Used: 2"]
    everything = lns.run("show pool all")
    assert len([line for line in everything if re.match(r"10\.9\.0\.\d+ ", line)]) == 254
    assert "10.9.0.0 " not in "\n".join(everything) and "10.9.0.255 " not in "\n".join(everything)


def test_show_pool_remembers(site, lns):
    """A free but remembered address shows its last user and how long ago."""
    lac = Lac(site.network)
    session = lac.tunnel().session().up("user3")
    session.tunnel.stop()
    lns.wait_gone("user3")
    row = [line for line in lns.run("show pool all") if line.startswith(session.address + " ")][0]
    assert re.search(r"\sN\s.*\[user3\] \d+s", row), row
    lac.close()


def test_show_radius(lns):
    lines = lns.run("show radius")
    assert lines[0].rstrip() == RADIUS
    assert "Free: 16384" in lines or "Free: 16383" in lines, lines
    assert "Used: 0" in lines


@pytest.mark.san
def test_show_counters(lns, online):
    lines = lns.run("show counters")
    assert lines[0].split() == ["Ethernet", "Bytes", "Packets", "Errors", "Dropped"]
    assert [line for line in lines if line.split() == ["Tunnel", "Bytes", "Packets", "Errors", "Retries"]]
    values = dict(line.split() for line in lines if re.fullmatch(r"\w+ +\d+", line.strip()))
    assert set(COUNTERS) <= set(values), set(COUNTERS) - set(values)
    assert int(values["session_created"]) >= 2 and int(values["ip_allocated"]) >= 2
    assert any(line.startswith("Last counter reset ") for line in lines)
    as_json = lns.counters()
    assert any(name.endswith("session_created") for name in as_json)
    cli = lns.open_cli()
    assert "Counters cleared" in "\n".join(cli.run("clear counters"))
    cleared = dict(line.split() for line in cli.run("show counters") if re.fullmatch(r"\w+ +\d+", line.strip()))
    assert cleared["session_created"] == "0"
    cli.close()


def test_show_version(lns):
    assert re.match(r"(?i)l2tpns \d+\.\d+", [line for line in lns.run("show version") if line][0])


@pytest.mark.san
def test_show_running_config(lns):
    """Every name that was set, in a form that can be read back; secrets in privileged mode only."""
    cli = lns.open_cli()
    lines = cli.run("show running-config")
    cli.close()
    assert "# Current configuration:" in lines
    for wanted in ("set bind_address 10.1.0.1", 'set hostname "lns1"', "set peer_address 10.9.255.1",
                   'set l2tp_secret "hidden!"', "set l2tp_mtu 1500", "set hello_interval 60",
                   "set radius_authtypes \"pap\"", "set ppp_restart_time 1"):
        assert wanted in lines, wanted
    cli = lns.open_cli(enable=False)
    text = "\n".join(cli.run("write terminal") + cli.run("show running-config"))
    cli.close()
    assert "hidden!" not in text


def test_running_config_json(lns):
    """The same as one object, the `lac` lines included."""
    lns.set("lac 10.44.0.0/16 secret \"lac'secret\" max-sessions 7")
    lns.set("lac carrier.example secret another")
    cli = lns.open_cli()
    value = json.loads("\n".join(cli.run("show running-config json")))
    cli.close()
    assert value["l2tp_secret"] == "hidden!" and value["l2tp_mtu"] == 1500
    assert value["lac"] == [{"name": "10.44.0.0/16", "secret": "lac'secret", "max_sessions": 7},
                            {"name": "carrier.example", "secret": "another"}]
    lns.set("no lac 10.44.0.0/16")
    lns.set("no lac carrier.example")
    assert json.loads("\n".join(lns.run("show running-config json")))["lac"] == []


def test_running_config_reads_back(lns, tmp_path):
    """What it prints is a configuration without errors."""
    cli = lns.open_cli()
    (tmp_path / "startup-config").write_text("\n".join(cli.run("show running-config")) + "\n")
    cli.close()
    done = subprocess.run([binary(), "-t", "-c", str(tmp_path / "startup-config")], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=20)
    assert (done.returncode, done.stdout) == (0, "")


def test_uptime(lns):
    lines = [line for line in lns.run("uptime") if line.strip()]
    assert re.match(r"\s*\d\d:\d\d:\d\d up .*load average: [\d.]+, [\d.]+, [\d.]+", lines[0]), lines
    assert re.match(r"Bandwidth: UDP-ETH:[\d.]+/[\d.]+  ETH-UDP:[\d.]+/[\d.]+  TOTAL:[\d.]+   IN:\d+ OUT:\d+", lines[1])


@pytest.mark.parametrize("command", ["show session", "show tunnels", "show users", "show pool", "show radius",
                                     "show counters", "show version"])
def test_json(lns, online, command):
    """Every show has a JSON form with the same facts."""
    value = json.loads("\n".join(lns.run(command + " json")))
    assert isinstance(value, (dict, list)) and value
    if command in ("show session", "show users", "show pool"):
        assert "user1" in json.dumps(value)


def test_filters(lns, online):
    """| include, exclude, begin, grep, count."""
    assert [line for line in lns.run("show session | include user1") if "user" in line] != []
    assert not [line for line in lns.run("show session | include user1") if "user2" in line]
    assert not [line for line in lns.run("show session | exclude user1") if "user1" in line]
    assert lns.run("show counters | count radius")


def test_abbreviations(lns):
    assert lns.run("sho ver") == lns.run("show version")
    assert lns.run("sho ver | inc TPNS") == lns.run("show version")
    assert [line for line in lns.run("show version | exc TPNS") if line] == []
    assert lns.run("show counters | i session_created") == lns.run("show counters | include session_created")


def test_user_mode_may_not(lns, online):
    """What changes something needs the privileged mode."""
    cli = lns.open_cli(enable=False)
    for command in "drop user user1", "clear counters", "configure terminal":
        cli.run(command)
        assert cli.last_prompt == "lns1> "
    cli.close()
    assert lns.session("user1")


def test_idle_limit(plant):
    """Who types nothing for a quarter of an hour is sent away; who does type is not."""
    daemon = plant.lns(local_users=USERS, clock=True)
    idle, busy = daemon.open_cli(enable=False), daemon.open_cli(enable=False)
    daemon.step(800)
    busy.run("show version")
    daemon.step(200)
    assert "Idle for too long" in idle.read_until(rb"Idle for too long[^\n]*\n")
    with pytest.raises(ConnectionError):
        idle.prompt()
    assert busy.run("show version")
    for one in idle, busy:
        one.close()
    daemon.stop()


# ---------------------------------------------------------------------------- changes

@pytest.mark.san
def test_drop(lns, online):
    """`drop session` says what it does, and the LAC hears of it."""
    cli = lns.open_cli()
    sid = lns.session("user1")["SID"]
    assert "Dropping session " + sid in cli.run("drop session " + sid)
    online[0].tunnel.expect(pylac.CDN, sid=online[0].sid)
    lns.wait_gone("user1")
    assert lns.session("user2")
    output = "\n".join(cli.run("drop user user1"))
    assert "user1" in output and "not connected" in output
    output = "\n".join(cli.run("drop session 99999"))
    assert output.strip() and "Dropping" not in output
    cli.run("drop user user2")
    lns.wait_gone("user2")
    cli.close()


def test_set_at_run_time(site, lns):
    """`set` in configuration mode works at once; a bad value is refused with the reason."""
    cli = lns.open_cli()
    cli.run("configure terminal")
    assert [line for line in cli.run("set primary_dns 10.2.0.99") if line.strip()] == []
    assert "9 is not in 576..9216" in "\n".join(cli.run("set l2tp_mtu 9"))
    assert "no_such" in "\n".join(cli.run("set no_such 1"))
    cli.run("exit")
    lac = Lac(site.network)
    session = lac.tunnel().session()
    session.ask_dns = [129, 131]
    session.up("user4")
    assert session.dns[129] == "10.2.0.99"
    session.tunnel.stop()
    lac.close()
    cli.close()


def test_names_are_escaped(site, lns):
    """A user name with control characters does not reach the terminal as it is, nor the log."""
    lac = Lac(site.network)
    session = lac.tunnel(host=b"evil\x1b[2Jhost\n\r\x9b2J\xc2\x9b\xfc \xc3\xbc").session()
    session.authenticate(b"evil\x1b[2J\n\rSID\x9b2J\xc2\x9b", "x")
    shown = "\n".join(lns.run("show tunnels"))
    assert "evil\\x1b[2Jhost\\x0a\\x0d\\x9b2J\\xc2\\x9b\\xfc ü" in shown
    shown += "\n".join(lns.run("show session"))
    for text in shown, lns.log:
        assert not re.search("[\x1b\x80-\x9f\ufffd]", text)  # \ufffd: it was not UTF-8
    assert not [line for line in lns.log.split("\n") if line.startswith(("SID", "host"))]
    lac.close()


def test_operator_does_not_hold_up_the_data(site, lns, online):
    """A connection that reads nothing while it is sent much does not stop anybody's packets."""
    cli = Cli.tcp(site.network.lns)
    cli.prompt()
    for _ in range(200):
        cli.send("show pool all")
    for _ in range(50):
        online[0].ping(site.network.CORE)
    cli.close()
