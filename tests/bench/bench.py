#!/usr/bin/python3
"""Measures an l2tpns: set-up rate, CPU, memory, packets per second.

Upstream load is sent with UDP GSO: it reaches the daemon's socket as from a network card that
coalesces. The packets of the sessions come in turn, one of each; with --burst several of each in a row,
as TCP sends them, and downstream too a burst then comes as from a card that coalesces. With --old it measures a second product with the same traffic, run by run in turn, and prints
ratios. Figures are of the daemon's own process; the load generators run on the other CPU.
"""

import argparse
import json
import os
import signal
import statistics
import sys
import time

from world import BenchError, CORE_IP, Lac, Lns, Proc, SECRET, World, parse, run as command

TUNNELS, PER_TUNNEL = 16, 3
SIZES = (64, 512, 1400)
SINK_PORT = 9000
OLD_MOST = 59900  # its table is fixed; shown as 60000


class Product:
    def __init__(self, name, path, old):
        self.name, self.path, self.old = name, path, old
        self.results = {}  # figure -> list of values, one a run
        self.most = OLD_MOST if old else 1000000

    def note(self, figure, value):
        self.results.setdefault(figure, []).append(value)

    def median(self, figure):
        values = self.results.get(figure)
        return statistics.median(values) if values else None


class Run:
    """One LNS with its LAC and RADIUS server."""

    def __init__(self, world, product, args):
        self.world, self.product, self.args = world, product, args
        self.radius = world.core("radresp", "-s", SECRET)
        self.lac = world.add(Lac(world, args.gso))
        self.lns = world.add(Lns(world, product.path, product.old))
        self.lns.wait_ready(self.lac)
        self.empty = self.lns.memory()
        self.sessions = 0
        for _ in range(TUNNELS):  # the old product confuses SCCRQs that come at once
            self.lac.ask("tunnel secret=%s" % SECRET)

    def close(self):
        for p in (self.lac, self.lns, self.radius):
            self.world.drop(p, signal.SIGKILL)

    def set_up(self, n):
        """Sets n sessions up; (rate, CPU us each)."""
        if n <= 0:
            return None
        cpu = self.lns.cpu_ns()
        got = self.lac.ask("session count=%d parallel=%d per_tunnel=%d auth=pap" % (
            n, TUNNELS * PER_TUNNEL, PER_TUNNEL))
        self.sessions += n
        return float(got["rate"]), (self.lns.cpu_ns() - cpu) / 1000 / n

    def fill(self, total):
        self.set_up(total - self.sessions)

    def idle(self, seconds):
        """Daemon's CPU, percent of a core."""
        cpu = self.lns.cpu_ns()
        self.lac.ask("sleep ms=%d" % (seconds * 1000))
        return (self.lns.cpu_ns() - cpu) / seconds / 1e7

    def violations(self):
        return int(self.lac.ask("stats")["violations"])


def measure_setup(run, levels):
    product = run.product
    for level in sorted({min(n, product.most) for n in levels}):
        block = 1000 if level <= 10000 else 2000
        run.fill(level - block)
        rate, cpu = run.set_up(block)
        key = "setup %d" % (60000 if level == OLD_MOST else level)
        product.note(key + " rate", rate)
        product.note(key + " cpu", cpu)
        if level == 50000:
            run.lac.ask("sleep ms=2000")
            product.note("idle 50000", run.idle(run.args.idle))
    if run.sessions < 1000:
        return
    run.lac.ask("sleep ms=1000")
    product.note("memory empty", run.empty)
    product.note("memory session", (run.lns.memory() - run.empty) / run.sessions)
    product.note("memory all", run.lns.memory() / run.sessions)
    got = run.lac.ask("ping session=all to=%s rate=20000 timeout=3000" % CORE_IP, must=False)
    product.note("unanswered", int(got["sent"]) - int(got["received"]))
    product.note("close rate", run.sessions * 1000 / max(1, int(
        run.lac.ask("close session=all")["ms"])))
    run.sessions = 0


