"""Plugins: the loader, and the effect of each shipped one on sessions, packets and iptables."""

import http.server
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

import packets
import pylac
from fakeradius import USER_NAME, VENDOR, FakeRadius, acknowledge, attribute
from lns import ROOT, plugin_dir
from netns import wait_for
from pylac import Lac
from test_nsctl import nsctl

SECRET = "radsecret"
KINDS = {"nft": "/usr/sbin/xtables-nft-multi", "legacy": "/usr/sbin/xtables-legacy-multi"}
PAGE = b"your account is closed\n"


def pairs(*texts):
    """Cisco-AVPairs."""
    return b"".join(attribute(VENDOR, struct.pack("!IBB", 9, 1, len(t) + 2) + t.encode()) for t in texts)


def plugins(*names):
    return ['load plugin "%s"' % name for name in names]


def compile_plugin(folder, name, source):
    """NAME.so in the folder, from C text."""
    path = os.path.join(str(folder), name)
    with open(path + ".c", "w") as f:
        f.write(source)
    subprocess.run([os.environ.get("CC", "cc"), "-O1", "-Wall", "-Werror", "-fPIC", "-shared", "-I", ROOT, "-o",
                    path + ".so", path + ".c"], check=True)


class Site:
    """A daemon with plugins that asks a fake RADIUS server; joe is accepted, all others are refused."""

    def __init__(self, plant, load=(), settings=None, **kwargs):
        self.network = plant.network
        self.pairs = {}  # of accepted users: attributes
        self.server = plant.keep(FakeRadius(self.network.core, self.network.CORE, secret=SECRET))
        self.server.answer = self.answer
        chosen = {"primary_radius": self.network.CORE, "primary_radius_port": 1812, "radius_secret": SECRET,
                  "peer_address": "10.9.255.1", **(settings or {})}
        self.lns = plant.lns(chosen, extra=plugins(*load), start=False, **kwargs)
        self.prepare()
        self.lns.start()
        self.lac = Lac(self.network)
        self.tunnel = self.lac.tunnel()

    def prepare(self):
        """Files beside its configuration."""

    def answer(self, server, request):
        user = request.get(USER_NAME).decode()
        if user.startswith("joe") or user in self.pairs:
            return [server.accept(request, self.pairs.get(user, b""))]
        return [server.reject(request)]

    def up(self, user, password="secret"):
        return self.tunnel.session().up(user, password)

    def details(self, user):
        return self.lns.details(self.lns.session(user)["SID"])


# ---------------------------------------------------------------------------- names, rates, interception, speeds

@pytest.mark.san
def test_stripdomain(plant):
    site = Site(plant, ["stripdomain"])
    session = site.up("joe@isp.example")
    assert [r.get(USER_NAME) for r in site.server.access] == [b"joe"]
    assert site.lns.session("joe") and not site.lns.session("joe@isp.example")
    session.ping(site.network.CORE)


def test_rates(plant):
    """autothrottle: a rate shows in column T, before the first packet flows."""
    site = Site(plant, ["autothrottle"], {"throttle_speed": 512})
    site.pairs = {"fast": b"", "slow": pairs("throttle=yes"), "by": pairs("other=1,throttle=in 300,out 200"),
                  "router": pairs("lcp:interface-config#1=service-policy input 100"),
                  "not": pairs("throttle=yes", "throttle=no")}
    for user in site.pairs:
        site.up(user)
    throttled = {user: site.lns.session(user)["T"] for user in site.pairs}
    assert throttled == {"fast": "N", "slow": "Y", "by": "Y", "router": "Y", "not": "N"}


def test_interception(plant):
    """autosnoop: where the copies go; `yes` without a snoop_host is told."""
    site = Site(plant, ["autosnoop"])
    site.pairs = {"a": pairs("intercept=10.2.0.2:4000"), "b": pairs("intercept=yes"), "c": b""}
    for user in site.pairs:
        site.up(user)
    assert {user: site.details(user)["Intercepted"] for user in site.pairs} == {"a": "10.2.0.2:4000", "b": "no",
                                                                                "c": "no"}
    site.lns.wait_log("autosnoop: intercept=yes, but snoop_host and snoop_port are not set")
    site.lns.set("set snoop_host 10.2.0.3")
    site.lns.set("set snoop_port 4001")
    site.pairs["d"] = pairs("intercept=yes")
    site.up("d")
    assert site.details("d")["Intercepted"] == "10.2.0.3:4001"
    site.pairs["e"] = pairs("intercept=10.2.0.2:4000", *["intercept=" + bad for bad in (
        "", "YES", "10.2.0.2", "10.2.0.2:", "10.2.0.2:0", "10.2.0.2:65536", "10.2.0:1", "0.0.0.0:1", ":1", "::1:1")])
    site.up("e")
    assert site.details("e")["Intercepted"] == "10.2.0.2:4000"
    site.lns.wait_log("autosnoop: intercept=10.2.0.2:65536 is not yes, no or IP:PORT")
    site.pairs["f"] = pairs("intercept=10.2.0.2:4000", "intercept=no")
    site.up("f")
    assert site.details("f")["Intercepted"] == "no"
    site.pairs["g"] = pairs("intercept=10.9.0.1:4000")
    site.up("g")
    site.lns.wait_log("the collector is a subscriber's address: nothing is copied")


