"""Three members of a cluster, a LAC, a core network, and a router with BIRD between them.

    lac --- router ===outer=== member 1, 2, 3 ===inner=== router --- core
                               member 1, 2, 3 ---link--- switch

All members have the same bind_address (VIP); the router learns it by BGP on the outer network and the pool on the
inner one, and spreads what goes to several members (ECMP by address and port). The cluster link is a bridge of its
own in the switch's namespace, so that it can be broken without touching traffic. Everything is in namespaces of
this plant; the addresses are those of the constants below.

    site = Site(factory)                       # BIRD runs, no member yet
    site.start_members()                       # and waits until one is master and all are up to date
    site.members[0].freeze()                   # or kill(), cut(), lose(20), part() ... and back
    with Load(site, pps=1000) as load: ...     # both ways; load.up.gap, load.down.gap in seconds
"""

import collections
import datetime
import json
import os
import re
import shutil
import signal
import tempfile
import threading

import fakeradius
from clac import TOOLS, CLac, Traffic
from lns import Lns
from netns import Namespace, Timeout, wait_for

VIP = "10.99.0.1"
POOL = "10.64.0.0/15"
LAC, LAC_ROUTER = "10.1.0.2", "10.1.0.254"
CORE, CORE_ROUTER = "10.2.0.2", "10.2.0.254"
OUTER, INNER, LINK = "10.11.0.%d", "10.12.0.%d", "10.13.0.%d"
ROUTER, SECOND = 254, 253  # the last numbers of their addresses there
AS, ROUTER_AS = 64512, 65001
SECRET = "a secret of the cluster"
SINK_PORT = 9000
GOOD = "master", "up to date"
ENDS = {signal.SIGTERM, signal.SIGQUIT, signal.SIGKILL}


class Addresses:
    """What class Lns asks a network for."""

    LNS = VIP


