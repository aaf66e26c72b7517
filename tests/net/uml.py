"""User-mode Linux as the subscribers' side: xl2tpd and pppd with the kernel's own L2TP and PPP.

The machines that run the tests have no PPP in their kernel; user-mode Linux (package user-mode-linux) brings one, runs
on the host's files and boots in a few seconds. One guest serves all tests of a module:

    guest = Uml(network, folder)
    call = guest.dial("joe", user="joe", password="pw")     # an xl2tpd of its own, one pppd
    call.wait_up().address                                  # from pppd's ip-up
    guest.run("ping -c1 -I %s 10.2.0.2" % call.address)     # any shell command
    call.hangup()
"""

import errno
import os
import re
import shlex
import shutil
import socket
import subprocess

from netns import Failed, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))

IP_UP = """#!/bin/sh
# interface, tty, speed, local address, remote address, ipparam
table=$((${1#ppp} + 100))
ip route flush table $table 2>/dev/null
ip route add default dev $1 src $4 table $table
ip rule add from $4 table $table pref $table
env >/run/host/$6.tmp
mv /run/host/$6.tmp /run/host/$6.up
"""
IP_DOWN = """#!/bin/sh
table=$((${1#ppp} + 100))
ip rule del pref $table
"""
MOVED = re.compile(r"Sent (\d+) bytes, received (\d+) bytes")