def test_setrxspeed(plant):
    """A receive speed of 0 becomes the transmit speed; without the plugin it stays."""
    site = Site(plant)
    site.tunnel.iccn = lambda: [pylac.avp(pylac.TX_SPEED, pylac.u32(8000000)), pylac.avp(pylac.FRAMING_TYPE,
                                pylac.u32(1)), pylac.avp(pylac.RX_SPEED, pylac.u32(0), mandatory=False)]
    site.up("joe1")
    site.lns.set("load plugin setrxspeed")
    site.up("joe2")
    assert (site.details("joe1")["Rx Speed"], site.details("joe2")["Rx Speed"]) == ("0", "8000000")


FORMS = {  # Cisco-AVPair, or several of them: the rates in kbit/s from and to the subscriber, and where copies go
    "throttle=yes": (512, 512, "no"), "throttle=no": (0, 0, "no"), "throttle=300": (300, 300, "no"),
    "throttle=in 300": (300, 0, "no"), "throttle=out 200": (0, 200, "no"), "throttle=in 300 out 200": (300, 200, "no"),
    "throttle=in 300, out 200": (300, 200, "no"), "throttle = 64": (64, 64, "no"),
    "lcp:interface-config#1=service-policy input 100": (100, 0, "no"),
    ("lcp:interface-config#1=service-policy input 100", "lcp:interface-config#2=service-policy output 90"): (100, 90, "no"),
    "lcp:interface-config=service-policy output 90": (0, 90, "no"),
    "lcp:interface-config#1=service-policy input GOLD": (0, 0, "no"), "lcp:interface-config#1=ip mtu 1400": (0, 0, "no"),
    "lcp:interface-config#1=service-policy input 100,throttle=7": (0, 0, "no"),
    "intercept=10.2.0.2:4000": (0, 0, "10.2.0.2:4000"), "intercept=yes": (0, 0, "10.2.0.3:4001"),
    "throttle=300,intercept=10.2.0.2:4000": (300, 300, "10.2.0.2:4000"),
    ("throttle=300", "ip:route=10.0.0.0 255.0.0.0", "intercept=yes , throttle=out 200"): (300, 200, "10.2.0.3:4001"),
    ("throttle=300", "throttle=no"): (0, 0, "no"), ("throttle=no", "throttle=300"): (300, 300, "no"),
    ("throttle=300", "throttle=1e3", "throttle=", "throttle", "=", "intercept=10.2.0.2"): (300, 300, "no"),
    "throttle=" + "0" * 235 + "300": (300, 300, "no"), ("throttle=300", "throttle=" + 238 * "7"): (300, 300, "no"),
    "x=" + 230 * "y" + ",throttle=5": (5, 5, "no"),
}


def test_forms_from_freeradius(plant):
    """Each form of the documents, alone and with others, in replies of the real server; what is none is left out."""
    users = {"u%d" % n: ("secret", {"Cisco-AVPair": list(form) if isinstance(form, tuple) else form})
             for n, form in enumerate(FORMS)}
    radius = plant.freeradius(users)
    lns = plant.lns({"primary_radius": radius.address, "primary_radius_port": 1812, "radius_secret": "radsecret",
                     "peer_address": "10.9.255.1", "throttle_speed": 512, "snoop_host": "10.2.0.3", "snoop_port": 4001},
                    extra=plugins("autothrottle", "autosnoop"))
    tunnel = Lac(plant.network).tunnel()
    for user in users:
        tunnel.session().up(user, "secret")
    rates = {t["user"]: (t["rate_in_kbit"], t["rate_out_kbit"])
             for t in json.loads("".join(lns.run("show throttle json")))}
    for n, (form, (rate_in, rate_out, copies)) in enumerate(FORMS.items()):
        assert rates.get("u%d" % n, (0, 0)) == (rate_in, rate_out), form
        assert lns.details(lns.session("u%d" % n)["SID"])["Intercepted"] == copies, form
    lns.wait_log("autothrottle: throttle=1e3 is not yes, no, RATE or in RATE out RATE")
    lns.check()


# ---------------------------------------------------------------------------- garden

class Page(http.server.BaseHTTPRequestHandler):
    """What a gardened subscriber gets to see."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.page)

    def log_message(self, *_):
        pass


class WebServer:
    def __init__(self, ns, address, port, page=PAGE):
        class Server(http.server.HTTPServer):
            def server_bind(self):
                self.socket = ns.socket(socket.AF_INET, socket.SOCK_STREAM)
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self.socket.bind(self.server_address)
                self.server_name, self.server_port = self.server_address
        self.server = Server((address, port), Page)
        self.server.page = page
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join(5)
        self.server.server_close()


def fetch(session, target, port=80):
    """What the subscriber's web browser gets from the target: the answer, or None when the connection is refused."""
    sport, seq = 20000 + int.from_bytes(os.urandom(2), "big") % 20000, 1000
    syn, ack, push, fin, rst = 2, 16, 8, 1, 4

    def send(flags, number, acked=0, data=b""):
        session.send_ip(packets.tcp(session.address, target, sport, port, flags, number, acked, data=data))

    def mine(p):
        return p.proto == packets.TCP and p.src == target and p.dport == sport
    send(syn, seq)
    reply = session.wait_packet(mine)
    if reply.flags & rst:
        return None
    assert reply.flags & syn
    peer = struct.unpack("!I", reply.payload[4:8])[0] + 1
    send(ack, seq + 1, peer)
    send(ack | push, seq + 1, peer, b"GET / HTTP/1.0\r\n\r\n")
    got = b""
    while True:
        reply = session.wait_packet(mine)
        data = reply.payload[(reply.payload[12] >> 4) * 4:]
        if data and struct.unpack("!I", reply.payload[4:8])[0] == peer:
            got += data
            peer = (peer + len(data)) & 0xFFFFFFFF
        if reply.flags & fin:
            send(rst, seq + 19, peer)
            return got
        send(ack, seq + 19, peer)


