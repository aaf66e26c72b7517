"""Whether the routers' tables are what the cluster says, asked all the time while something befalls it.

    with Watch(site) as watch: ...
    watch.longest                              # seconds for which a member and a router, or a member and the rules, differed

Three words are compared, a member at a time: what the rules of the cluster say of one in its role and among those it can
hear (`model`), what it says itself (`show cluster`, draws_traffic), and what each router's kernel has. They need not agree at
every moment, but soon.
"""

import json
import threading
import time

import cluster

EACH = 0.1  # seconds between two looks


class Differences:
    """For how long things differ."""

    def __init__(self):
        self.since, self.longest = {}, {}

    def say(self, what, differ, now):
        if not differ:
            self.since.pop(what, None)
            return
        seconds = now - self.since.setdefault(what, now)
        if seconds >= self.longest.get(what, 0):
            self.longest[what] = seconds


class Watch:
    def __init__(self, site):
        self.site = site
        self.over, self.error = False, None
        self.looks = 0
        self.changes = 0  # of what members say
        self.clis = {}  # member: (pid, connection)
        self.words, self.told = {}, {}
        self.by_router, self.by_rule = Differences(), Differences()
        self.before = self._established()

    def __enter__(self):
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.over = True
        self.thread.join(30)
        for _, cli in self.clis.values():
            cli.close()
        if kind is None and self.error:
            raise self.error

    def _run(self):
        try:
            while not self.over:
                began = time.monotonic()
                self._look()
                self.looks += 1
                time.sleep(max(0, EACH - (time.monotonic() - began)))
        except Exception as error:  # told to the test, in its own thread
            self.error = error

    # ------------------------------------------------------------------ the three words

    def _show(self, member):
        """A child answers, from memory it shares with the daemon: also while that is frozen."""
        if not member.running():
            return None
        try:
            pid, cli = self.clis.get(member, (None, None))
            if pid != member.pid:
                if member.frozen:
                    return self.words.get(member)
                self.clis[member] = member.pid, member.lns.open_cli()
                cli = self.clis[member][1]
            return json.loads("\n".join(cli.run("show cluster json")))
        except (AssertionError, OSError, ValueError):  # it ends or begins at this moment
            self.clis.pop(member, None)
            return None

    def model(self, member):
        """Whether it is to draw traffic, by SPEC 13; None: no rule says."""
        word = self.words[member]
        if member.frozen:
            return None
        if word["status"].lower() == "slave":
            return None if word["master"] == "0.0.0.0" else word["up_to_date"]
        lately = 3 * 100 * int(self.site.more.get("cluster_hb_interval", 1)) + 100  # ms; it is written down each 100
        drawing = {m.link for m, other in self.words.items() if other["draws_traffic"]}
        slaves = sum(p["role"] == "slave" and p["silent_ms"] <= lately and (
            p["state"] == "up to date" or p["address"] in drawing) and self._is_heard(p["address"]) for p in word["peers"])
        return slaves < max(1, int(self.site.more.get("cluster_master_min_adv", 1)))

    def _is_heard(self, link):
        """By a router: who is not does not count."""
        number = next(m.number for m in self.site.members if m.link == link)
        return any(not self._is_down(router, "%s%d" % (side, number)) for router in self.site.routers for side in ("outer", "inner"))

    def _look(self):
        site, now = self.site, time.monotonic()
        self.words = {m: word for m in site.members for word in [self._show(m)] if word}
        tables = {router: cluster.nexthops_of(router, cluster.VIP, cluster.POOL) for router in site.routers}
        for member in site.members:
            word = self.words.get(member)
            draws = bool(word and word["draws_traffic"])
            self.changes += self.told.get(member, draws) != draws
            self.told[member] = draws
            if word:
                self.by_rule.say(str(member), self.model(member) not in (None, draws), now)
            for router, hops in tables.items():
                for side in "outer", "inner":
                    there = getattr(member, side) in hops
                    what = type(router).__name__, "%s%d" % (side, member.number), "there" if there else "missing"
                    for name in "there", "missing":
                        differ = what[2] == name and there != draws and not (draws and self._is_down(router, what[1]))
                        self.by_router.say((*what[:2], name), differ, now)

    @staticmethod
    def _is_down(router, name):
        """There can be no route without a session; that is another matter (`flapped`)."""
        return not router.states().get(name, (False,))[0]

    # ------------------------------------------------------------------ the outcome

    def _established(self):
        return {(type(r).__name__, name): state for r in self.site.routers for name, state in r.states().items()}

    def flapped(self, but=()):
        """BGP sessions, but for those of some members, that did not stay up."""
        now = self._established()
        return [(key, was, now[key]) for key, was in self.before.items() if int(key[1][5:]) not in but
                and not (was[0] and now[key][0] and abs(was[1] - now[key][1]) < 0.1)]  # BIRD's times are not exact

    def __str__(self):
        def most(differences):
            one = max(differences.longest.items(), key=lambda item: item[1], default=("none", 0))
            return "%.1f s (%s)" % (one[1], " ".join(one[0]) if isinstance(one[0], tuple) else one[0])
        return "%d looks, %d changes of who draws; longest difference of a router %s, of the rules %s" % (
            self.looks, self.changes, most(self.by_router), most(self.by_rule))