class Uml:
    """A running guest, plugged into the LAC side of a Network."""

    def __init__(self, network, folder, address=None, tap="tap0"):
        self.network = network
        self.ns = network.lac
        self.folder = str(folder)
        self.address = address or network.UML
        self.tap = tap
        self.units = 0
        self.calls = []
        network.tap(tap)
        self.process = self._boot()
        for name, text in ("ip-up", IP_UP), ("ip-down", IP_DOWN):
            self.write(name, text)
            self.run("install -m 755 /run/host/%s /etc/ppp/%s" % (name, name))
        self.run("mkdir -p /run/xl2tpd && touch /etc/ppp/options /etc/ppp/pap-secrets /etc/ppp/chap-secrets")

    def _boot(self):
        shim = os.path.join(self.folder, "uml_xstate.so")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", shim, os.path.join(HERE, "uml_xstate.c")], check=True)
        shutil.copy(os.path.join(HERE, "uml_agent.py"), self.folder)  # a checkout in /tmp is out of sight inside
        process = self.ns.start(
            "linux.uml", "mem=256M", "root=/dev/root", "rootfstype=hostfs", "rw", "quiet", "con0=null,fd:1", "con=null",
            "vec0:transport=tap,ifname=%s,depth=64" % self.tap, "uml_dir=%s/" % self.folder, "umid=uml",
            "init=" + os.path.join(HERE, "uml_init.sh"), "UML_DIR=" + self.folder, "UML_ADDR=%s/16" % self.address,
            env={"TMPDIR": "/dev/shm", "LD_PRELOAD": shim}, log=os.path.join(self.folder, "console"))
        process.wait_line("agent is up", timeout=60)
        return process

    def write(self, name, text):
        """A file of the shared folder, /run/host inside."""
        with open(os.path.join(self.folder, name), "w") as f:
            f.write(text)

    def read(self, name):
        try:
            with open(os.path.join(self.folder, name), errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def _connect(self, timeout):
        """To the agent inside. A link that has just been plugged in again may not be found for a moment."""
        def connect():
            sock = self.ns.socket()
            sock.settimeout(timeout)
            try:
                sock.connect((self.address, 4000))
            except OSError as e:
                sock.close()
                if e.errno != errno.EHOSTUNREACH:
                    raise
                return None
            return sock
        return wait_for(connect, "a way to the guest")

    def run(self, command, check=True, timeout=60):
        """Run a shell command inside; its output."""
        with self._connect(timeout) as sock:
            sock.sendall(command.encode())
            sock.shutdown(socket.SHUT_WR)
            answer = b""
            while True:
                part = sock.recv(65536)
                if not part:
                    break
                answer += part
        output, _, code = answer.rpartition(b"\0")
        text = output.decode("utf-8", "replace")
        if check and code != b"0":
            raise Failed("in the guest: %s: exit %s\n%s" % (command, code.decode(), text))
        return text

    def spawn(self, command, log):
        """Start something that goes on beside; its output goes to a file of the shared folder. Yields its pid."""
        return int(self.run("setsid sh -c 'exec %s' >/run/host/%s 2>&1 & echo $!" % (command, log)))

    def dial(self, name, **options):
        call = Call(self, name, self.units, **options)
        self.units += 1
        self.calls.append(call)
        return call

    def hangup(self, calls):
        """End xl2tpd processes, and with them their pppd and tunnels.

        After SIGTERM xl2tpd closes its connections, but takes its time to exit: it is not waited for.
        """
        alive = [call for call in calls if call.pid]
        if not alive:
            return
        pids = " ".join(str(call.pid) for call in alive)
        self.run("kill %s 2>/dev/null" % pids, check=False)
        for call in alive:
            call.pid = 0
            if "Connection established" in call.xl2tpd_log:
                try:
                    wait_for(lambda: re.search("Connection.*closed", call.xl2tpd_log), "the tunnel's end", 3)
                except AssertionError:
                    pass  # the test may be about just that
        self.run("kill -9 %s 2>/dev/null" % pids, check=False)

    def hangup_all(self):
        self.hangup(self.calls)
        self.calls = []

    def unplug(self):
        """Nothing more comes from the guest, nor gets there: the LAC has vanished. (Its driver does not bear a tap set down.)"""
        self.ns.ip("link set %s nomaster" % self.tap)

    def plug(self):
        self.ns.ip("link set %s master br0" % self.tap)

    def close(self):
        self.process.kill()


class Call:
    """One xl2tpd with one tunnel and one call in it, dialled at once.

    auth names the only method pppd admits (pap, chap, mschap-v2), None: all. pppd gets its own words in `ppp`, xl2tpd
    its lines in `lac`.
    """

    METHODS = "pap", "chap", "mschap", "mschap-v2", "eap"

    def __init__(self, guest, name, unit, user="joe", password="secret", auth=None, secret=None, lns=None, ppp="",
                 lac="", port=None):
        self.guest = guest
        self.name = "%s%d" % (name, unit)
        self.unit = unit
        self.interface = "ppp%d" % unit
        lns = lns or guest.network.LNS
        port = port or 20000 + unit
        options = ["noauth", "nodefaultroute", "noipv6", "debug", "usepeerdns", "noipdefault", "ipcp-accept-local",
                   "ipcp-accept-remote", "lcp-restart 1", "ipcp-restart 1", "lcp-max-configure 20", "unit %d" % unit,
                   "ipparam " + self.name, "linkname " + self.name, "logfile /run/host/%s.ppp" % self.name,
                   "user " + shlex.quote(user), "password " + shlex.quote(password)]
        options += ["refuse-" + method for method in self.METHODS if auth not in (None, method)]
        options += ppp.splitlines()
        guest.write(self.name + ".options", "\n".join(options) + "\n")
        guest.write(self.name + ".secrets", "* * %s\n" % secret if secret else "")
        guest.write(self.name + ".conf", "\n".join([
            "[global]", "port = %d" % port, "auth file = /run/host/%s.secrets" % self.name, "debug tunnel = yes",
            "debug state = yes", "debug avp = yes", "[lac lns]", "lns = " + lns, "autodial = yes", "redial = no", "ppp debug = yes",
            "challenge = %s" % ("yes" if secret else "no"), "pppoptfile = /run/host/%s.options" % self.name,
            "length bit = yes", lac, ""]))
        self.pid = guest.spawn("xl2tpd -D -c /run/host/{0}.conf -p /run/xl2tpd/{0}.pid -C /run/xl2tpd/{0}.control "
                               "-s /run/host/{0}.secrets".format(self.name), self.name + ".xl2tpd")

    @property
    def log(self):
        """What pppd wrote."""
        return self.guest.read(self.name + ".ppp")

    @property
    def xl2tpd_log(self):
        return self.guest.read(self.name + ".xl2tpd")

    def _logs(self):
        return "--- pppd\n%s--- xl2tpd\n%s" % (self.log[-6000:], self.xl2tpd_log[-3000:])

    def wait_log(self, text, timeout=30):
        """Wait until pppd has logged this."""
        return self._wait(lambda: text in self.log, "%r in pppd's log" % text, timeout)

    def wait_xl2tpd(self, text, timeout=30):
        return self._wait(lambda: text in self.xl2tpd_log, "%r in xl2tpd's log" % text, timeout)

    def _wait(self, predicate, what, timeout):
        try:
            return wait_for(predicate, what, timeout)
        except AssertionError as error:
            raise AssertionError("%s\n%s" % (error, self._logs())) from None

    def _env(self, event):
        lines = self.guest.read("%s.%s" % (self.name, event)).splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def wait_up(self, timeout=30):
        """Wait for ip-up; yields the call. pppd's environment for it is then in `up`."""
        self.up = self._wait(lambda: self._env("up"), "ip-up", timeout)
        self.address, self.remote = self.up["IPLOCAL"], self.up["IPREMOTE"]
        return self

    def wait_down(self, timeout=30):
        """Wait until the link is down; pppd's octets sent and received are then in `moved`. Not until ip-down has run: the CDN
        that follows makes xl2tpd end pppd, and that its script."""
        self.moved = [int(n) for n in self._wait(lambda: MOVED.search(self.log), "the end of the link", timeout).groups()]
        return self

    def wait_exit(self, timeout=30):
        """Wait until pppd has gone."""
        self._wait(lambda: "Connect: " in self.log, "pppd's start", timeout)
        self._wait(lambda: self.guest.run("ls /run/ppp-%s.pid 2>/dev/null" % self.name, check=False) == "",
                   "pppd's end", timeout)

    def terminate(self):
        """Tell pppd to end the link."""
        self.guest.run("kill $(head -1 /run/ppp-%s.pid)" % self.name)

    def hangup(self):
        """End xl2tpd (and with it pppd and the tunnel), whatever state it is in."""
        self.guest.hangup([self])

    def interface_mtu(self):
        return int(self.guest.run("cat /sys/class/net/%s/mtu" % self.interface))