class Garden(Site):
    """With the garden plugin, on one kind of iptables; its rules lead HTTP to a page in the core."""

    def __init__(self, plant, tmp_path, kind="nft", settings=None, rules=True, **kwargs):
        self.bin, self.kind, self.rules = tmp_path / "bin", kind, rules
        self.bin.mkdir()
        for name in "iptables", "iptables-restore":
            self.mend(name)
        kwargs.setdefault("pool", ["10.9.0.0/22"])
        kwargs.setdefault("env", {"PATH": "%s:%s" % (self.bin, os.environ["PATH"])})
        super().__init__(plant, ["garden"], {"debug": 4, **(settings or {})}, **kwargs)

    def prepare(self):
        if self.rules:
            self.lns.write("build-garden", "iptables -t nat -A garden -p tcp --dport 80 -j DNAT --to-destination "
                           "%s:8080\necho the walls stand\n" % self.network.CORE)

    def mend(self, name):
        """The real program."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.symlink_to(KINDS[self.kind])

    def spoil(self, name, script):
        """A script in place of the program."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)

    def rules_now(self, chain=""):
        """Rules of the nat table: of one chain, or all."""
        lines = self.network.lns.run(KINDS[self.kind], "iptables", "-w", "-t", "nat", "-S").split("\n")
        return [line for line in lines if re.match(r"-A %s\b" % chain if chain else "-A|-N", line)]

    def inside(self):
        """Addresses in the chain, in order."""
        found = [re.match(r"-A garden_users -s (\S+)/32 -j garden$", line) for line in self.rules_now("garden_users")]
        assert all(found), self.rules_now("garden_users")
        return [match.group(1) for match in found]

    def wait_inside(self, *addresses):
        wait_for(lambda: self.inside() == list(addresses), "%r in garden_users" % (addresses,))

    def built(self):
        wait_for(lambda: self.rules_now("PREROUTING"), "the jump to the garden")


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.mark.san
def test_garden(plant, tmp_path, kind):
    """Refused by RADIUS: let in, led to the page. Others are not. Rules go with their session, chains with the end."""
    plant.keep(WebServer(plant.network.core, plant.network.CORE, 8080))
    site = Garden(plant, tmp_path, kind)
    site.built()
    site.lns.wait_log("sh: the walls stand")
    assert site.rules_now("PREROUTING") == ["-A PREROUTING -j garden_users"]
    joe, jim = site.up("joe"), site.up("jim")
    assert (site.lns.session("joe")["G"], site.lns.session("jim")["G"]) == ("N", "Y")
    assert site.details("jim")["Walled Garden"] == "YES"
    gardened = {s["user"]: s["garden"] for s in json.loads("".join(site.lns.run("show session json")))}
    assert gardened == {"joe": False, "jim": True}
    site.wait_inside(jim.address)
    assert PAGE in fetch(jim, plant.network.CORE2)
    assert fetch(joe, plant.network.CORE2) is None  # nobody listens there
    jim.ping(plant.network.CORE2)  # what the rules do not name goes where it should
    jim.hangup()
    site.wait_inside()
    jack = site.up("jack")
    site.wait_inside(jack.address)
    assert fetch(joe, plant.network.CORE2) is None
    site.lns.stop()
    assert not [line for line in site.rules_now() if "garden" in line]


@pytest.mark.parametrize("pair, flag", [("garden=yes", "Y"), ("garden=no", "N")])
def test_garden_by_radius(plant, tmp_path, pair, flag):
    site = Garden(plant, tmp_path)
    site.pairs = {"jane": pairs(pair)}
    jane = site.up("jane")
    assert site.lns.session("jane")["G"] == flag
    site.built()
    site.wait_inside(*[jane.address] * (flag == "Y"))


def test_garden_has_old_chains_and_no_rules(plant, tmp_path, kind):
    """What a crashed daemon left behind is cleaned; without build-garden it is told that there are no walls."""
    site = Garden(plant, tmp_path, kind, rules=False)
    site.built()
    jim = site.up("jim")
    site.wait_inside(jim.address)
    site.lns.wait_log("build-garden: the garden has no walls")
    site.lns.process.send_signal(signal.SIGKILL)
    site.lns.process.wait()
    assert site.inside() == [jim.address]
    site.lns.start()
    site.wait_inside()
    wait_for(lambda: site.rules_now("PREROUTING") == ["-A PREROUTING -j garden_users"], "one jump")


def test_garden_and_the_rightful_owner(plant, tmp_path):
    """A wrong password in joe's name gets into the garden, and does not end joe's session."""
    site = Garden(plant, tmp_path)
    joe = site.up("joe")
    site.server.answer = lambda server, request: [server.reject(request)]
    other = site.up("joe", "guessed")
    assert sorted(s["G"] for s in site.lns.sessions()) == ["N", "Y"]
    joe.ping(site.network.CORE)
    site.wait_inside(other.address)


