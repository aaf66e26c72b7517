"""The manual's two members and two routers: its files, letter by letter, on machines with its addresses.

    lac -- edge ==carrier== lns1, lns2 ==net== core -- radius
                            lns1, lns2 --link
"""

import json
import os
import re
import signal
import socket

import pytest

from lns import Cli, binary, plugin_dir
from machine import Machine, blocks, manual
from netns import Failed, Namespace, wait_for
from pylac import Lac

VIP, LAC, RADIUS = "192.0.2.1", "198.51.100.34", "203.0.113.34"
CHAPTER = manual().split("\n## Cluster\n")[1].split("\n## ")[0]
DAEMON = ("mkdir -p /usr/lib/l2tpns /var/lib/l2tpns; cp %s/*.so /usr/lib/l2tpns; %s -t; exec %s"
          % (plugin_dir(), binary(), binary()))


class Member:
    def __init__(self, site, name):
        self.site, self.name = site, name
        self.ns = site.new(name)
        for device, switch in ("eth0", site.carrier), ("eth1", site.net), ("eth2", site.link):
            site.plug(self.ns, device, switch)
        self.files = {**blocks("both members"), **blocks(name)}
        self.machine = None
        self.boot()

    def boot(self):
        """All that the manual says to do on it, from the interfaces on."""
        self.run("ifup -a; sysctl -q -p /etc/sysctl.d/90-l2tpns.conf; iptables-restore </etc/iptables/rules.v4; " + DAEMON)

    def run(self, script=DAEMON):
        self.machine = Machine(self.ns, self.site.folder(self.name), self.files, "hostname %s; %s" % (self.name, script))
        self.cli = None

    def alive(self):
        return self.machine is not None and self.machine.process.alive()

    def ask(self, command):
        if self.cli is None:
            path = self.machine.path("/run/l2tpns.sock")
            wait_for(lambda: os.path.exists(path) or not self.alive(), "the daemon of " + self.name)
            assert self.alive(), self.machine.process.output + self.machine.read("/var/log/l2tpns")
            self.cli = Cli.unix(path)
            self.cli.prompt()
        return "\n".join(self.cli.run(command))

    def stop(self, number):
        """SIGTERM as `systemctl stop` sends it, or worse."""
        self.cli.close()
        self.machine.process.send_signal(number)
        code = self.machine.process.wait()
        assert code == (0 if number == signal.SIGTERM else -number), self.machine.process.output
        self.machine.close()
        self.machine = None

    def master(self):
        return "Cluster status   : Master" in self.ask("show cluster")


class Router:
    def __init__(self, site, name, place, addresses):
        self.ns = site.new(name)
        self.addresses = addresses
        self.site, self.place = site, place

    def start(self):
        self.machine = self.site.keep(Machine(self.ns, self.site.folder("router"), blocks(self.place, "both routers"),
                                              "sysctl -q -p /etc/sysctl.d/90-ecmp.conf; mkdir /run/bird; "
                                              "exec bird -f"))

    def birdc(self, *command):
        return self.ns.run("birdc", "-s", "/proc/%d/root/run/bird/bird.ctl" % self.machine.process.pid, *command)

    def ways(self, target):
        """The next hops of its route there."""
        return sorted(re.findall(r"via (\S+)", self.ns.run("ip", "route", "show", target)))


class Site:
    def __init__(self, factory):
        self.factory, self.all, self.machines = factory, [], []
        self.carrier, self.net, self.link = (self.switch(n) for n in ("carrier", "net", "link"))
        self.lac, self.radius = self.new("lac"), self.new("radius")
        self.edge = Router(self, "edge", "the edge router", ("198.51.100.1/28", "198.51.100.33/28"))
        self.core = Router(self, "core", "the core router", ("203.0.113.1/28", "203.0.113.33/28"))
        for router, switch, behind in (self.edge, self.carrier, self.lac), (self.core, self.net, self.radius):
            self.plug(router.ns, "eth0", switch)
            router.ns.plug("eth1", behind, "eth0")
            for address, device in zip(router.addresses, ("eth0", "eth1")):
                assert address in CHAPTER
                router.ns.ip("addr add %s dev %s" % (address, device))
        self.lac.ip("addr add %s/28 dev eth0" % LAC, "route add default via 198.51.100.33")
        self.radius.ip("addr add %s/28 dev eth0" % RADIUS, "route add default via 203.0.113.33")
        self.freeradius = self.keep(Machine(
            self.radius, self.folder("radius"), blocks("the RADIUS server"),
            "mkdir -m 755 /run/freeradius; chown freerad: /run/freeradius; chown -R freerad: /etc/freeradius; "
            "exec freeradius -f -l stdout"))
        self.freeradius.process.wait_line("Ready to process requests", timeout=60)
        for router in self.edge, self.core:
            router.start()
        self.members = [Member(self, name) for name in ("lns1", "lns2")]
        self.calls = []

    def folder(self, name):
        return self.factory.mktemp(name)

    def keep(self, machine):
        self.machines.append(machine)
        return machine

    def new(self, name):
        self.all.append(Namespace(name))
        return self.all[-1]

    def switch(self, name):
        ns = self.new(name)
        ns.ip("link add br0 type bridge forward_delay 0 mcast_snooping 0", "link set br0 up mtu 1600")
        return ns

    def plug(self, ns, device, switch):
        port = "%s%d" % (device, len(self.all))
        ns.plug(device, switch, port, mtu=1600 if device == "eth2" else 1500)
        switch.ip("link set %s master br0" % port)

    def master(self):
        found = [m for m in self.members if m.alive() and m.master()]
        return found[0] if len(found) == 1 else None

    def slave(self):
        master = self.master()
        return next(m for m in self.members if m is not master)

    def whole(self):
        """One master, the other up to date, and both in both routers' tables."""
        master = self.master()
        return (master and re.search(r"\n  \S+ +Slave +up to date", master.ask("show cluster"))
                and len(self.edge.ways(VIP)) == len(self.core.ways("100.64.0.0/16")) == 2)

    def close(self):
        for thing in [m.machine for m in self.members if m.machine] + self.machines:
            thing.close()
        for ns in reversed(self.all):
            ns.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    plant = Site(tmp_path_factory)
    try:
        wait_for(plant.whole, "both members", 30)
        yield plant
    finally:
        plant.close()