def measure_storm(run, n):
    """All subscribers of a LAC come at once."""
    product, n = run.product, min(n, run.product.most)
    got = run.lac.ask("session count=%d parallel=%d auth=pap timeout=120" % (n, min(n, 100000)), must=False)
    product.note("storm rate", float(got["rate"]))
    product.note("storm p99", float(got["p99_ms"]))
    product.note("storm failed", n - int(got["up"]))


def traffic_result(run, key, packets, wall, cpu_ns):
    product = run.product
    if packets < 1000:
        raise BenchError("%s, %s: only %d packets came through" % (product.name, key, packets))
    product.note(key + " pps", packets / wall)
    product.note(key + " ns", cpu_ns / packets)
    product.note(key + " busy", cpu_ns / wall / 1e7)


def measure_up(run, sessions, size, pps):
    """LAC to core. What the sink's socket dropped the daemon has handled all the same."""
    sink = run.world.core("traffic", "sink", "port=%d" % SINK_PORT)
    cpu, start = run.lns.cpu_ns(), time.monotonic()
    run.lac.ask("blast sessions=%d to=%s:%d size=%d pps=%s burst=%d ms=%d" % (
        sessions, CORE_IP, SINK_PORT, size, pps, run.args.burst, run.args.seconds * 1000))
    cpu, wall = run.lns.cpu_ns() - cpu, time.monotonic() - start
    time.sleep(0.3)  # the daemon's queue runs dry
    sink.kill(signal.SIGTERM)
    ok, got = parse(sink.read_line())
    run.world.drop(sink)
    if int(got["corrupt"]) or int(got["wrong_source"]):
        raise BenchError("upstream packets were damaged: %s" % got)
    packets = int(got["packets"]) + int(got["socket_drops"])
    traffic_result(run, "up %d %d %s" % (size, sessions, pps), packets, wall, cpu)


def measure_down(run, sessions, size, pps):
    """Core to LAC."""
    addresses = os.path.join(run.world.dir, "addresses")
    with open(addresses, "w") as f:
        f.writelines(a + "\n" for a in run.addresses[:sessions])
    drops = int(run.lac.ask("stats reset")["socket_drops"])
    cpu, start = run.lns.cpu_ns(), time.monotonic()
    source = run.world.core("traffic", "source", "list=" + addresses, "size=%d" % size,
                            "burst=%d" % run.args.burst, "gso=" + ("yes" if run.args.burst > 1 else "no"),
                            "pps=%s" % pps, "seconds=%g" % run.args.seconds)
    run.lac.ask("sleep ms=%d" % (run.args.seconds * 1000))
    source.read_line()
    cpu, wall = run.lns.cpu_ns() - cpu, time.monotonic() - start
    run.lac.ask("wait event=quiet ms=200 timeout=5")
    run.world.drop(source)
    got = run.lac.ask("stats")
    if int(got["rx_corrupt"]) or int(got["rx_misrouted"]):
        raise BenchError("downstream packets were damaged: %s" % got)
    packets = int(got["rx_packets"]) + int(got["socket_drops"]) - drops
    traffic_result(run, "down %d %d %s" % (size, sessions, pps), packets, wall, cpu)


def measure_data(run, counts, rates):
    run.fill(max(counts))
    run.lac.ask("list state=up")
    run.addresses = [i["ip"] for i in run.lac.items]
    run.lac.ask("lazy")
    for sessions in counts:
        for size in SIZES:
            for pps in rates:
                measure_up(run, sessions, size, pps)
                measure_down(run, sessions, size, pps)


def iperf(run, address, way):
    """One connection between a subscriber and the core: octets received, seconds, ns of the daemon's CPU."""
    world = run.world
    server = world.add(Proc(world.ns("core"), ["iperf3", "-s", "-1", "--forceflush"], world.cpu_rest))
    while "listening" not in server.read_line():
        pass
    cpu = run.lns.cpu_ns()
    client = world.add(Proc(world.ns("lac"), ["iperf3", "-J", "-c", CORE_IP, "-B", address, "-t",
                                              "%d" % max(1, run.args.seconds)] +
                            (["-R"] if way == "down" else []), world.cpu_rest))
    text, _ = client.p.communicate(timeout=run.args.seconds + 20)
    cpu = run.lns.cpu_ns() - cpu
    for p in (client, server):
        world.drop(p)
    end = json.loads(text)["end"]["sum_received"]
    return end["bytes"], end["seconds"], cpu