def test_commands_are_for_the_rightful_owner(plant, tmp_path):
    """nsctl by name: joe is meant, not who sits in the garden under his name."""
    site = Garden(plant, tmp_path, settings={"allow_duplicate_users": "yes"})  # else joe's login ends the other
    accept, site.server.answer = site.server.answer, lambda server, request: [server.reject(request)]
    other = site.up("joe", "guessed")
    site.server.answer = accept
    joe = site.up("joe")
    site.wait_inside(other.address)
    assert nsctl(site.network.lns, "garden", "joe") == (0, "", "")
    site.wait_inside(other.address, joe.address)
    assert nsctl(site.network.lns, "ungarden", "joe") == (0, "", "")
    site.wait_inside(other.address)
    joe.hangup()
    wait_for(lambda: len(site.lns.sessions()) == 1, "the end of joe")
    assert nsctl(site.network.lns, "ungarden", "joe") == (0, "", "")  # there is nobody else of that name
    site.wait_inside()


def test_garden_and_a_new_negotiation(plant, tmp_path):
    """Refused when he logs in again on his link, or put in by nsctl in the midst of it: his rule is there."""
    site = Garden(plant, tmp_path)
    site.built()
    joe, joan = site.up("joe"), site.up("joe2")
    site.server.answer = lambda server, request: [server.reject(request)]
    joe.renegotiate().up("joe", "wrong")
    assert site.lns.session("joe")["G"] == "Y"
    site.wait_inside(joe.address)
    joan.renegotiate()
    assert nsctl(site.network.lns, "garden", "joe2") == (0, "", "")
    site.wait_inside(joe.address, joan.address)
    assert nsctl(site.network.lns, "ungarden", site.lns.session("joe")["SID"]) == (0, "", "")
    site.wait_inside(joan.address)


def test_garden_renamed_and_negotiating_anew(plant, tmp_path):
    """Let out under another name: his own one is good on his link still, as is the new one; nobody else's is."""
    site = Garden(plant, tmp_path)
    site.built()
    jim = site.up("jim")
    assert nsctl(site.network.lns, "ungarden", site.lns.session("jim")["SID"], "paid@example.net") == (0, "", "")
    site.pairs = {"jim": b"", "paid@example.net": b""}
    address = jim.address
    for name in "jim", "paid@example.net", "jim":
        jim.renegotiate().up(name)
        assert jim.address == address
        jim.ping(site.network.CORE)
        (row,) = site.lns.sessions()
        assert (row["Username"], row["G"]) == ("paid@example.net", "N")
    jim.renegotiate()
    assert jim.authenticate("joe", "secret") is False
    site.lac.wait(lambda: jim.closed, "the CDN")


def test_garden_keeps_an_accounted_name(plant, tmp_path):
    """Put in after his Start: his Stop must bear the same name, so he goes out under no other."""
    site = Garden(plant, tmp_path, settings={"radius_accounting": "yes"})
    accounts = plant.keep(FakeRadius(plant.network.core, plant.network.CORE, 1813, SECRET))
    accounts.answer = acknowledge
    site.built()
    joe = site.up("joe")
    wait_for(lambda: [r.status for r in accounts.records][-1:] == [1], "the Start")
    assert nsctl(site.network.lns, "garden", "joe") == (0, "", "")
    sid = site.lns.session("joe")["SID"]
    code, why, _ = nsctl(site.network.lns, "ungarden", sid, "other")
    assert code == 1 and "accounting has begun: he keeps his name" in why, why
    site.wait_inside(joe.address)
    assert nsctl(site.network.lns, "ungarden", sid, "joe") == (0, "", "")
    joe.hangup()
    wait_for(lambda: [(r.status, r.get(USER_NAME)) for r in accounts.records][-2:] == [(1, b"joe"), (2, b"joe")],
             "Start and Stop of one name")


def test_garden_is_closed_to_mschapv2(plant, tmp_path):
    """A refused MS-CHAPv2 login is refused: no answer to it would be valid."""
    site = Garden(plant, tmp_path, settings={"radius_authtypes": "mschapv2"})
    session = site.tunnel.session()
    session.chap_respond = lambda: session.send_cp(pylac.CHAP, 2, bytes([49]) + os.urandom(49) + b"jim",
                                                   session.chap_ident)
    assert session.authenticate("jim", "wrong") is False
    assert session.message.startswith(b"E=691")
    assert site.server.access


def test_garden_in_a_rush(plant, tmp_path, kind):
    """300 at once, and all gone again: few programs, no rule lost."""
    site = Garden(plant, tmp_path, kind)
    site.built()
    site.server.answer = lambda server, request: [server.reject(request)]
    sessions = [site.tunnel.session() for _ in range(300)]
    for n, session in enumerate(sessions):
        session.user, session.password = "user%d" % n, "wrong"
        session.lcp_up().pap_request()
    site.lac.wait(lambda: all(s.authenticated for s in sessions), "all logins", 30)
    for session in sessions:
        session.ipcp_request()
    site.lac.wait(lambda: all(s.ipcp_sent for s in sessions), "all addresses", 30)
    wait_for(lambda: len(site.inside()) == 300, "all in the chain", 30)
    assert sorted(site.inside()) == sorted(s.address for s in sessions)
    site.tunnel.stop()
    site.wait_inside()
    ran = site.lns.log.count("running iptables-restore")
    assert 2 < ran < 100, ran
    assert not site.lns.counters()["command_refused"]


def test_garden_unloaded_and_loaded(plant, tmp_path):
    """With sessions up: the chains go and come, with who is inside."""
    site = Garden(plant, tmp_path)
    joe, jim = site.up("joe"), site.up("jim")
    site.wait_inside(jim.address)
    assert not "".join(site.lns.set("remove plugin garden")).strip()
    wait_for(lambda: not [line for line in site.rules_now() if "garden" in line], "the end of the chains")
    assert site.lns.session("jim")["G"] == "Y"
    assert not site.tunnel.session().authenticate("jack", "wrong")
    site.lns.set("load plugin garden")
    site.wait_inside(jim.address)
    for session in joe, jim:
        session.ping(site.network.CORE)


