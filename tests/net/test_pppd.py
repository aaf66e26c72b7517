"""Real subscribers: xl2tpd and pppd on a Linux kernel's own L2TP, logins through FreeRADIUS.

One guest, one RADIUS server and one daemon serve the whole module.
"""

import hashlib
import json
import random
import re
import socket
import threading

import pytest

from netns import wait_for
from packets import Ip

SECRET = "tunnelsecret"
MTU = 1500 - 38  # SPEC 3, l2tp_mtu
USERS = {
    "joe": ("secret", {}),
    "fixed": ("secret", {"Framed-IP-Address": "10.9.0.77", "Framed-IP-Netmask": "255.255.255.255"}),
    "outside": ("secret", {"Framed-IP-Address": "10.66.1.2"}),
    "dns": ("secret", {"MS-Primary-DNS-Server": "10.2.0.53", "MS-Secondary-DNS-Server": "10.2.0.54"}),
    "short": ("secret", {"Session-Timeout": 8}),
    "idle": ("secret", {"Idle-Timeout": 2}),
    "router": ("secret", {"Framed-Route": ["10.77.1.0/24 0.0.0.0 1", "10.78.0.0/16"]}),
    "smallmtu": ("secret", {"Framed-MTU": 1280}),
}
USERS.update({"many%d" % n: ("secret", {}) for n in range(8)})


@pytest.fixture(scope="module")
def site(module):
    module.radius = module.freeradius(USERS)
    module.daemon = module.lns({
        "primary_radius": module.network.CORE, "primary_radius_port": 1812, "radius_secret": module.radius.secret,
        "radius_authtypes": "pap,chap,mschapv2", "l2tp_secret": SECRET, "hello_interval": 2, "ppp_restart_time": 1,
        "peer_address": "10.9.255.1", "primary_dns": "10.2.0.2", "secondary_dns": "10.2.0.3"})
    module.guest = module.uml()
    return module


@pytest.fixture
def lns(site):
    if not site.daemon.process.alive():
        site.daemon.start()
    yield site.daemon
    site.daemon.check()


@pytest.fixture
def guest(site, lns):
    yield site.guest
    site.guest.hangup_all()


def ping(guest, call, target, *options):
    return guest.run("ping -n -c3 -i0.1 -W5 -I %s %s %s" % (call.address, " ".join(options), target))


# ---------------------------------------------------------------------------- tunnels

def test_tunnel_without_secret(site, guest, lns):
    """A LAC that does not ask for authentication gets a tunnel, though we have a secret."""
    call = guest.dial("open").wait_up()
    assert "Using l2tp kernel support" in call.xl2tpd_log
    session = lns.wait_session("joe")
    assert session["IP"] == call.address
    tunnel = [t for t in lns.tunnels() if t["TID"] == session["TID"]]
    assert tunnel and tunnel[0]["IP"] == site.network.UML and tunnel[0]["State"] == "Open"


def test_tunnel_lac_challenges(guest, lns):
    """The LAC challenges us: our response is right."""
    guest.dial("asks", secret=SECRET).wait_up()


@pytest.fixture
def required(lns):
    lns.set("set require_tunnel_auth yes")
    yield lns
    lns.set("set require_tunnel_auth no")


@pytest.mark.san
def test_tunnel_we_challenge(guest, required):
    """Both sides challenge."""
    guest.dial("both", secret=SECRET).wait_up()


@pytest.mark.parametrize("secret", ["othersecret", None])
def test_tunnel_wrong_secret(guest, required, secret):
    """With require_tunnel_auth a LAC with another secret, or with none, gets no tunnel and no session."""
    call = guest.dial("wrong", secret=secret, lac="challenge = no")
    # Result code 4: the requester is not authorized
    call._wait(lambda: re.search(r"(?i)closing for reason 4|Connection closed|secret|Invalid|bad", call.xl2tpd_log)
               and "Connection established" not in call.xl2tpd_log.split("reason 4")[-1], "the refusal", 20)
    assert required.sessions() == []
    assert "Connect:" not in call.log, call.log
    wait_for(lambda: required.tunnels() == [], "the end of the tunnel")


def test_tunnel_lac_refuses_our_wrong_secret(guest, lns):
    """The LAC challenges us with another secret: it must find our response wrong."""
    call = guest.dial("doubt", secret="othersecret")
    call.wait_xl2tpd("nvalid")  # "Invalid challenge authentication", as it logs
    assert "Connect:" not in call.log
    assert lns.sessions() == []