def measure_tcp(run):
    """A subscriber on a tun device of the LAC; that one takes packets singly and is slower than the daemon."""
    run.fill(1)
    run.lac.ask("list state=up")
    address = run.lac.items[0]["ip"]
    run.lac.ask("attach session=0 dev=tun9")
    ns = run.world.ns("lac")
    command("ip", "-n", ns, "link", "set", "tun9", "up")
    command("ip", "-n", ns, "route", "add", CORE_IP, "dev", "tun9", "src", address)
    for way in ("up", "down"):
        octets, seconds, cpu = iperf(run, address, way)
        run.product.note("tcp %s mbit" % way, octets * 8 / seconds / 1e6)
        run.product.note("tcp %s ns" % way, cpu * 1400 / octets)
        run.product.note("tcp %s busy" % way, cpu / seconds / 1e7)


def one_round(world, product, args):
    for part in ("setup", "storm", "data", "tcp"):
        if args.part not in (part, "all"):
            continue
        run = Run(world, product, args)
        try:
            if part == "setup":
                measure_setup(run, args.levels)
            elif part == "storm":
                measure_storm(run, args.storm)
            elif part == "tcp":
                measure_tcp(run)
            else:
                measure_data(run, args.sessions, args.rates)
            product.note("violations", run.violations())
        except BenchError as e:
            raise BenchError("%s\n%s" % (e, run.lns.tail()))
        finally:
            run.close()


def rows(args):
    """(title, figure, format, how ours should compare: +1 more is better, -1 less)"""
    for level in args.levels:
        yield "set-ups/s at %d sessions" % level, "setup %d rate" % level, "%.0f", 1
    for level in args.levels:
        yield "CPU us per set-up at %d" % level, "setup %d cpu" % level, "%.1f", -1
    yield "set-ups/s, %d at once" % args.storm, "storm rate", "%.0f", 1
    yield "the same, p99 ms", "storm p99", "%.0f", -1
    yield "the same, failed", "storm failed", "%.0f", -1
    yield "close-downs/s", "close rate", "%.0f", 1
    yield "bytes per idle session", "memory session", "%.0f", -1
    yield "bytes in all / sessions", "memory all", "%.0f", -1
    yield "idle CPU % at 50000", "idle 50000", "%.2f", -1
    for way in ("up", "down"):
        yield "TCP %s, Mbit/s" % way, "tcp %s mbit" % way, "%.0f", 1
        yield "TCP %s, ns per 1400 octets" % way, "tcp %s ns" % way, "%.0f", -1
    for pps in args.rates:
        for way in ("up", "down"):
            for sessions in args.sessions:
                for size in SIZES:
                    what = "%s %dB, %d session%s, %s" % (
                        way, size, sessions, "s"[:sessions > 1],
                        "flat out" if pps == "max" else "%s pps offered" % pps)
                    key = "%s %d %d %s" % (way, size, sessions, pps)
                    if pps == "max":
                        yield "pps " + what, key + " pps", "%.0f", 1
                    yield "ns/packet " + what, key + " ns", "%.0f", -1


def mark(product, figure):
    """'>' where the daemon was not the bottleneck: it would do more."""
    what, _, unit = figure.rpartition(" ")
    busy = product.median(what + " busy") if unit in ("pps", "mbit") else None
    return ">" if busy is not None and busy < 90 else ""


def print_table(products, args):
    print("\n%-48s" % "" + "".join("%14s" % p.name for p in products) +
          ("%10s" % "better" if len(products) > 1 else ""))
    for title, figure, fmt, sense in rows(args):
        values = [p.median(figure) for p in products]
        if not any(v is not None for v in values):
            continue
        cells = ["-" if v is None else mark(p, figure) + fmt % v for p, v in zip(products, values)]
        line = "%-48s" % title + "".join("%14s" % c for c in cells)
        if len(products) > 1 and all(values):
            ratio = values[0] / values[1] if sense > 0 else values[1] / values[0]
            line += "%9.2fx" % ratio
        print(line)
    for p in products:
        lost = sum(p.results.get("unanswered", []))
        if lost:
            print("%s: %d sessions did not pass a ping both ways" % (p.name, lost))
        bad = sum(p.results.get("violations", []))
        if bad:
            print("%s: %d violations of the RFCs seen by the LAC" % (p.name, bad))
    print("(> : the load generators were the limit, not the daemon)")