def test_iptables_hangs(plant, tmp_path):
    """The daemon goes on, reports it, ends the program after a minute and tries again later."""
    site = Garden(plant, tmp_path, clock=True)
    site.built()
    site.spoil("iptables-restore", "sleep 1000\n")
    start = len(site.lns.process.lines)
    jim = site.up("jim")
    site.lns.wait_log("running iptables-restore -w --noflush", start)
    site.lns.step(6)
    site.lns.wait_log("iptables-restore -w --noflush has not ended after [67] seconds")
    jim.ping(site.network.CORE)
    site.up("joe").ping(site.network.CORE)
    site.lns.step(55)
    site.lns.wait_log("iptables-restore -w --noflush hangs: killed after 6[0-9] seconds")
    site.lns.wait_log("garden: iptables has failed; all is made anew in 5 seconds")
    assert site.inside() == []
    jim.ping(site.network.CORE)
    site.mend("iptables-restore")
    wait_for(lambda: site.inside() == [jim.address], "the garden made anew")
    assert site.lns.counters()["command_failed"] >= 1


@pytest.mark.parametrize("script, told", [
    ("kill -9 $$\n", "iptables-restore -w --noflush: ended by signal 9"),
    ("echo no permission >&2; exit 4\n", "iptables-restore -w --noflush: exit status 4; it said: no permission")])
def test_iptables_fails(plant, tmp_path, script, told):
    site = Garden(plant, tmp_path)
    site.built()
    site.spoil("iptables-restore", script)
    jim = site.up("jim")
    site.lns.wait_log(told)
    jim.ping(site.network.CORE)
    site.mend("iptables-restore")
    site.wait_inside(jim.address)


def test_iptables_is_not_there(plant, tmp_path):
    """Who is refused is let in all the same; once there is one, the garden is made."""
    (tmp_path / "only").mkdir()
    for name in "sh", "setpriv":
        (tmp_path / "only" / name).symlink_to(shutil.which(name))
    site = Garden(plant, tmp_path, env={"PATH": str(tmp_path / "only")}, rules=False)
    site.lns.wait_log("cannot run iptables-restore -w --noflush: No such file or directory")
    jim = site.up("jim")
    jim.ping(site.network.CORE)
    for name in "iptables", "iptables-restore":
        (tmp_path / "only" / name).symlink_to(KINDS["nft"])
    site.wait_inside(jim.address)


def test_stop_while_iptables_hangs(plant, tmp_path):
    """SIGTERM does not wait for it, and leaves no process behind."""
    site = Garden(plant, tmp_path)
    site.built()
    site.spoil("iptables-restore", "echo $$ > %s/child; exec sleep 1000\n" % tmp_path)
    site.up("jim")
    child = wait_for(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text(), "the program")
    began = time.monotonic()
    site.lns.stop()
    assert time.monotonic() - began < 2
    wait_for(lambda: not os.path.exists("/proc/" + child.strip()), "the end of the program")
    site.lns.wait_log("iptables-restore -w --noflush was not done before the end")


# ---------------------------------------------------------------------------- the loader

GOOD = """
#include "plugin.h"
int plugin_api_version = PLUGIN_API_VERSION;
"""


@pytest.fixture
def folder(tmp_path):
    """A plugin_dir of the test's own, with the shipped ones in it."""
    path = tmp_path / "plugins"
    shutil.copytree(plugin_dir(), path, ignore=shutil.ignore_patterns("*.d"))
    return path


def shown(lns):
    lines = [line for line in lns.run("show plugins") if line]
    assert lines[0] == "Plugins currently loaded:"
    assert all(line.startswith("  ") for line in lines[1:])
    names = [line.strip() for line in lines[1:]]
    assert json.loads("".join(lns.run("show plugins json"))) == names
    return names


@pytest.mark.san
def test_loader(plant, folder):
    """At run time: order, what cannot be loaded and why, what is printed and written."""
    compile_plugin(folder, "good", GOOD)
    compile_plugin(folder, "old", "int plugin_api_version = 9;")
    compile_plugin(folder, "new", "int plugin_api_version = 11;")
    compile_plugin(folder, "none", "int x;")
    compile_plugin(folder, "hole", GOOD + "int nonesuch(void); int plugin_init(const struct pluginfuncs *f) "
                   "{ return nonesuch(); }")
    compile_plugin(folder, "unwilling", GOOD + "int plugin_init(const struct pluginfuncs *f) { return 0; }")
    (folder / "text.so").write_text("not an object")
    (folder / ".hidden.so").symlink_to("good.so")
    lns = plant.lns({"plugin_dir": folder}, extra=plugins("stripdomain", "nonesuch", "autosnoop"))
    assert "nonesuch.so" in lns.wait_log(r"cannot load plugin nonesuch: .*").group()
    assert shown(lns) == ["stripdomain", "autosnoop"]

    def typed(line):
        return " ".join(lns.set(line)).strip()
    assert typed("load plugin good") == ""
    for name, answer in {
            "good": "plugin good is loaded already",
            "old": "old.so is older than this l2tpns: it has plugin interface 9, not 10; build it anew",
            "new": "new.so is newer than this l2tpns: it has plugin interface 11, not 10",
            "none": "none.so is no plugin: it has no plugin_api_version",
            "hole": "undefined symbol: nonesuch",
            "unwilling": "unwilling.so does not want to be loaded",
            "text": "text.so:",
            "missing": "missing.so: cannot open shared object file: No such file or directory",
            "../plugins/good": "load plugin: '../plugins/good' is no name of a plugin",
            ".hidden": "load plugin: '.hidden' is no name of a plugin"}.items():
        assert answer in typed("load plugin " + name), name
    assert shown(lns) == ["stripdomain", "autosnoop", "good"]
    assert typed("remove plugin stripdomain") == ""
    assert typed("remove plugin stripdomain") == "remove plugin: stripdomain is not loaded"
    assert shown(lns) == ["autosnoop", "good"]
    config = lns.run("show running-config")
    at = config.index("# Plugins")
    assert config[at + 1:at + 5] == ['load plugin "nonesuch"', 'load plugin "autosnoop"', 'load plugin "good"', "# end"]