# ---------------------------------------------------------------------------- logins

METHODS = {  # of pppd: its words of success, and what RADIUS must have been sent
    "pap": ("PAP authentication succeeded", {"User-Password"}),
    "chap": ("CHAP authentication succeeded", {"CHAP-Password"}),
    "mschap-v2": ("CHAP authentication succeeded", {"MS-CHAP-Challenge", "MS-CHAP2-Response"}),
}


@pytest.mark.san
@pytest.mark.parametrize("method", METHODS)
def test_login(site, guest, lns, method):
    """The right password gets in by each method (pppd naks ours until it is the one it admits)."""
    success, attributes = METHODS[method]
    before = len(site.radius.requests)
    call = guest.dial(method, auth=method).wait_up()
    assert success in call.log
    requests = site.radius.requests[before:]
    assert len(requests) == 1, requests
    assert attributes <= {name for name, _ in requests[0]}, requests
    assert ("User-Name", "joe") in requests[0]


FAILURES = {  # what pppd received, and what it said
    "pap": (r"rcvd \[PAP AuthNak id=0x\w+", "PAP authentication failed"),
    "chap": (r"rcvd \[CHAP Failure id=0x\w+", "CHAP authentication failed"),
    "mschap-v2": (r'rcvd \[CHAP Failure id=0x\w+ "E=691 R=[01]', "E=691"),
}


@pytest.mark.san
@pytest.mark.parametrize("method", FAILURES)
def test_wrong_password(guest, lns, method):
    """A wrong password: the method's own refusal, then LCP ends, then the session is gone."""
    received, said = FAILURES[method]
    free = lns.pool()[1]
    call = guest.dial("bad" + method, auth=method, password="wrong")
    call._wait(lambda: re.search(received, call.log), received, 20)
    call.wait_log(said)
    call.wait_exit()
    assert "ConfReq" not in re.findall(r"(?:sent|rcvd) \[IPCP.*", call.log)
    # The refusal comes first, the termination (ours, or the one pppd beats us to) after it.
    assert re.search(received, call.log).start() < call.log.index("TermReq"), call.log
    wait_for(lambda: lns.sessions() == [], "the end of the session")
    assert lns.pool()[1] == free


def test_unknown_user(guest, lns):
    call = guest.dial("nobody", user="nobody")
    call.wait_log("PAP authentication failed")
    wait_for(lambda: lns.sessions() == [], "the end of the session")


# ---------------------------------------------------------------------------- addresses

def test_framed_ip_address(guest, lns):
    call = guest.dial("fixed", user="fixed").wait_up()
    assert (call.address, call.remote) == ("10.9.0.77", "10.9.255.1")
    assert lns.wait_session("fixed")["IP"] == "10.9.0.77"
    assert lns.pool()[0].get("10.9.0.77") == "fixed", "a Framed-IP-Address within the pool is taken from it"
    ping(guest, call, "10.2.0.2")


def test_framed_ip_address_outside_the_pool(site, guest, lns):
    """An address of no pool gets a route of its own while the session lives."""
    assert "dev" not in site.network.lns.run("ip", "route", "show", "10.66.1.2")
    call = guest.dial("outside", user="outside").wait_up()
    assert call.address == "10.66.1.2"
    assert "dev tun0" in site.network.lns.run("ip", "route", "show", "10.66.1.2")
    ping(guest, call, "10.2.0.2")
    call.terminate()
    lns.wait_gone("outside")
    wait_for(lambda: "dev" not in site.network.lns.run("ip", "route", "show", "10.66.1.2"), "the route's end")


def test_pool_address_returns(guest, lns):
    """pppd ends: the session is freed, the address back in the pool, and the same at the next login."""
    before = lns.pool()[1]
    call = guest.dial("pool").wait_up()
    assert call.address.startswith("10.9.0.")
    used, counts = lns.pool()
    assert used == {call.address: "joe"}
    assert counts == {"Free": before["Free"] - 1, "Used": before["Used"] + 1}
    call.terminate()
    call.wait_exit()
    assert "rcvd [LCP TermAck" in call.log
    lns.wait_gone("joe")
    assert lns.pool()[1] == before
    again = guest.dial("pool").wait_up()
    assert again.address == call.address


def test_dns(guest, lns):
    up = guest.dial("dns").wait_up().up
    assert (up["DNS1"], up["DNS2"]) == ("10.2.0.2", "10.2.0.3")


def test_dns_from_radius(guest, lns):
    up = guest.dial("dns", user="dns").wait_up().up
    assert (up["DNS1"], up["DNS2"]) == ("10.2.0.53", "10.2.0.54")