def options():
    here = os.path.dirname(os.path.abspath(__file__))
    top = os.path.dirname(os.path.dirname(here))
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("--ours", default=os.path.join(top, "l2tpns"), help="our daemon")
    a.add_argument("--old", default=os.environ.get("LNS") or None,
                   help="the old product's daemon, to compare with (default: $LNS)")
    a.add_argument("--only-old", action="store_true", help="measure only that one")
    a.add_argument("--tools", default=os.path.join(top, "tests", "lac"),
                   help="where lac, radresp and traffic are")
    a.add_argument("--quick", action="store_true", help="under a minute: small numbers, one run")
    a.add_argument("--part", choices=("all", "setup", "storm", "data", "tcp"), default="all")
    a.add_argument("--levels", type=lambda s: [int(x) for x in s.split(",")],
                   help="sessions at which set-up is measured")
    a.add_argument("--storm", type=int, help="sessions that come all at once (50000)")
    a.add_argument("--rounds", type=int, help="how often each is measured; medians are printed")
    a.add_argument("--seconds", type=float, help="of each traffic measurement")
    a.add_argument("--idle", type=float, default=10, help="seconds of idleness measured")
    a.add_argument("--burst", type=int, default=1, help="packets of a session in a row")
    a.add_argument("--no-gso", dest="gso", action="store_false",
                   help="LAC sends packets one by one, not with UDP GSO; it then cannot send more "
                   "than some 400,000 a second")
    a.add_argument("--no-pin", action="store_true", help="do not pin to CPUs")
    a.add_argument("--json", help="all figures into this file")
    args = a.parse_args()
    if args.quick:
        args.levels = args.levels or [1000, 5000]
        args.storm = args.storm or 5000
        args.sessions, args.rates = (1, 2000), ("max",)
    else:
        args.levels = args.levels or [1000, 10000, 50000, 60000, 70000]
        args.storm = args.storm or 50000
        args.sessions, args.rates = (1, 10000), ("max", "50000")
    args.rounds = args.rounds or (1 if args.quick else 3)
    args.seconds = args.seconds or (0.7 if args.quick else 3)
    if args.only_old and not args.old:
        a.error("--only-old needs --old or LNS=")
    return args


def measure(args, products):
    for n in range(args.rounds):
        for product in products:
            world = World(args.tools, not args.no_pin)
            try:
                world.open()
                start = time.monotonic()
                print("round %d of %d: %s ..." % (n + 1, args.rounds, product.name), end=" ",
                      flush=True)
                one_round(world, product, args)
                print("%.0f s" % (time.monotonic() - start), flush=True)
            finally:
                world.close()


def stopped(signum, frame):
    raise KeyboardInterrupt


def main():
    args = options()
    products = [] if args.only_old else [Product("ours", os.path.abspath(args.ours), False)]
    if args.old:
        products.append(Product("old", args.old, True))
    if os.geteuid() != 0:
        sys.exit("bench: must be root, to make network namespaces")
    for path in [p.path for p in products] + [os.path.join(args.tools, "lac")]:
        if not os.access(path, os.X_OK):
            sys.exit("bench: %s is not there; run make first" % path)
    if os.getloadavg()[0] > 0.5:
        print("note: the machine has other work (load %.2f); figures suffer" % os.getloadavg()[0])
    signal.signal(signal.SIGTERM, stopped)
    try:
        measure(args, products)
    except BenchError as e:
        print_table(products, args)
        sys.exit("bench: %s" % e)
    except KeyboardInterrupt:
        sys.exit("\nbench: stopped")
    finally:
        if args.json:
            with open(args.json, "w") as f:
                json.dump({p.name: p.results for p in products}, f, indent=1)
    print_table(products, args)


if __name__ == "__main__":
    main()