def test_reload(plant, folder):
    """SIGHUP loads and unloads the difference; the rest is not touched; a broken one does not keep others out."""
    for name in "a", "b", "c":
        compile_plugin(folder, name, GOOD + """
static const struct pluginfuncs *f;
int plugin_init(const struct pluginfuncs *g) { f = g; f->log(PLUGIN_LOG_ERROR, NULL, "begins"); return 1; }
void plugin_done(void) { f->log(PLUGIN_LOG_ERROR, NULL, "ends"); }
""")
    lns = plant.lns({"plugin_dir": folder}, extra=plugins("a", "b"))
    assert shown(lns) == ["a", "b"]
    start = len(lns.process.lines)
    lns.extra = plugins("b", "broken", "c")
    lns.write_config()
    lns.process.send_signal(signal.SIGHUP)
    lns.wait_log("plugin c is loaded", start)
    assert shown(lns) == ["b", "c"]
    said = [m.group(1) for m in re.finditer(r"([abc]: (?:begins|ends)|cannot load plugin \w+)",
                                            "\n".join(lns.process.lines[start:]))]
    assert said == ["a: ends", "cannot load plugin broken", "c: begins"]
    lns.stop()
    assert re.findall(r"([abc]: ends)", lns.log)[-2:] == ["c: ends", "b: ends"]


@pytest.mark.san
def test_unloaded_while_its_program_runs(plant, folder):
    """Nobody calls into what is gone: neither for the program that runs nor for those that wait, nor its kill."""
    compile_plugin(folder, "runs", GOOD + """
static const struct pluginfuncs *f;
static void done(void *arg, int status) { f->log(PLUGIN_LOG_ERROR, NULL, "ended with %d", status); }
int plugin_init(const struct pluginfuncs *g)
{
	char *argv[] = { "sh", "-c", "read x; echo did $x", NULL };
	char *wait[] = { "sleep", "1", NULL };

	f = g;
	f->run_command(wait, done, NULL);
	return f->run_with_input(argv, "it", 2, done, NULL) == 0;
}
void plugin_done(void)
{
	if (f->get_session_by_user("joe"))
		f->kill_session(f->get_session_by_user("joe"), "his plugin has gone");
}
""")
    site = Site(plant, [], {"plugin_dir": folder})
    joe = site.up("joe")
    for _ in range(2):
        assert not "".join(site.lns.set("load plugin runs")).strip()
        assert not "".join(site.lns.set("remove plugin runs")).strip()
    site.lac.wait(lambda: joe.gone, "the end of joe")
    wait_for(lambda: site.lns.log.count("sh: did it") == 2, "both programs")
    assert "runs: ended" not in site.lns.log
    site.lns.check()
    assert not "".join(site.lns.set("load plugin runs")).strip()
    site.lns.wait_log("runs: ended with 0")


# ---------------------------------------------------------------------------- events

def test_pre_auth(plant, folder):
    """A plugin refuses one, lets RADIUS not be asked for another, and puts in another password."""
    compile_plugin(folder, "judge", GOOD + """
#include <stdlib.h>
#include <string.h>
int plugin_pre_auth(struct param_pre_auth *p)
{
	if (p->protocol != PLUGIN_PAP || !p->password)
		return PLUGIN_RET_ERROR;
	if (strcmp(p->username, "jim") == 0)
		return PLUGIN_RET_ERROR;
	if (strcmp(p->username, "jack") == 0)
		p->continue_auth = 0;
	if (strcmp(p->username, "joe") == 0) {
		free(p->password);
		p->password = strdup("another and longer password");
	}
	return strcmp(p->username, "joe2") == 0 ? PLUGIN_RET_STOP : PLUGIN_RET_OK;
}
""")
    site = Site(plant, ["judge", "stripdomain"], {"plugin_dir": folder})
    for user in "jim", "jack":
        assert site.tunnel.session().authenticate(user, "secret") is False
    assert not site.server.access
    site.lns.wait_log("judge: plugin_pre_auth failed")
    site.up("joe")
    assert site.server.access[0].password(SECRET.encode()) == b"another and longer password"
    site.up("joe1@isp", "p\0w")
    assert site.server.access[1].password(SECRET.encode()) == b"p\0w"
    assert site.server.access[1].get(USER_NAME) == b"joe1"
    site.up("joe2")
    site.lns.check()