def test_routers_have_both(site):
    """What birdc and ip say is what the manual shows."""
    assert site.edge.ways(VIP) == ["198.51.100.11", "198.51.100.12"]
    assert site.core.ways("100.64.0.0/16") == site.core.ways(VIP) == ["203.0.113.11", "203.0.113.12"]
    assert site.edge.ways("100.64.0.0/16") == []
    shown = site.edge.birdc("show", "route")
    for line in re.findall(r"(?m)^    (\S+ +unicast .*|.*via 198\.51\.100\.1\d on eth0)$", CHAPTER):
        assert shape(line) in map(shape, shown.splitlines()), (line, shown)


def shape(line):
    """A line with times and numbers taken out, and spaces made alike."""
    line = re.sub(r"\d\d:\d\d:\d\d\.\d+", "TIME", line)
    return re.sub(r"\s+", " ", re.sub(r"\blns[12]\b", "LNS", re.sub(r"(?<![\d.])\d+(?:ms|s)?(?![\d.])", "N", line))).strip()


def sample(command):
    """What the manual shows of a command on the master."""
    text = re.search(r"(?m)^    lns1> %s\n((?:(?:    .*)?\n)*)" % command, CHAPTER).group(1)
    return [line.strip() for line in text.split("    lns1>")[0].splitlines() if line.strip()]


@pytest.mark.parametrize("command", ["show cluster", "show bgp"])
def test_shows(site, command):
    """The lines that the manual shows are those that there are."""
    lines = [line.strip() for line in site.master().ask(command).splitlines() if line.strip()]
    # which member is master is chance, and so are the addresses
    def bare(line):
        return re.sub(r"(10\.77\.0|198\.51\.100|203\.0\.113)\.1[12]", "ADDRESS", shape(line))
    assert [bare(line) for line in lines] == [bare(line) for line in sample(command)]


def forwarded(member):
    return json.loads(member.ask("show counters json"))["cluster_forwarded"]


def tunnel_by(site, member):
    """A tunnel that comes by that member: by which it comes is what the router makes of its source port."""
    for _ in range(40):
        before = forwarded(site.slave())
        tunnel = Lac(site, address=LAC, lns=VIP).tunnel(secret="of-the-tunnel", challenge=True)
        if (forwarded(site.slave()) > before) == (member is site.slave()):
            return tunnel
        tunnel.stop()
    raise AssertionError("none of 40 tunnels came by " + member.name)


def test_calls(site):
    """Calls come by both members, and each member knows all of them."""
    for name, member in ("joe", site.master()), ("ann", site.slave()):
        site.calls.append(tunnel_by(site, member).session().up(name + "@example.net", "secret-of-" + name))
    talk(site)
    for member in site.members:
        wait_for(lambda: member.ask("show session").count("@example.net") == 2, "the sessions on " + member.name)


def test_disconnect(site):
    """The RADIUS server ends a session by the address that the members share."""
    ann = site.calls.pop()
    answer = site.radius.run("sh", "-c", "echo Framed-IP-Address=%s | radclient -r 1 -t 5 %s:3799 disconnect of-radius"
                             % (ann.address, VIP))
    assert "Received Disconnect-ACK" in answer
    ann.tunnel.lac.wait(lambda: ann.gone, "the end of the session")
    site.calls.append(ann.tunnel.session().up("ann@example.net", "secret-of-ann"))


def talk(site):
    for one in site.calls:
        one.ping(RADIUS)


def test_master_dies(site):
    """Traffic of all goes on, and new calls come up."""
    master, other = site.master(), site.slave()
    master.stop(signal.SIGKILL)
    talk(site)
    wait_for(other.master, "another master")
    assert other.ask("show session").count("@example.net") == 2
    Lac(site, address=LAC, lns=VIP).tunnel().session().up("max@example.net", "secret-of-max").hangup()
    talk(site)
    left = re.search(r"iface eth0.*?address (\S+)/", other.files["/etc/network/interfaces.d/l2tpns"], re.S).group(1)
    wait_for(lambda: site.edge.ways(VIP) == [left], "the way by the other one")
    master.run()
    wait_for(site.whole, "both members again", 30)
    talk(site)


def test_rolling_restart(site):
    """As for an upgrade: the slave first, then the master, which hands over."""
    for member in site.slave(), site.master():
        member.stop(signal.SIGTERM)
        talk(site)
        member.run()
        wait_for(site.whole, "both members again", 30)
        talk(site)
    for one in site.calls:
        assert not one.gone


def test_firewall(site):
    """What is not named in rules.v4 is not open: the command line, the cluster's port from the LACs' side."""
    for ns, address, port in (site.lac, VIP, 23), (site.radius, "203.0.113.11", 179):
        with ns.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.settimeout(0.5)
            with pytest.raises(OSError):
                sock.connect((address, port))
    rules = site.members[0].ns.run("iptables", "-S", "INPUT")
    assert "--dport 32792" in rules and rules.startswith("-P INPUT DROP")
    with pytest.raises(Failed):
        site.members[0].ns.run("iptables", "-C", "INPUT", "-p", "tcp", "--dport", "23", "-j", "ACCEPT")
