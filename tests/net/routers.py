"""Routers that speak BGP, real ones: BIRD 2 and FRR, with configurations of the test's.

    router = Bird(network.core, folder, body)    # body: protocols of bird.conf
    router.routes()                              # {prefix: {"next_hop", "med", "communities", "path", "local_pref"}}
    router.stop()                                # as its operator would; start() again
"""

import json
import os
import re
import shutil
import signal

from netns import wait_for

FRR = "/usr/lib/frr"


class Bird:
    CONF = """log stderr all;
router id {id};
protocol device {{ }}
{body}
"""

    def __init__(self, ns, folder, body, router_id="10.2.0.2"):
        self.ns = ns
        self.folder = str(folder)
        self.socket = os.path.join(self.folder, "ctl")
        self.config = os.path.join(self.folder, "bird.conf")
        self.router_id = router_id
        self.write(body)
        self.start()

    def write(self, body):
        with open(self.config, "w") as f:
            f.write(self.CONF.format(id=self.router_id, body=body))

    def start(self):
        self.process = self.ns.start("bird", "-f", "-c", self.config, "-s", self.socket,
                                     "-P", os.path.join(self.folder, "pid"))
        wait_for(lambda: os.path.exists(self.socket) and "BIRD" in self.ctl("show status"), "BIRD")

    def ctl(self, command):
        return self.ns.run("birdc", "-s", self.socket, *command.split(), check=False)

    def configure(self, body):
        self.write(body)
        assert "Reconfigur" in self.ctl("configure")  # or is in progress

    def up(self, name="lns"):
        return re.search(r"^%s +BGP .*Established" % name, self.ctl("show protocols"), re.M) is not None

    def wait_up(self, name="lns", timeout=20):
        wait_for(lambda: self.up(name), "BGP with BIRD", timeout)

    def wait_down(self, name="lns", timeout=20):
        wait_for(lambda: not self.up(name), "the end of BGP with BIRD", timeout)

    def routes(self, table="master4"):
        found, now = {}, None
        for line in self.ctl("show route all table " + table).splitlines():
            match = re.match(r"([0-9a-f.:]+/\d+) ", line)
            if match:
                now = found.setdefault(match[1], {})
            match = re.match(r"\s+BGP\.(\w+): ?(.*)|\s+via (\S+) on", line)
            if match and now is not None and match[1]:
                now[match[1]] = match[2].strip()
        return found

    def ages(self):
        """{prefix: since when}"""
        return dict(re.findall(r"^([0-9a-f.:]+/\d+) .*\[\w+ ([0-9:.]+)\]", self.ctl("show route all"), re.M))

    def stop(self):
        self.ctl("down")
        self.process.wait()

    def close(self):
        self.process.kill()


class Frr:
    """bgpd alone keeps the table that is asked for; with zebra it knows interfaces, too, as link-local peers need."""

    def __init__(self, ns, folder, body, router_id="10.2.0.2", zebra=False, address="0.0.0.0"):
        self.ns = ns
        self.address = address
        self.zebra = None
        # bgpd runs as user frr and makes its own files in it
        self.folder = str(folder)
        shutil.chown(self.folder, "frr", "frr")
        os.chmod(self.folder, 0o777)
        for parent in open_up(self.folder):
            os.chmod(parent, 0o755)
        self.config = os.path.join(self.folder, "bgpd.conf")
        with open(self.config, "w") as f:
            f.write("hostname frr\nlog stdout\n%s" % body.format(id=router_id))
        os.chmod(self.config, 0o644)
        if zebra:
            self.zebra = self.run("zebra")
        self.start()

    def run(self, name, *more):
        return self.ns.start("%s/%s" % (FRR, name), "-i", "%s/%s.pid" % (self.folder, name), "--vty_socket", self.folder,
                             "-P", "0", "-z", self.folder + "/zserv", *more)

    def start(self):
        alone = [] if self.zebra else ["-Z"]
        self.process = self.run("bgpd", "-f", self.config, "-S", "-l", self.address, *alone)
        wait_for(lambda: os.path.exists(self.folder + "/bgpd.vty"), "bgpd")

    def vtysh(self, *commands):
        argv = ["vtysh", "--vty_socket", self.folder, "-d", "bgpd"]
        for command in commands:
            argv += ["-c", command]
        return self.ns.run(*argv, check=False)

    def neighbours(self):
        return json.loads(self.vtysh("show bgp neighbors json") or "{}")

    def up(self, name="10.2.0.1"):
        return self.neighbours().get(name, {}).get("bgpState") == "Established"

    def wait_up(self, name="10.2.0.1", timeout=20):
        wait_for(lambda: self.up(name), "BGP with FRR", timeout)

    def wait_down(self, name="10.2.0.1", timeout=20):
        wait_for(lambda: not self.up(name), "the end of BGP with FRR", timeout)

    def routes(self, family="ipv4"):
        text = self.vtysh("show bgp %s unicast json" % family)
        return json.loads(text).get("routes", {}) if text.strip() else {}

    def route(self, prefix, family="ipv4"):
        return json.loads(self.vtysh("show bgp %s unicast %s json" % (family, prefix)))

    def stop(self):
        self.process.stop(signal.SIGTERM)

    def close(self):
        self.process.kill()
        if self.zebra:
            self.zebra.kill()


def open_up(folder):
    """The folders above that pytest made for root alone."""
    parent = os.path.dirname(folder)
    while parent.startswith("/tmp/"):
        yield parent
        parent = os.path.dirname(parent)