def test_other_names(plant, folder):
    """A plugin puts in another name: RADIUS, show and accounting have that one. One that is none is refused."""
    compile_plugin(folder, "names", GOOD + """
#include <stdlib.h>
#include <string.h>
int plugin_pre_auth(struct param_pre_auth *p)
{
	char *name = calloc(1, 300);

	if (strcmp(p->username, "longest") == 0)
		memset(name, 'j', 252);
	else if (strcmp(p->username, "longer") == 0)
		memset(name, 'j', 299);
	else if (strcmp(p->username, "none") == 0)
		{ free(name); name = NULL; }
	else if (strcmp(p->username, "joe") == 0)
		strcpy(name, "joe2@isp.example");
	free(p->username);
	p->username = name;
	return PLUGIN_RET_OK;
}
""")
    site = Site(plant, ["names"], {"plugin_dir": folder, "radius_accounting": "yes"})
    accounts = plant.keep(FakeRadius(plant.network.core, plant.network.CORE, 1813, SECRET))
    accounts.answer = acknowledge
    site.pairs = {"j" * 252: b""}
    for user in "longer", "none", "empty":
        assert site.tunnel.session().authenticate(user, "secret") is False
    assert not site.server.access
    site.up("joe").ping(site.network.CORE)
    assert site.lns.session("joe2@isp.example") and not site.lns.session("joe")
    site.up("longest")
    names = [b"joe2@isp.example", b"j" * 252]
    assert [r.get(USER_NAME) for r in site.server.access] == names
    wait_for(lambda: [r.get(USER_NAME) for r in accounts.records if r.status == 1] == names, "both Starts")
    site.lns.check()


@pytest.mark.san
def test_results_of_radius_events(plant, folder):
    """STOP and ERROR keep a pair, a check, a reset and a record from the plugins behind, and harm nothing else."""
    compile_plugin(folder, "judge", GOOD + """
#include <string.h>
static const struct pluginfuncs *f;
int plugin_init(const struct pluginfuncs *g) { f = g; return 1; }
static int judge(const char *key, const char *value)
{
	return strcmp(key, "throttle") != 0 ? PLUGIN_RET_OK : strcmp(value, "1") == 0 ? PLUGIN_RET_ERROR :
	       strcmp(value, "2") == 0 ? PLUGIN_RET_STOP : PLUGIN_RET_OK;
}
int plugin_radius_response(struct param_radius_response *p) { return judge(p->key, p->value); }
int plugin_radius_check(struct param_radius_check *p) { return judge(p->key, p->value); }
int plugin_radius_account(struct param_radius_account *p)
{
	f->radius_add(p->packet, 0, 11, "judged", 6);
	return strcmp(f->session_user(p->s), "a") == 0 ? PLUGIN_RET_ERROR : PLUGIN_RET_OK;
}
""")
    site = Site(plant, ["judge", "autothrottle"], {"plugin_dir": folder, "radius_accounting": "yes"})
    accounts = plant.keep(FakeRadius(plant.network.core, plant.network.CORE, 1813, SECRET))
    accounts.answer = acknowledge
    site.pairs = {"a": pairs("throttle=100", "throttle=1"), "b": pairs("throttle=2"), "c": pairs("throttle=2,throttle=3")}
    for user in site.pairs:
        site.up(user).ping(site.network.CORE)

    def rates():
        return {t["user"]: t["rate_in_kbit"] for t in json.loads("".join(site.lns.run("show throttle json")))}
    assert rates() == {"a": 100, "c": 3}
    starts = wait_for(lambda: len(found := [r for r in accounts.records if r.status == 1]) == 3 and found, "three Starts")
    starts = {r.get(USER_NAME): (r.get(11), r.get(VENDOR)) for r in starts}
    told = struct.pack("!IBB", 9, 1, 14) + b"throttle=yes"
    assert starts == {b"a": (b"judged", None), b"b": (b"judged", None), b"c": (b"judged", told)}
    site.lns.wait_log("judge: plugin_radius_response failed")

    def coa(user, pair):
        with site.network.core:
            done = subprocess.run(["radclient", "-x", "-r", "1", "-t", "5", site.network.LNS + ":3799", "coa", SECRET],
                                  input='User-Name = "%s", Cisco-AVPair = "%s"' % (user, pair), stdout=subprocess.PIPE,
                                  text=True, timeout=60)
        return "Received CoA-ACK" in done.stdout
    assert not coa("c", "throttle=1") and not coa("c", "throttle=50,throttle=1")
    assert rates()["c"] == 3
    assert coa("c", "throttle=50,throttle=2")
    assert rates() == {"a": 100, "c": 50}
    assert coa("c", "throttle=2")
    assert rates() == {"a": 100}
    assert not coa("c", "nobodys=1")
    compile_plugin(folder, "taker", GOOD + "int plugin_radius_response(struct param_radius_response *p) "
                   "{ return p->key[0] ? PLUGIN_RET_OK : PLUGIN_RET_STOP; }")
    assert not "".join(site.lns.set("load plugin taker")).strip()
    assert coa("c", "nobodys=1")  # it does not tell which are its own
    assert not coa("c", "nobodys=1,throttle=1")


def test_post_auth_refuses(plant, folder):
    compile_plugin(folder, "judge", GOOD + """
int plugin_post_auth(struct param_post_auth *p) { p->auth_allowed = 0; return PLUGIN_RET_OK; }
""")
    site = Site(plant, ["judge"], {"plugin_dir": folder})
    session = site.tunnel.session()
    assert session.authenticate("joe", "secret") is False
    assert session.message == b"refused by a plugin"
    site.lns.wait_gone("joe")