# ---------------------------------------------------------------------------- packets

@pytest.mark.san
def test_ping_sizes(site, guest, lns):
    """Small, 1,400 and more, just the MTU, and fragmented; counted in both directions."""
    call = guest.dial("ping").wait_up()
    assert call.interface_mtu() == MTU
    for size in 0, 56, 1400, MTU - 28, MTU - 27, 4000:
        ping(guest, call, site.network.CORE, "-s %d" % size)
    session = lns.session("joe")
    total = 3 * sum((28, 84, 1428, MTU, MTU + 1, 4028))
    for column in "uploaded", "downloaded":
        assert total <= int(session[column]) <= total + 2000, session


def df_ping(ns, address, size):
    """ping with DF; the MTU it is told."""
    output = ns.run("ping", "-n", "-c1", "-W5", "-M", "do", "-s", str(size), address, check=False)
    match = re.search(r"From ([\d.]+) .*(?:Frag needed|message too long).*mtu = (\d+)", output)
    assert match, output
    assert "bytes from" not in output, "it was delivered all the same:\n" + output
    return int(match.group(2))


def test_df_ping_too_large(site, guest, lns):
    """Both ends are told the MTU when DF forbids to fragment."""
    call = guest.dial("df").wait_up()
    assert df_ping(site.network.core, call.address, 1472) == MTU
    output = guest.run("ping -n -c1 -M do -s 1472 -I %s %s" % (call.address, site.network.CORE), check=False)
    assert re.search("mtu ?= ?%d" % MTU, output), output


@pytest.mark.parametrize("user, ppp, mtu", [("joe", "mru 1300", 1300), ("smallmtu", "", 1280)])
def test_df_ping_smaller_session_mtu(site, guest, lns, user, ppp, mtu):
    """A session's own MTU, from the peer's MRU or Framed-MTU: ours to answer, and to fragment for."""
    call = guest.dial("small", user=user, ppp=ppp).wait_up()
    site.network.core.run("ip", "route", "flush", "cache")
    assert df_ping(site.network.core, call.address, 1400) == mtu
    site.network.core.run("ip", "route", "flush", "cache")
    sniffer = guest.spawn("tcpdump -lnvi %s icmp" % call.interface, "tcpdump.%s" % call.name)
    wait_for(lambda: "listening on" in guest.read("tcpdump.%s" % call.name), "tcpdump")
    site.network.core.run("ping", "-n", "-c1", "-W5", "-M", "dont", "-s", "1400", call.address)
    wait_for(lambda: "echo reply" in guest.read("tcpdump.%s" % call.name), "the reply in the capture")
    guest.run("kill %d" % sniffer)
    lengths = [int(n) for n in re.findall(r"proto ICMP.*length (\d+)\)", guest.read("tcpdump.%s" % call.name))]
    assert lengths and lengths[0] <= mtu, "a larger packet was sent to a peer that takes %d: %s" % (mtu, lengths)


TRANSFER = """
import hashlib, random, socket, sys, threading
sock = socket.socket()
sock.bind((sys.argv[1], 0))
sock.connect((sys.argv[2], int(sys.argv[3])))
data = random.Random(int(sys.argv[4])).randbytes(int(sys.argv[5]))
def send():
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)
thread = threading.Thread(target=send)
thread.start()
got = hashlib.sha256()
while True:
    part = sock.recv(65536)
    if not part:
        break
    got.update(part)
thread.join()
print(got.hexdigest())
"""


def test_tcp_content(site, guest, lns):
    """8 MB each way at the same time arrive as they were sent."""
    size = 8 << 20
    call = guest.dial("tcp").wait_up()
    guest.write("transfer.py", TRANSFER)
    listener = site.network.core.socket()
    listener.bind((site.network.CORE, 0))
    listener.listen()
    listener.settimeout(30)
    up = hashlib.sha256()

    def serve():
        sock, _ = listener.accept()
        with sock:
            sender = threading.Thread(target=lambda: (sock.sendall(random.Random(2).randbytes(size)),
                                                      sock.shutdown(socket.SHUT_WR)))
            sender.start()
            for part in iter(lambda: sock.recv(65536), b""):
                up.update(part)
            sender.join()

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    down = guest.run("python3 /run/host/transfer.py %s %s %d 1 %d"
                     % (call.address, site.network.CORE, listener.getsockname()[1], size)).strip()
    server.join(30)
    listener.close()
    assert down == hashlib.sha256(random.Random(2).randbytes(size)).hexdigest()
    assert up.hexdigest() == hashlib.sha256(random.Random(1).randbytes(size)).hexdigest()
    session = lns.session("joe")
    assert int(session["uploaded"]) > size and int(session["downloaded"]) > size