class Bird:
    """BIRD in the router: learns VIP from the outer side of the members, the pool from the inner one."""

    CONFIG = """
log stderr all;
router id {router};
timeformat protocol iso long us;
protocol device {{ }}
protocol kernel {{ merge paths on limit 16; ipv4 {{ import none; export where source = RTS_BGP; }}; }}
template bgp one_member {{ local as {our_as}; hold time {hold}; keepalive time {keepalive}; connect retry time 2; connect delay time 1;
  error wait time 1, 4; }}
template bgp outer_side from one_member {{ source address {outer}; ipv4 {{ import where net = {vip}/32; export none; }}; }}
template bgp inner_side from one_member {{ source address {inner}; ipv4 {{ import where net = {pool}; export none; }}; }}
"""
    PEER = "protocol bgp {side}{number} from {side}_side {{ neighbor {address} as {peer_as}; }}\n"

    def __init__(self, ns, folder, count, hold=90, number=ROUTER):
        self.ns, self.folder = ns, str(folder)
        self.count = count
        text = self.CONFIG.format(router=OUTER % number, our_as=ROUTER_AS, hold=hold, keepalive=max(1, hold // 3),
                                  outer=OUTER % number, inner=INNER % number, vip=VIP, pool=POOL)
        for member in range(1, count + 1):
            for side, net in ("outer", OUTER), ("inner", INNER):
                text += self.PEER.format(side=side, number=member, address=net % member, peer_as=AS)
        with open(self._path("bird.conf"), "w") as f:
            f.write(text)
        self.process = ns.start("bird", "-f", "-c", self._path("bird.conf"), "-s", self._path("bird.ctl"), "-P",
                                self._path("bird.pid"), log=self._path("bird.log"))
        self.process.wait_line("Started")

    def _path(self, name):
        return os.path.join(self.folder, name)

    def ask(self, *words):
        return self.ns.run("birdc", "-s", self._path("bird.ctl"), *words)

    def states(self):
        """{"outer1": (up, since), ...}"""
        found = {}
        for line in self.ask("show", "protocols").splitlines():
            match = re.match(r"((?:outer|inner)\d+) +BGP +\S+ +(\S+) +(\S+ \S+) *(.*)", line)
            if match:
                since = datetime.datetime.fromisoformat(match.group(3)).timestamp()
                found[match.group(1)] = (match.group(4).startswith("Established"), since)
        return found

    def close(self):
        pass


class Frr:
    """FRR in its place: zebra and bgpd, with everything of theirs in one folder."""

    CONFIG = """
log stdout
ip prefix-list outer permit {vip}/32
ip prefix-list inner permit {pool}
route-map none deny 1
router bgp {our_as}
 bgp router-id {router}
 timers bgp {keepalive} {hold}
{neighbours}
 address-family ipv4 unicast
  maximum-paths 16
{families}
"""

    def __init__(self, ns, folder, count, hold=90, number=ROUTER):
        self.ns, self.log_folder, self.count = ns, str(folder), count
        self.folder = tempfile.mkdtemp(prefix="frr.")  # they want to be user frr, which cannot enter pytest's folders
        shutil.chown(self.folder, "frr", "frrvty")
        neighbours, families = [], []
        for member in range(1, count + 1):
            for side, net in ("outer", OUTER), ("inner", INNER):
                peer = net % member
                neighbours += [" neighbor %s remote-as %d" % (peer, AS), " neighbor %s timers connect 1" % peer,
                               " neighbor %s advertisement-interval 0" % peer]
                families += ["  neighbor %s prefix-list %s in" % (peer, side), "  neighbor %s route-map none out" % peer]
        self._write("bgpd.conf", self.CONFIG.format(
            vip=VIP, pool=POOL, our_as=ROUTER_AS, router=OUTER % number, hold=hold, keepalive=max(1, hold // 3),
            neighbours="\n".join(neighbours), families="\n".join(families)))
        self._write("zebra.conf", "log stdout\n")
        self._start("zebra", "zebra.vty")
        self._start("bgpd", "bgpd.vty", "--listenon", OUTER % number, "--listenon", INNER % number)

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as f:
            f.write(text)

    def _start(self, name, vty, *more):
        path = self.folder
        self.ns.start("/usr/lib/frr/" + name, "-f", "%s/%s.conf" % (path, name), "-i", "%s/%s.pid" % (path, name), "-z",
                      path + "/zserv", "--vty_socket", path, "-P", "0", *more, log="%s/%s.log" % (self.log_folder, name))
        wait_for(lambda: os.path.exists(os.path.join(path, vty)), name)

    def ask(self, command):
        return self.ns.run("vtysh", "--vty_socket", self.folder, "-c", command)

    def states(self):
        """{"outer1": (up, how often it came up), ...}"""
        peers = json.loads(self.ask("show bgp ipv4 unicast summary json")).get("peers", {})
        return {"%s%d" % (side, number): (peers[net % number]["state"] == "Established",
                                          peers[net % number]["connectionsEstablished"])
                for number in range(1, self.count + 1) for side, net in (("outer", OUTER), ("inner", INNER))}

    def close(self):
        shutil.rmtree(self.folder)


def nexthops_of(router, *prefixes):
    """Where a router sends what goes there, by its kernel's word."""
    found = set()
    for route in json.loads(router.ns.run("ip", "-json", "route", "show") or "[]"):
        if route["dst"] in [p.removesuffix("/32") for p in prefixes]:
            found |= {hop["gateway"] for hop in route.get("nexthops", [route]) if "gateway" in hop}
    return found


class Member:
    """One daemon with its namespace, and what can befall it."""

    def __init__(self, site, number):
        self.site, self.number = site, number
        self.outer, self.inner, self.link = OUTER % number, INNER % number, LINK % number
        self.ns = site.new("member%d" % number)
        self.lns = None
        self.program = site.program
        self.frozen = self.apart = False
        site.router.plug("outer%d" % number, self.ns, "outer")
        site.router.plug("inner%d" % number, self.ns, "inner")
        site.switch.plug("m%d" % number, self.ns, "link")
        site.router.ip("link set outer%d master outer" % number, "link set inner%d master inner" % number)
        site.switch.ip("link set m%d master br0" % number)
        self.ns.ip("addr add %s/24 dev outer" % self.outer, "addr add %s/24 dev inner" % self.inner,
                   "addr add %s/24 dev link" % self.link, "addr add %s/32 dev lo" % VIP,
                   "route add 10.1.0.0/24 via %s" % (OUTER % ROUTER), "route add 10.2.0.0/24 via %s" % (INNER % ROUTER))
        self.ns.sysctl("ipv4.ip_forward", 1)

    def __str__(self):
        return "member %d" % self.number

    def start(self):
        """Start its daemon, for the first time or again."""
        if self.lns is None:
            self.lns = Lns(Addresses, self.site.folder("member%d" % self.number), self.site.settings(self), ns=self.ns,
                           pool=(POOL,), extra=self.site.extra(self), start=False)
        self.lns._cli = None
        self.lns.program = self.program
        self.lns.start()
        return self

    # ------------------------------------------------------------------ what befalls it

    @property
    def pid(self):
        return self.lns.process.pid

    def running(self):
        return self.lns is not None and self.lns.process is not None and self.lns.process.alive()

    def freeze(self):
        self.frozen = True
        self.lns.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.frozen = False
        self.lns.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.lns.process.send_signal(signal.SIGKILL)
        self.lns.process.wait()

    def stop(self, number=signal.SIGTERM):
        """As an operator does; it must end by itself and cleanly."""
        self.lns.stop(number, timeout=30)

    def part(self):
        """Take its cluster link off the bridge; traffic and BGP go on."""
        self.apart = True
        self.site.switch.ip("link set m%d nomaster" % self.number)

    def rejoin(self):
        self.apart = False
        self.site.switch.ip("link set m%d master br0 up" % self.number)

    def unplug(self):
        """The same with loss of carrier."""
        self.apart = True
        self.site.switch.ip("link set m%d down" % self.number)

    def cut(self):
        """Take it off both traffic networks without loss of carrier; the cluster link stays."""
        self.site.router.ip("link set outer%d nomaster" % self.number, "link set inner%d nomaster" % self.number)

    def mend(self):
        self.site.router.ip("link set outer%d master outer" % self.number, "link set inner%d master inner" % self.number)

    def lose(self, percent):
        """Lose so many of the messages that come over the cluster link; 0: none any more."""
        self.ns.run("iptables", "-F", "INPUT")
        if percent:
            self.ns.run("iptables", "-A", "INPUT", "-i", "link", "-p", "udp", "-m", "statistic", "--mode", "random",
                        "--probability", "%g" % (percent / 100), "-j", "DROP")

    def mute(self):
        """Nothing of what it says to the other members leaves; it hears them."""
        self.ns.run("iptables", "-A", "OUTPUT", "-o", "link", "-j", "DROP")

    def speak(self):
        self.ns.run("iptables", "-F", "OUTPUT")

    def narrow(self, rate=None):
        """What it says to the other members passes at this rate, the rest is dropped; None: all passes again."""
        self.ns.run("tc", "qdisc", "del", "dev", "link", "root", check=False)
        if rate:
            self.ns.run("tc", "qdisc", "add", "dev", "link", "root", "tbf", "rate", rate, "burst", "16kb", "latency", "100ms")

    # ------------------------------------------------------------------ what it says

    def show(self):
        """`show cluster json`"""
        return json.loads("\n".join(self.lns.run("show cluster json")))

    @property
    def role(self):
        return self.show()["status"].lower()

    def up_to_date(self):
        return self.show()["up_to_date"]

    def sessions(self):
        """The sessions it holds: {user: (id, address)}."""
        return {one["Username"]: (one["SID"], one["IP"]) for one in self.lns.sessions()}

    def counters(self):
        return self.lns.counters()

    def close(self):
        if self.lns is None or self.lns.process is None:
            return
        if self.frozen:
            self.thaw()
        if self.running():
            self.lns.process.kill()
        self.lns._check_log()
        assert ENDS & set(self.lns.process.sent), self.lns.process.obituary()


class Site:
    """The plant. The factory makes folders; `close` ends everything."""

    def __init__(self, folder, count=3, settings=None, extra=(), hold=90, router=Bird, second=None, radius=None,
                 program=None):
        """`second`: another router, which learns the same, and carries no traffic. `program`: of all members at first;
        None: the one to test."""
        self.folder = folder
        self.program = program
        self.all = []
        self.more = dict(settings or {})
        self.lines = list(extra)
        self.hold = hold
        self.lac, self.core, self.router, self.switch = (self.new(n) for n in ("lac", "core", "router", "switch"))
        self._networks()
        self.members = [Member(self, number) for number in range(1, count + 1)]
        self.radius = (radius or Radius)(self.core)
        self.bird = router(self.router, folder("router"), count, hold)
        self.routers = [self.bird]
        if second:
            self.routers.append(second(self._second(), folder("second"), count, hold, SECOND))

    def new(self, name):
        ns = Namespace(name)
        self.all.append(ns)
        return ns

    def _networks(self):
        self.router.sysctl("ipv4.ip_forward", 1)
        self.router.sysctl("ipv4.fib_multipath_hash_policy", 1)
        self.switch.ip("link add br0 type bridge forward_delay 0 mcast_snooping 0", "link set br0 up")
        for bridge, net in ("outer", OUTER), ("inner", INNER):
            self.router.ip("link add %s type bridge forward_delay 0 mcast_snooping 0" % bridge,
                           "link set %s up" % bridge, "addr add %s/24 dev %s" % (net % ROUTER, bridge))
        self.lac.plug("router", self.router, "lac")
        self.core.plug("router", self.router, "core")
        self.router.ip("addr add %s/24 dev lac" % LAC_ROUTER, "addr add %s/24 dev core" % CORE_ROUTER)
        self.lac.ip("addr add %s/24 dev router" % LAC, "route add default via %s" % LAC_ROUTER)
        self.core.ip("addr add %s/24 dev router" % CORE, "route add default via %s" % CORE_ROUTER)

    def _second(self):
        ns = self.new("second")
        for bridge, net in ("outer", OUTER), ("inner", INNER):
            self.router.plug("to-" + bridge, ns, bridge)
            self.router.ip("link set to-%s master %s" % (bridge, bridge))
            ns.ip("addr add %s/24 dev %s" % (net % SECOND, bridge))
        return ns

    def settings(self, member):
        return {"hostname": "lns%d" % member.number, "bind_address": VIP, "cluster_interface": "link",
                "cluster_secret": SECRET, "primary_radius": CORE, "primary_radius_port": 1812,
                "radius_secret": "radsecret", "radius_authtypes": "pap", "radius_accounting": True, "debug": 3,
                "cluster_hb_interval": 1, "cluster_hb_timeout": 10, **self.more}

    def extra(self, member):
        return ["router bgp %d" % AS, *("neighbour %s remote-as %d timers %d %d" % (
            net % router, ROUTER_AS, max(1, self.hold // 3), self.hold) for net in (OUTER, INNER)
            for router in (ROUTER, SECOND)[:len(self.routers)]), *self.lines]

    # ------------------------------------------------------------------ the cluster as a whole

    def start_members(self, members=None, timeout=40):
        for member in members or self.members:
            member.start()
        self.settle(timeout=timeout)

    def living(self):
        return [m for m in self.members if m.running() and not m.frozen]

    def check(self):
        """All run."""
        gone = [m.lns.process.obituary() for m in self.members if not m.running()]
        assert not gone, "\n".join(gone)
        for m in self.members:
            m.lns.check()

    def roles(self):
        return {m: m.role for m in self.living()}

    @property
    def master(self):
        masters = [m for m, role in self.roles().items() if role == "master"]
        assert len(masters) == 1, "masters: %s" % masters
        return masters[0]

    @property
    def slaves(self):
        master = self.master
        return [m for m in self.living() if m is not master]

    def close(self):
        try:
            for member in self.members:
                member.close()
        finally:
            self.radius.close()
            for router in self.routers:
                router.close()
            for ns in reversed(self.all):
                ns.close()

    # ------------------------------------------------------------------ what is awaited

    def settled(self):
        """One master, everybody else up to date in the eyes of all, and the routes accordingly."""
        living = self.living()
        shows = {m: m.show() for m in living}
        if sorted(one["status"].lower() for one in shows.values()) != ["master"] + ["slave"] * (len(living) - 1):
            return False
        others = {m.link for m in living}
        for m, show in shows.items():
            good = {p["address"] for p in show["peers"] if p["state"] in GOOD}
            if good != others - {m.link}:
                return False
        return self.routes_right()

    def drawing(self):
        """Who is to draw traffic: the slaves while there are enough of them, else everybody."""
        slaves = self.slaves
        enough = int(self.more.get("cluster_master_min_adv", 1))
        return slaves if len(slaves) >= enough else slaves + [self.master]

    def nexthops(self, prefix):
        """Where the router sends what goes there: that is its kernel's word, not BIRD's."""
        return nexthops_of(self.bird, prefix)

    def routes(self):
        return self.nexthops(VIP), self.nexthops(POOL)

    def routes_right(self):
        drawing = self.drawing()
        return self.routes() == ({m.outer for m in drawing}, {m.inner for m in drawing})

    def settle(self, timeout=40):
        try:
            return wait_for(self.settled, "a settled cluster", timeout)
        except Timeout:
            raise Timeout("the cluster did not settle in %g s: %s; router %s; BIRD %s" % (
                timeout, {str(m): m.show() for m in self.living()}, self.routes(), self.bird.states())) from None


class Radius(fakeradius.FakeRadius):
    """Accepts everybody, and keeps the books of accounting. A record costs the same however many there are: what is not
    answered within 5 s is sent anew."""

    def __init__(self, ns):
        self.accounts = collections.defaultdict(list)
        self.packets = set()  # to tell what is repeated because our answer was not fast enough
        self.seen = {fakeradius.START: set(), fakeradius.STOP: set()}  # ids
        self.again = 0
        super().__init__(ns, CORE, 1812)
        self.answer = lambda server, request: [server.accept(request)]
        self.accounting = fakeradius.FakeRadius(ns, CORE, 1813)
        self.accounting.answer = self._account

    def _account(self, server, request):
        packet = request.source, request.raw
        if request.status in (fakeradius.START, fakeradius.STOP) and packet not in self.packets:
            self.packets.add(packet)
            ident = request.get(fakeradius.ACCT_SESSION_ID)
            self.accounts[ident].append(request)
            self.again += ident in self.seen[request.status]
            self.seen[request.status].add(ident)
        return fakeradius.acknowledge(server, request)

    def balance(self):
        """(ids, ids with a Start, with a Stop, records that came again)"""
        return len(self.accounts), len(self.seen[fakeradius.START]), len(self.seen[fakeradius.STOP]), self.again

    def carried(self, which):
        """Octets from and to the users for whom which(name) is true, by the Stops, one for each id."""
        up = down = 0
        for records in list(self.accounts.values()):
            stop = next((r for r in records if r.status == fakeradius.STOP), None)
            if stop and which(stop.get(fakeradius.USER_NAME)):
                up += stop.octets(fakeradius.INPUT_OCTETS, fakeradius.INPUT_GIGAWORDS)
                down += stop.octets(fakeradius.OUTPUT_OCTETS, fakeradius.OUTPUT_GIGAWORDS)
        return up, down

    def close(self):
        self.accounting.close()
        super().close()


class FastRadius:
    """The C one, for tens of thousands of sessions."""

    def __init__(self, ns, address=CORE):
        self.process = ns.start(os.path.join(TOOLS, "radresp"), "-l", address, "-s", "radsecret")
        self.process.wait_line("ready")

    def close(self):
        self.process.kill()


class Direction:
    """What went and what came in one direction."""

    def __init__(self, pps):
        self.pps, self.sent, self.received, self.corrupt = pps, 0, 0, 0

    @property
    def lost(self):
        return self.sent - self.received

    @property
    def gap(self):
        """So many seconds of the traffic were lost."""
        return max(0, self.lost) / self.pps

    def __str__(self):
        return "%d of %d lost, gap %.2f s" % (self.lost, self.sent, self.gap)


class Load:
    """Traffic of all sessions of a LAC in both directions, while in its block."""

    def __init__(self, site, lac, pps=1000, size=100):
        self.site, self.lac, self.pps, self.size = site, lac, pps, size
        self.up, self.down = Direction(pps), Direction(pps)
        self.over = False
        self.error = None

    def __enter__(self):
        self.addresses = [one["ip"] for one in self.lac.items("list session=all state=up")]
        path = os.path.join(str(self.site.folder("load")), "addresses")
        with open(path, "w") as f:
            f.writelines(a + "\n" for a in self.addresses)
        self.lac.do("stats reset=yes")
        self.sink = Traffic(self.site.core, "sink", "port=%d" % SINK_PORT)
        self.source = Traffic(self.site.core, "source", "port=9001", "list=" + path, "size=%d" % self.size,
                              "pps=%d" % self.pps, "seconds=86400")
        self.thread = threading.Thread(target=self._blast, daemon=True)
        self.thread.start()
        wait_for(lambda: self.sink.totals()["packets"] > 0, "the first packet of the load")
        return self

    def _blast(self):
        """Upstream, a part of a second each, so that it can be ended."""
        try:
            while not self.over:
                answer = self.lac.do("blast session=all to=%s:%d size=%d pps=%d ms=500"
                                     % (CORE, SINK_PORT, self.size, self.pps))
                self.up.sent += int(answer["sent"])
        except Exception as error:  # told to the test, in its own thread
            self.error = error

    def __exit__(self, kind, *_):
        self.over = True
        self.thread.join(30)
        self.source.process.send_signal(signal.SIGTERM)
        self.down.sent = int(self.source.finish()["sent"])
        if kind is None and not self.error:
            self._settle()
        self.sink.close()
        if kind is None and self.error:
            raise self.error

    def _settle(self):
        self.lac.do("wait event=quiet ms=300")
        got, sunk = self.lac.do("stats"), self.sink.totals()
        self.down.received, self.down.corrupt = int(got["rx_packets"]), int(got["rx_corrupt"]) + int(got["rx_misrouted"])
        self.up.received, self.up.corrupt = int(sunk["packets"]), int(sunk["corrupt"] + sunk["wrong_source"])


Bad = collections.namedtuple("Bad", "answer closed failed")  # what the LAC says of a round; and of each call that failed


class Churn:
    """A LAC whose calls come and go without end, so that there are always control messages in flight."""

    RATE = 100  # calls a second, at most

    def __init__(self, site, number, calls=20, first=0):
        self.lac = CLac(site.lac, VIP)
        self.number, self.calls, self.first = number, calls, first
        self.made, self.bad, self.error = 0, [], None
        self.over = False
        answer = self.lac.do("tunnel count=2 port=0 hostname=churn%d-%%d" % number)
        assert answer["ok"], answer
        self.thread = threading.Thread(target=self._turn, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def _turn(self):
        try:
            while not self.over:
                self._round()
        except Exception as error:  # told to the test, in its own thread
            self.error = error

    def _round(self):
        answer = self.lac.do("session count=%d first=%d user=churn%d-%%d rate=%d timeout=60"
                             % (self.calls, self.first + self.made, self.number, self.RATE), 120)
        self.made += self.calls
        if answer["ok"]:
            wait_for(self._pass, "an echo through each new call", 60)  # only then is a call up for the LNS, too
        failed = [] if answer["ok"] else [one for one in self.lac.items("list session=all") if one["state"] != "up"]
        closed = self.lac.do("close session=all", 120)
        if not answer["ok"] or not closed["ok"]:
            self.bad.append(Bad(answer, closed, failed))
        self.lac.do("forget")

    def _pass(self):
        answer = self.lac.do("ping session=all to=%s timeout=500" % CORE)
        return answer["sent"] == answer["received"]

    def __exit__(self, kind, *_):
        self.over = True
        self.thread.join(150)
        assert kind or not self.error, self.error
        assert kind or not self.thread.is_alive(), "the churning LAC hangs"
        self.lac.do("quit")


class Stage:
    """The scene that the tests of a module share; built anew by `make` when one has broken it."""

    def __init__(self, make):
        self.make, self.scene = make, None

    def get(self):
        if self.scene and not self.scene.whole():
            self.close()
        self.scene = self.scene or self.make()
        return self.scene

    def close(self):
        if self.scene:
            scene, self.scene = self.scene, None
            scene.close()