PACKETS = """
#include <string.h>
/* Behind a header of 20 octets: to or from port 7000 is dropped; of 7001 the first two words change places. */
static int look(char *buf, uint16_t len, int at)
{
	unsigned port = (unsigned char)buf[at] << 8 | (unsigned char)buf[at + 1];
	char word[2];

	if (buf[9] != 17 || len < 32)
		return PLUGIN_RET_OK;
	if (port == 7001) {
		memcpy(word, buf + 28, 2);
		memcpy(buf + 28, buf + 30, 2);
		memcpy(buf + 30, word, 2);
	}
	return port == 7000 ? PLUGIN_RET_STOP : PLUGIN_RET_OK;
}
int plugin_packet_rx(struct param_packet_rx *p) { return look(p->buf, p->len, 22); }
int plugin_packet_tx(struct param_packet_tx *p) { return look(p->buf, p->len, 20); }
"""


@pytest.mark.san
def test_packets(plant, folder):
    """Dropped, changed and left alone, both ways; counted; and nothing of it once the plugin is gone."""
    compile_plugin(folder, "packets", GOOD + PACKETS)
    site = Site(plant, ["packets"], {"plugin_dir": folder})
    joe = site.up("joe")
    core = {}
    for port in 7000, 7001, 7002:
        core[port] = site.network.core.socket(socket.AF_INET, socket.SOCK_DGRAM)
        core[port].bind((site.network.CORE, port))
        core[port].settimeout(10)

    def up(port):
        joe.send_ip(packets.udp(joe.address, site.network.CORE, 9000, port, b"ABCDEFGH"))
        return core[port].recvfrom(100)[0]

    def down(port):
        core[port].sendto(b"ABCDEFGH", (joe.address, 9000))
        got = joe.wait_packet(lambda p: p.proto == packets.UDP and p.dport == 9000)
        assert got.transport_good and got.sport == port
        return got.payload[8:]
    joe.send_ip(packets.udp(joe.address, site.network.CORE, 9000, 7000, b"ABCDEFGH"))
    core[7000].sendto(b"ABCDEFGH", (joe.address, 9000))
    assert (up(7001), up(7002)) == (b"CDABEFGH", b"ABCDEFGH")
    assert (down(7001), down(7002)) == (b"CDABEFGH", b"ABCDEFGH")
    counters = site.lns.counters()
    assert (counters["rx_plugin"], counters["tx_plugin"]) == (1, 1)
    core[7000].settimeout(0)
    with pytest.raises(BlockingIOError):
        core[7000].recv(100)
    core[7000].settimeout(10)
    site.lns.set("remove plugin packets")
    assert up(7000) == up(7001) == b"ABCDEFGH"
    assert down(7000) == down(7001) == b"ABCDEFGH"
    for sock in core.values():
        sock.close()


def test_life_of_a_session(plant, folder):
    """The events of a session in order; its members can be read to the last; who kills it is named."""
    names = ["new_session", "kill_session", "radius_response", "post_auth", "pre_auth"]
    compile_plugin(folder, "watch", GOOD + """
#include <string.h>
#include <arpa/inet.h>
static const struct pluginfuncs *f;
int plugin_init(const struct pluginfuncs *g) { f = g; return 1; }
static int tell(plugin_session s, const char *what)
{
	struct in_addr ip = { f->session_ip(s) };
	f->log(PLUGIN_LOG_ERROR, s, "hears %s of %s %s", what, f->session_user(s), inet_ntoa(ip));
	return PLUGIN_RET_OK;
}
int plugin_timer(struct param_timer *p)
{
	plugin_session s = f->get_session_by_user("joe");
	if (s && strcmp(f->session_calling(s), "666") == 0)
		f->kill_session(s, "number of the beast");
	return PLUGIN_RET_OK;
}
""" + "".join("int plugin_%s(struct param_%s *p) { return tell(p->s, \"%s\"); }\n" % (n, n, n) for n in names))
    site = Site(plant, ["watch"], {"plugin_dir": folder})
    site.pairs = {"joe": pairs("a=b,c=d")}
    session = site.tunnel.session(calling="666").up("joe")
    site.lac.wait(lambda: session.gone, "the end")
    site.lns.wait_log("hears kill_session")
    heard = re.findall(r"watch: hears (\w+) of (\S* ?\S+)", site.lns.log)
    who = "joe " + session.address
    assert heard == [("pre_auth", " 0.0.0.0"), ("post_auth", " 0.0.0.0"), ("radius_response", who),
                     ("radius_response", who), ("new_session", who), ("kill_session", who)]
    assert "number of the beast" in site.lns.log


def test_example_in_the_document(plant, folder):
    """The C text of Docs/plugins.md, as it stands there: it compiles, loads, and does what it says."""
    with open(os.path.join(ROOT, "Docs", "plugins.md")) as f:
        (source,) = re.findall(r"^```c\n(.*?)^```", f.read(), re.M | re.S)
    compile_plugin(folder, "guest", source)
    site = Site(plant, ["guest"], {"plugin_dir": folder, "idle_echo_timeout": 7200}, clock=True)
    site.pairs = {"guest1": b""}
    guest, joe = site.up("guest1"), site.up("joe")
    assert (site.lns.session("guest1")["T"], site.lns.session("joe")["T"]) == ("Y", "N")
    site.lns.wait_log("guest: welcome, guest guest1")
    site.lns.step(3590)
    guest.ping(site.network.CORE)
    site.lns.step(12)
    site.lac.wait(lambda: guest.gone, "the end of the guest")
    site.lns.wait_log("a guest stays an hour")
    assert not joe.gone