def csum_errors(text):
    match = re.search(r"TcpInCsumErrors\s+(\d+)", text)
    return int(match.group(1)) if match else 0


@pytest.mark.parametrize("direction", ["", "-R"])
def test_tcp_two_seconds(site, guest, lns, direction):
    """iperf3 for two seconds in either direction; no segment arrives with a wrong checksum."""
    call = guest.dial("iperf").wait_up()
    server = site.network.core.start("iperf3", "-s", "-1", "-B", site.network.CORE, "--forceflush")
    server.wait_line("Server listening")
    report = json.loads(guest.run("iperf3 -J -t 2 %s -B %s -c %s" % (direction, call.address, site.network.CORE)))
    assert server.wait() == 0
    assert report["end"]["sum_received"]["bytes"] > 1 << 20, report["end"]
    assert csum_errors(site.network.core.run("nstat", "-az")) == 0
    assert csum_errors(guest.run("nstat -az")) == 0


@pytest.mark.parametrize("ppp, mtu", [("", MTU), ("mru 1300", 1300)])
def test_mss_clamped(site, guest, lns, ppp, mtu):
    """The SYNs of both ends leave us with an MSS of at most the session MTU - 40."""
    call = guest.dial("mss", ppp=ppp).wait_up()
    guest.run("ip route replace default dev %s src %s table %d advmss 1460"
              % (call.interface, call.address, call.unit + 100))
    log = "syn." + call.name
    pid = guest.spawn('tcpdump -lni %s "tcp[13] & 2 != 0"' % call.interface, log)
    wait_for(lambda: "listening on" in guest.read(log), "tcpdump")
    sniffer = site.network.core.sniff("lns")
    listener = site.network.core.socket()
    listener.bind((site.network.CORE, 0))
    listener.listen()
    guest.run("curl -s -m1 --interface %s telnet://%s:%d </dev/null" % (call.address, *listener.getsockname()),
              check=False)
    syn = Ip(sniffer.wait(lambda packet: Ip(packet).is_syn and Ip(packet).src == call.address))
    sent, received = wait_for(lambda: re.findall(r"options \[.*?mss (\d+)", guest.read(log))[:2] if len(
        re.findall(r"options \[.*?mss (\d+)", guest.read(log))) > 1 else None, "SYN and SYN-ACK at the guest")
    guest.run("kill %d" % pid)
    sniffer.close()
    listener.close()
    assert int(sent) == 1460, "the guest was to send a SYN that needs clamping"
    assert syn.mss == mtu - 40
    assert syn.transport_good and syn.header_good
    assert int(received) == mtu - 40


# ---------------------------------------------------------------------------- ends

@pytest.mark.parametrize("what", ["session", "user", "tunnel"])
def test_drop(guest, lns, what):
    """`drop` ends pppd at the other side and frees everything here."""
    call = guest.dial("drop").wait_up()
    session = lns.wait_session("joe")
    lns.run("drop %s %s" % (what, {"session": session["SID"], "user": "joe", "tunnel": session["TID"]}[what]))
    call.wait_down()
    call.wait_exit()
    lns.wait_gone("joe")
    assert lns.pool()[1]["Used"] == 0
    if what == "tunnel":
        wait_for(lambda: session["TID"] not in [t["TID"] for t in lns.tunnels()], "the end of the tunnel")
        call.wait_xl2tpd("Connection closed")


def test_session_timeout(guest, lns):
    """Session-Timeout ends a session, busy or not."""
    call = guest.dial("short", user="short").wait_up()
    assert 0 < int(lns.wait_session("short")["Rem.Time"]) <= 8
    pid = guest.spawn("ping -i0.2 -I %s 10.2.0.2" % call.address, "ping." + call.name)
    wait_for(lambda: " bytes from " in guest.read("ping." + call.name), "traffic")
    call.wait_down()
    lns.wait_gone("short")
    guest.run("kill %d" % pid, check=False)


def test_idle_timeout(guest, lns):
    """Idle-Timeout ends a session that moves no data; one that does lives on beyond it."""
    call = guest.dial("idle", user="idle").wait_up()
    output = guest.run("ping -c 9 -i0.5 -W2 -I %s 10.2.0.2" % call.address)
    assert " 9 received" in output
    call.wait_down()
    lns.wait_gone("idle")


