"""Three members of a cluster and a LAC, without routers: what tests of the cluster's own doings share.

    trio.members[0].start()              # the fixture `trio` is in conftest.py; nobody runs yet
    master = trio.wait()                 # one master, and all others up to date
    trio.through(master)                 # what the LAC sends goes to this one
    lac = pylac.Lac(Network(trio))
"""

import json
import signal

import fakeradius
from lns import Lns
from netns import Namespace, wait_for

LINK, OUTER = "10.13.0.%d", "10.11.0.%d"
VIP, LAC = "10.99.0.1", "10.11.0.100"
POOL = "10.9.0.0/24"
RADIUS = {"primary_radius": LAC, "primary_radius_port": 1812, "radius_secret": "radsecret"}  # settings for Trio.serve()


class Addresses:
    """What class Lns asks a network for."""
    LNS = VIP


class Member:
    """One daemon in a namespace: `among` the members, `outer` towards the LAC."""

    def __init__(self, trio, number, settings, clock=False):
        self.trio, self.number = trio, number
        self.address = LINK % number
        self.ns = trio.new("member%d" % number)
        trio.switch.plug("m%d" % number, self.ns, "among")
        trio.lac.plug("m%d" % number, self.ns, "outer")
        trio.switch.ip("link set m%d master br0" % number)
        trio.lac.ip("link set m%d master br0" % number)
        self.ns.ip("addr add %s/24 dev among" % self.address, "addr add %s/24 dev outer" % (OUTER % number),
                   "addr add %s/32 dev lo" % VIP)
        self.ns.sysctl("ipv4.ip_forward", 1)
        self.lns = Lns(Addresses, trio.folder("member%d" % number),
                       {"cluster_interface": "among", "cluster_hb_interval": 1, "cluster_hb_timeout": 10,
                        "cluster_secret": "among us", "hostname": "lns%d" % number, "radius_authtypes": "pap",
                        **settings},
                       ns=self.ns, pool=(POOL,), local_users={}, start=False, clock=clock)
        self.lns.write("local_users", "joe * pw\nsue * pw\nann * pw 10.9.1.1\neve * pw 10.9.1.2\n")

    def start(self):
        self.lns._cli = None
        self.lns.start()
        return self

    def counters(self):
        return self.lns.counters()

    def show(self):
        return json.loads("\n".join(self.lns.run("show cluster json")))

    def alive(self):
        return self.lns.process is not None and self.lns.process.alive()

    def kill(self):
        self.lns.process.send_signal(signal.SIGKILL)
        self.lns.process.wait()

    def part(self):
        self.trio.switch.ip("link set m%d nomaster" % self.number)

    def rejoin(self):
        self.trio.switch.ip("link set m%d master br0" % self.number)


class Trio:
    """Three members and a LAC that reaches the address they share through one of them."""

    def __init__(self, factory, settings=None, clock=False):
        self.factory, self.settings, self.clock = factory, settings or {}, clock
        self.all, self.servers, self.members = [], [], []
        self.switch, self.lac = self.new("switch"), self.new("lac")
        for ns in self.switch, self.lac:
            ns.ip("link add br0 type bridge forward_delay 0 mcast_snooping 0", "link set br0 up")
        self.lac.ip("addr add %s/24 dev br0" % LAC)
        for number in 1, 2, 3:
            self.add(number)

    def new(self, name):
        self.all.append(Namespace(name))
        return self.all[-1]

    def folder(self, name):
        return self.factory.mktemp(name, numbered=True)

    def add(self, number):
        """A machine of this number; its daemon does not run yet."""
        self.members.append(Member(self, number, self.settings, self.clock))
        return self.members[-1]

    def take_away(self, member):
        """The machine of one that has ended."""
        for ns in self.switch, self.lac:
            ns.ip("link del m%d" % member.number)
        self.members.remove(member)

    def through(self, member):
        """What the LAC sends goes to this member from now on."""
        self.lac.ip("route replace %s/32 via %s" % (VIP, OUTER % member.number))

    def serve(self, port, answer):
        """A RADIUS server of the LAC's address: as class FakeRadius, which asks answer() what to say."""
        server = fakeradius.FakeRadius(self.lac, LAC, port)
        server.answer = answer
        self.servers.append(server)
        return server

    def alive(self):
        return [m for m in self.members if m.alive()]

    def master(self):
        found = [m for m in self.alive() if m.show()["status"] == "master"]
        return found[0] if len(found) == 1 else None

    def slaves(self):
        return [m for m in self.alive() if m.show()["status"] == "slave"]

    def settled(self):
        """One master, and all others have what it has."""
        shows = [m.show() for m in self.alive()]
        masters = [s for s in shows if s["status"] == "master"]
        return len(masters) == 1 and all(s["up_to_date"] and s["term"] == masters[0]["term"] and
                                         len(s["peers"]) == len(shows) - 1 for s in shows)

    def step(self, seconds, members=None):
        """The clocks of all are put ahead, together, for they tell each other how long ago things were. Each has sent a
        heartbeat since when this returns: who has not between two steps is missed."""
        members = members or self.alive()
        beats = {m: m.show()["next_heartbeat"] for m in members}
        for m in members:
            m.lns.put_ahead(seconds)
        wait_for(lambda: all(m.show()["next_heartbeat"] > n + 1 for m, n in beats.items()), "heartbeats of all")

    def wait(self, timeout=30):
        wait_for(self.settled, "one master, all others up to date", timeout)
        return self.master()

    def close(self):
        try:
            for m in self.members:
                if m.alive():
                    m.lns._check_log()
                    m.lns.process.kill()
        finally:
            for server in self.servers:
                server.close()
            for ns in reversed(self.all):
                ns.close()


class Network:
    """What class pylac.Lac asks a network for."""
    LAC, LNS = LAC, VIP

    def __init__(self, trio):
        self.lac = trio.lac


def held(member, user):
    """What this member has of a user's session."""
    found = member.lns.session(user)
    return found and (found["SID"], found["TID"], found["IP"])


def wait_all(trio, what, value, timeout=30):
    wait_for(lambda: all(what(m) == value for m in trio.alive()), "%r on all" % (value,), timeout)


def all_up(trio):
    for m in trio.members:
        m.start()
    return trio.wait()