def test_duplicate_login(guest, lns):
    """allow_duplicate_users no: a new login of the same name ends the older session."""
    older = guest.dial("older").wait_up()
    newer = guest.dial("newer").wait_up()
    older.wait_down()
    wait_for(lambda: [s["IP"] for s in lns.sessions()] == [newer.address], "the newer session alone")


def test_framed_route(site, guest, lns):
    """Framed-Routes: in the routing table while the session lives, reachable both ways, source allowed."""
    def routes():
        return site.network.lns.run("ip", "route", "show", "10.77.1.0/24") + site.network.lns.run(
            "ip", "route", "show", "10.78.0.0/16")

    assert routes() == ""
    call = guest.dial("router", user="router").wait_up()
    assert routes().count("dev tun0") == 2, routes()
    table = call.unit + 100
    guest.run("ip addr add 10.77.1.1/24 dev lo; ip addr add 10.78.9.9/16 dev lo; "
              "ip rule add from 10.77.1.0/24 table {0} pref 90; ip rule add from 10.78.0.0/16 table {0} pref 91"
              .format(table))
    try:
        for address in "10.77.1.1", "10.78.9.9":
            site.network.core.run("ping", "-n", "-c1", "-W5", address)
            guest.run("ping -n -c1 -W5 -I %s %s" % (address, site.network.CORE))
    finally:
        guest.run("ip addr del 10.77.1.1/24 dev lo; ip addr del 10.78.9.9/16 dev lo; "
                  "ip rule del pref 90; ip rule del pref 91", check=False)
    call.terminate()
    lns.wait_gone("router")
    wait_for(lambda: routes() == "", "the end of the routes")


# ---------------------------------------------------------------------------- rates

def iperf3(site, guest, call, *options):
    """One TCP connection of ten seconds between the subscriber and the core; octets of payload a second."""
    server = site.network.core.start("iperf3", "-s", "-1", "-B", site.network.CORE, "--forceflush")
    server.wait_line("listening")
    report = guest.run("iperf3 -J -t 10 -O 2 -B %s -c %s %s" % (call.address, site.network.CORE, " ".join(options)),
                       timeout=90)
    server.wait(30)
    return json.loads(report)["end"]["sum_received"]["bits_per_second"] / 8


@pytest.mark.parametrize("kbit", [512, 20480])
@pytest.mark.parametrize("way", ["in", "out"])
def test_throttled_tcp(site, guest, lns, way, kbit):
    """TCP of a real subscriber fills the rate and no more, and no packet waits longer than a tenth of a second.

    1 kbit/s is 1024 bit/s of inner IP: full segments have 20 octets of IP and 32 of TCP (with timestamps) each.
    """
    call = guest.dial("rate").wait_up()
    assert lns.run("throttle joe %s %d" % (way, kbit))[0] == "Throttling user joe"
    lns.run("clear counters")

    def attempt():
        payload = iperf3(site, guest, call, *(["-R"] if way == "out" else []))
        return payload * MTU / (MTU - 52) / (kbit * 128)

    figures = [attempt()]
    if abs(figures[0] - 1) > 0.05:  # the machine may have been busy elsewhere
        figures.append(attempt())
    longest = lns.counters()["throttle_longest_ms"]
    print("%s %d kbit/s: %s of the rate, longest wait %d ms" % (way, kbit, figures, longest))
    assert abs(figures[-1] - 1) <= 0.05, figures
    assert 0 < longest <= 100


# ---------------------------------------------------------------------------- many, and none

def test_eight_tunnels(site, guest, lns):
    """Eight xl2tpd with a tunnel each, dialled at once, each with an address and traffic of its own."""
    calls = [guest.dial("many", user="many%d" % n) for n in range(8)]
    for call in calls:
        call.wait_up(60)
    addresses = {call.address for call in calls}
    assert len(addresses) == 8
    assert {s["IP"] for s in lns.sessions()} == addresses
    assert len([t for t in lns.tunnels() if t["State"] == "Open"]) == 8
    for call in calls:
        ping(guest, call, site.network.CORE)
    for n in range(8):
        assert lns.session("many%d" % n)["IP"] == calls[n].address


def test_lac_vanishes(site, guest, lns):
    """The LAC falls silent: HELLOs go unanswered, then the tunnel and its sessions are closed."""
    lns.set("set hello_interval 1")
    guest.dial("vanish").wait_up()
    lns.wait_session("joe")
    guest.unplug()
    try:
        lns.wait_gone("joe", timeout=60)
        wait_for(lambda: lns.tunnels() == [], "the end of the tunnel", 60)
        assert lns.pool()[1]["Used"] == 0
    finally:
        guest.plug()
        lns.set("set hello_interval 2")


# ---------------------------------------------------------------------------- what is billed

def iperf(site, guest, call, options):
    """What the sending and the receiving iperf3 say."""
    server = site.network.core.start("iperf3", "-s", "-1", "-B", site.network.CORE, "--forceflush")
    server.wait_line("Server listening")
    said = guest.run("iperf3 -J -t 2 %s -B %s -c %s" % (options, call.address, site.network.CORE))
    assert server.wait() == 0
    end = json.loads(said[said.index("{"):])["end"]  # a warning may stand in front
    return end["sum_sent"], end["sum_received"]


def bill(site, call):
    """Ends the call: (Input, Output) octets of its Stop in FreeRADIUS's detail file, and the same by pppd."""
    def stops():  # also of earlier calls, which had the same address
        return [r for r in site.radius.accounting if r["Acct-Status-Type"] == "Stop"]
    before = len(stops())
    call.terminate()
    call.wait_down()
    stop = wait_for(lambda: stops()[before:], "the Stop")[-1]
    octets = [(int(stop["Acct-%s-Gigawords" % way]) << 32) + int(stop["Acct-%s-Octets" % way])
              for way in ("Input", "Output")]
    return octets, call.moved


@pytest.fixture
def no_df(site):
    """The core's packets do not carry DF."""
    site.network.core.sysctl("ipv4.ip_no_pmtu_disc", 1)
    yield
    site.network.core.sysctl("ipv4.ip_no_pmtu_disc", 0)


def nstat(ns, name):
    return int(re.search(name + r" +(\d+)", ns.run("nstat", "-asz")).group(1))


def dropped(site):
    """Packets that a busy machine has lost between pppd and us, either way."""
    tap = json.loads(site.network.lac.run("ip", "-j", "-s", "link", "show", site.guest.tap))[0]["stats64"]
    return nstat(site.network.lns, "UdpRcvbufErrors") + tap["rx"]["dropped"] + tap["tx"]["dropped"]


BILLS = {  # options of iperf3, octets on the link for so many of payload, what limits the session, options of pppd
    "up": ("-u -b 10M -l 1400", 1428 / 1400, None, ""),
    "down": ("-u -b 10M -l 1400 -R", 1428 / 1400, None, ""),
    "tcp-up": ("", MTU / (MTU - 52), None, ""),
    "tcp-down": ("-R", MTU / (MTU - 52), None, ""),
    "fragments": ("-u -b 10M -l 1276 -R", (1292 + 32) / 1276, None, "mru 1300"),  # by us; in tun's MTU it fits
    "throttled-up": ("-u -b 8M -l 1200", 1228 / 1200, "in 1000", ""),
    "throttled-down": ("-u -b 8M -l 1200 -R", 1228 / 1200, "out 4000", ""),
}


@pytest.mark.parametrize("options, factor, rate, ppp", BILLS.values(), ids=BILLS)
def test_bill(site, guest, lns, no_df, options, factor, rate, ppp):
    """Octets of the Stop are within 1 % of what pppd and iperf3 have counted; what a rate drops is not billed."""
    lns.set("set radius_accounting yes")
    call = guest.dial("bill", ppp=ppp).wait_up()
    if rate:
        assert lns.run("throttle joe %s" % rate)
    before, lost = nstat(site.network.core, "IpExtInOctets"), dropped(site)
    left, arrived = iperf(site, guest, call, options)
    (billed_in, billed_out), (sent, received) = bill(site, call)
    lns.set("set radius_accounting no")
    lost = (dropped(site) - lost) * MTU
    assert received * 0.99 <= billed_out <= received * 1.01 + lost
    if rate and "-R" not in options:  # the last ones come when iperf3 has ceased to count
        assert billed_in < sent * 0.9
        assert billed_in == pytest.approx(nstat(site.network.core, "IpExtInOctets") - before, rel=0.01)
        return
    assert sent * 0.99 - lost <= billed_in <= sent * 1.01
    if not rate:  # a busy machine may lose some in front of us or behind, and TCP repeats them
        billed = billed_out if "-R" in options else billed_in
        assert arrived["bytes"] * factor * 0.99 < billed
        assert billed < left["bytes"] * factor * 1.01 + left.get("retransmits", 0) * MTU
