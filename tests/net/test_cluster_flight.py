"""The master goes - killed, frozen, or by SIGTERM - at each step of a tunnel's and a call's life.

One call stands at each of MOMENTS when it happens, in a tunnel of its own. The last message was `heard` and answered; or
the answer was `lost`; or it is `untold`: nobody but the old master knows of it, as if it had died on reading it. Then each
peer goes on as RFC 2661 5.8, RFC 1661 4.6 and RFC 1334 2 say, which is to repeat what was not answered, and all get what they
want in the tunnel and the call that they have.
"""

import signal
import threading
import time

import pytest

import fakeradius
import pylac
from fakeradius import START, STOP, USER_NAME, attribute
from members import RADIUS, VIP, Network, Trio, all_up
from netns import Timeout, wait_for
from test_cluster_login import SUCCESS, proof
from test_dae import DISCONNECT, Client, request
from test_l2tp import proxy_chap, proxy_lcp, proxy_pap

TUNNEL_SECRET = "tunnelsecret"
SETTINGS = {**RADIUS, "radius_accounting": True, "radius_authtypes": "chap,pap,mschapv2", "l2tp_secret": TUNNEL_SECRET}
AUTHS = {"pap": b"\xc0\x23", "chap": b"\xc2\x23\x05", "mschapv2": b"\xc2\x23\x81",
         "secret": b"\xc2\x23\x05"}  # in a tunnel both sides of which challenge the other
HEARD, LOST, UNTOLD = "heard", "lost", "untold"


class Caller:
    """A LAC with a tunnel, a call in it, and who calls; and how far they have come."""

    serial = 0

    def __init__(self, scene, name, auth="chap"):
        self.scene, self.user, self.auth = scene, name, AUTHS[auth]
        self.lac = pylac.Lac(Network(scene.trio))
        both = {"secret": TUNNEL_SECRET, "challenge": True} if auth == "secret" else {}
        self.tunnel = pylac.Tunnel(self.lac, host=name, **both)
        self.session = None
        self.hanging_up = False
        self.ask_for_address = None  # while the Nak is not to be followed

    # ------------------------------------------------------------------ the steps: say it; has it been answered?

    def sccrq(self):
        self.tunnel.send(pylac.SCCRQ, *self.tunnel.sccrq())

    def sccrp(self):
        return self.tunnel.peer_tid

    def scccn(self):
        reply = next(m for m in self.tunnel.inbox if m.type == pylac.SCCRP)
        self.tunnel.send(pylac.SCCCN, *self.response(reply) if self.tunnel.secret else ())

    def response(self, reply):
        assert reply.get(pylac.RESPONSE) == self.tunnel.response_to(self.tunnel.challenge, pylac.SCCRP)
        return [pylac.avp(pylac.RESPONSE, self.tunnel.response_to(reply.get(pylac.CHALLENGE), pylac.SCCCN))]

    def acked(self):
        return not self.tunnel.unacked

    def icrq(self):
        self.session = session = pylac.Session(self.tunnel, 1)
        session.user, session.password, session.wanted_auth = self.user, "secret", self.auth
        self.tunnel.inbox.clear()
        Caller.serial += 1
        self.tunnel.send(pylac.ICRQ, *self.tunnel.icrq(1, Caller.serial))

    def icrp(self):
        for message in self.tunnel.inbox:
            if message.type == pylac.ICRP:
                self.session.peer_sid = message.number(pylac.ASSIGNED_SESSION)
        return self.session.peer_sid

    def iccn(self):
        self.tunnel.send(pylac.ICCN, *self.tunnel.iccn(), sid=self.session.peer_sid)

    def asked_for_lcp(self):
        return self.acked() and self.session.lcp_peer

    def proxied(self, proof):
        """LCP and the proof were the LAC's affair."""
        self.tunnel.send(pylac.ICCN, *self.tunnel.iccn(), *proxy_lcp(self.auth), *proof(self.user, "secret"),
                         sid=self.session.peer_sid)
        self.session.lcp_sent = self.session.lcp_peer = True
        self.session.auth = pylac.PAP if self.auth == AUTHS["pap"] else pylac.CHAP

    def iccn_with_chap(self):
        self.proxied(proxy_chap)

    def iccn_with_pap(self):
        self.proxied(proxy_pap)

    def lcp(self):
        self.session.chap_respond = lambda: None
        self.session.lcp_request()

    def lcp_open(self):
        return self.session.lcp_sent and self.session.lcp_peer

    def challenge(self):
        pass

    def challenged(self):
        return self.session.auth == pylac.PAP or hasattr(self.session, "chap_ident")

    def login(self):
        self.session.__dict__.pop("chap_respond", None)
        self.session.pap_request() if self.session.auth == pylac.PAP else self.session.chap_respond()

    def let_in(self):
        return self.session.authenticated

    def ipcp(self):
        self.ask_for_address, self.session.ipcp_request = self.session.ipcp_request, lambda: None
        self.ask_for_address()

    def nakked(self):
        return self.session.wanted_address != "0.0.0.0"

    def ipcp_again(self):
        self.ask_for_address = None
        del self.session.ipcp_request
        self.session.ipcp_request()

    def up(self):
        return self.session.ipcp_sent and self.session.ipcp_peer

    def hello(self):
        self.tunnel.send(pylac.HELLO)

    def wen(self):
        self.tunnel.send(pylac.WEN, pylac.avp(pylac.CALL_ERRORS, bytes(26)), sid=self.session.peer_sid)

    def sli(self):
        self.tunnel.send(pylac.SLI, pylac.avp(pylac.ACCM, b"\0\0" + b"\xff" * 8), sid=self.session.peer_sid)

    def cdn(self):
        self.tunnel.send(pylac.CDN, pylac.avp(pylac.RESULT_CODE, 3), pylac.avp(pylac.ASSIGNED_SESSION, 1),
                         sid=self.session.peer_sid)

    def stopccn(self):
        self.tunnel.send(pylac.STOPCCN, pylac.avp(pylac.ASSIGNED_TUNNEL, self.tunnel.tid), pylac.avp(pylac.RESULT_CODE, 1))

    def terminate(self):
        self.hanging_up = True
        self.session.send_cp(pylac.LCP, pylac.TERM_REQ)

    def call_ended(self):
        return self.session.closed

    def drop_session(self):
        self.scene.old.lns.run("drop user %s" % self.user)

    def drop_tunnel(self):
        self.scene.old.lns.run("drop tunnel %s" % self.scene.old.lns.session(self.user)["TID"])

    def tunnel_ended(self):
        return self.tunnel.closed and self.acked()

    def disconnect(self):
        """By RFC 5176; the client has the answer."""
        self.request = request(DISCONNECT, attribute(USER_NAME, self.user))
        self.client = Client(self.scene.trio.lac, VIP)
        self.scene.clients.append(self.client)
        assert self.client.ask(self.request).ack

    # ------------------------------------------------------------------ how they go on

    def repeat(self):
        """What a PPP peer says again each restart time (control messages the LAC repeats in any case)."""
        session = self.session
        if not session or not session.peer_sid or self.tunnel.unacked or session.gone:
            return
        if self.hanging_up:
            session.send_cp(pylac.LCP, pylac.TERM_REQ)
        elif not session.lcp_sent:
            session.lcp_request()
        elif not session.lcp_peer:
            pass
        elif session.authenticated is None and session.auth == pylac.PAP:
            session.pap_request()
        elif session.authenticated and not session.ipcp_sent:
            (self.ask_for_address or session.ipcp_request)()

    def wait(self, done, what):
        end = time.monotonic() + 30
        while True:
            try:
                return self.lac.wait(done, what, 1)
            except Timeout:
                if time.monotonic() > end:
                    raise
                self.repeat()

    def run(self, steps):
        for step, done in steps:
            getattr(self, step)()
            self.wait(getattr(self, done), step)

    def discard(self):
        """What has come was lost on its way."""
        while True:
            try:
                self.lac.sock.settimeout(0)
                self.lac.sock.recv(65536)
            except (BlockingIOError, ConnectionError):
                return


TUNNEL = [("sccrq", "sccrp"), ("scccn", "acked")]
CALL = [("icrq", "icrp"), ("iccn", "asked_for_lcp")]
LINK = [("lcp", "lcp_open"), ("challenge", "challenged")]
LOGIN = [("login", "let_in")]
IP = [("ipcp", "nakked"), ("ipcp_again", "up")]
LIFE = TUNNEL + CALL + LINK + LOGIN + IP
OTHERS = [("hello", "acked"), ("wen", "acked"), ("sli", "acked")]
OURS = [("drop_session", "call_ended"), ("drop_tunnel", "tunnel_ended"), ("disconnect", "call_ended")]
ENDS = [("cdn", "acked"), ("stopccn", "acked"), ("terminate", "call_ended"), *OURS]
PROXY = TUNNEL + [("icrq", "icrp")]


def moments():
    """{name: (steps until then, last step, steps behind it, how it was with that, kind of login)}"""
    found = {}

    def add(before, step, behind, ways, auth="chap"):
        for way in ways:
            found["%s %s %s" % (auth, step[0], way)] = before, step, behind, way, auth
    for at, step in enumerate(LIFE):
        if step in LOGIN:
            continue
        add(LIFE[:at], step, LIFE[at + 1:], (LOST,) if step[0] == "challenge" else (HEARD, LOST, UNTOLD))
    for at, step in enumerate(TUNNEL):
        add(TUNNEL[:at], step, LIFE[at + 1:], (HEARD, LOST, UNTOLD), "secret")
    for auth in "pap", "chap", "mschapv2":
        add(TUNNEL + CALL + LINK, LOGIN[0], IP, (HEARD, LOST, UNTOLD, "asked"), auth)
    for auth in "pap", "mschapv2":
        add(TUNNEL + CALL, LINK[0], LINK[1:] + LOGIN + IP, (HEARD, LOST, UNTOLD), auth)
    for auth in "pap", "chap":
        add(PROXY, ("iccn_with_" + auth, "let_in"), IP, (HEARD, LOST, UNTOLD, "asked"), auth)
    for step in OTHERS:
        add(LIFE, step, [], (HEARD, LOST, UNTOLD))
    for step in ENDS:
        add(LIFE, step, [], (LOST,) if step in OURS else (LOST, UNTOLD))
    return found


MOMENTS = moments()
GOES = {  # how the master goes, and whether the LAC's packets get to it through a slave
    "killed": (lambda m: m.lns.process.send_signal(signal.SIGKILL), False),
    "killed, by a slave": (lambda m: m.lns.process.send_signal(signal.SIGKILL), True),
    "frozen": (lambda m: m.lns.process.send_signal(signal.SIGSTOP), False),
    "stopped": (lambda m: m.lns.process.send_signal(signal.SIGTERM), False),
}


def moments_of(how):
    """What an orderly master has read, or a slave has handed on, is told."""
    return [name for name, one in MOMENTS.items() if how in ("killed", "frozen") or one[3] != UNTOLD]


class Scene:
    """All moments at once, the takeover, and what became of each."""

    def __init__(self, factory, how):
        self.go, by_slave = GOES[how]
        self.clients, self.errors, self.asked, self.heard = [], {}, {}, {}
        self.mute = True  # for some
        self.cut = False  # what comes from the old master does not count
        self.trio = Trio(factory, SETTINGS)
        try:
            self.trio.serve(1812, self._login)
            self.trio.serve(1813, self._account)
            self.old = all_up(self.trio)
            self.trio.through(self.trio.slaves()[0] if by_slave else self.old)
            self.callers = {name: Caller(self, name.replace(" ", "."), MOMENTS[name][4]) for name in moments_of(how)}
            self.clock = Caller(self, "clock")
            self._prepare()
            self._take_over()
            self._go_on()
        except BaseException:
            self.close()
            raise

    # ------------------------------------------------------------------ the servers

    def _login(self, server, request):
        user = request.get(USER_NAME).decode()
        self.asked.setdefault(user, []).append(request)
        if self.cut or self.mute and user.endswith(".asked"):
            return []
        return [server.accept(request, SUCCESS)]

    def _account(self, server, request):
        if self.cut:
            return []
        if request.status in (START, STOP):
            ids = self.heard.setdefault(request.get(USER_NAME).decode(), {})
            same = tuple(a for a in request.attributes if a[0] != fakeradius.DELAY_TIME)  # when it is sent again
            ids.setdefault(request.get(fakeradius.ACCT_SESSION_ID), {})[same] = request.status
        return fakeradius.acknowledge(server, request)

    # ------------------------------------------------------------------ the play

    def of(self, *ways):
        return [(caller, MOMENTS[name]) for name, caller in self.callers.items() if MOMENTS[name][3] in ways]

    def _act(self, *ways):
        """The last step of these; it has been read when this returns."""
        for caller, (_, step, _, _, _) in self.of(*ways):
            getattr(caller, step[0])()
        self.clock.run([("hello", "acked")])  # behind all these

    def _logged_in(self, way):
        """An answer by RADIUS is not in the same queue."""
        users = [c.user for c, (_, step, _, w, _) in self.of(way) if step[1] == "let_in"]
        wait_for(lambda: all(self.old.lns.session(u) and self.old.lns.session(u)["IP"] != "0.0.0.0" for u in users), "logins")

    def _prepare(self):
        self.clock.run(TUNNEL)
        for caller, (before, *_) in self.of(HEARD, LOST, UNTOLD, "asked"):
            caller.run(before)
        self._act(HEARD, LOST, "asked")
        for caller, (_, step, _, _, _) in self.of(HEARD):
            caller.wait(getattr(caller, step[1]), step[0])
        self._logged_in(LOST)
        wait_for(lambda: all(c.user in self.asked for c, _ in self.of("asked")), "their requests")

    def _take_over(self):
        if self.of(UNTOLD):
            self.old.part()
            for caller, (_, step, _, _, _) in self.of(UNTOLD):
                self.cut |= step[0].startswith("ipcp")  # nothing of these leaves it, that is: nor the Start
                getattr(caller, step[0])()
            self.clock.run([("hello", "acked")])
            self._see_untold()
        if self.go is GOES["stopped"][0]:
            self._discard()  # what it says from here on it says knowing that it goes
        self.go(self.old)
        self._discard()
        others = [m for m in self.trio.members if m is not self.old]
        self.new = wait_for(lambda: next((m for m in others if m.show()["status"] == "master"), None), "another master")
        self.trio.through(self.new)
        self.mute = self.cut = False

    def _see_untold(self):
        new = sum(step == TUNNEL[0] for _, (_, step, _, _, _) in self.of(UNTOLD))


        def nobody_was_told():
            have = {m: len(m.lns.tunnels("all")) for m in self.trio.members}
            return all(n == have[self.old] - new for m, n in have.items() if m is not self.old)
        wait_for(nobody_was_told, "all tunnels at the others but %d" % new)

    def _discard(self):
        for caller, _ in self.of(LOST, UNTOLD, "asked"):
            caller.discard()

    def _go_on(self):
        threads = [threading.Thread(target=self._finish, args=(name,), daemon=True) for name in self.callers]
        for thread in threads:
            thread.start()
        for name, thread in zip(self.callers, threads):
            thread.join(120)
            if thread.is_alive():
                self.errors[name] = Timeout("its call does not come to an end")

    def _finish(self, name):
        caller, (_, step, behind, _, _) = self.callers[name], MOMENTS[name]
        try:
            caller.wait(getattr(caller, step[1]), step[0])
            caller.run(behind)
            if step not in ENDS:
                caller.session.ping(VIP)
                assert not caller.session.gone and not caller.tunnel.closed
                caller.run([("cdn", "acked")])
        except Exception as error:  # told to the test of this moment
            self.errors[name] = error

    def stops(self):
        """{Acct-Session-Id: how many different ones}"""
        return {ident: list(records.values()).count(STOP) for ids in dict(self.heard).values()
                for ident, records in dict(ids).items()}

    def call_again(self):
        """Who has called while nobody was told does so again, by the same id."""
        for name, caller in self.callers.items():
            if name.endswith("icrq untold"):
                caller.user += ".again"
                caller.lac.drain()
                caller.run(CALL + LINK + LOGIN + IP + [("cdn", "acked")])
                assert caller.session.peer_sid and not caller.session.gone

    def bring_back(self):
        """The old master, as a slave."""
        if self.go is GOES["frozen"][0]:
            self.old.rejoin()
            self.old.lns.process.send_signal(signal.SIGCONT)
        else:
            self.old.lns.process.wait()
            self.old.rejoin()
            self.old.start()

    def close(self):
        for one in [*self.clients, *(c.lac for c in getattr(self, "callers", {}).values())]:
            one.close()
        self.trio.close()


@pytest.fixture(scope="module")
def scene(request, tmp_path_factory):
    scene = Scene(tmp_path_factory, request.param)
    yield scene
    scene.close()


def check_moment(scene, name):
    """The call comes up, or ends, as its peer wants; its books are closed."""
    if name in scene.errors:
        raise scene.errors[name]
    user = scene.callers[name].user
    asked = scene.asked[user]
    if MOMENTS[name][3] == "asked":
        assert len({r.source for r in asked}) > 1, "only one master has asked"
    assert len({proof(r) for r in asked}) == 1, "another challenge"
    wait_for(lambda: user not in {s["Username"] for s in scene.new.lns.sessions()}, "its end")
    try:
        wait_for(lambda: [sorted(records.values()) for records in dict(scene.heard.get(user, {})).values()] == [[START, STOP]],
                 "its records", 10)
    except Timeout:
        raise AssertionError("not one Start and one Stop: %s" % scene.heard.get(user)) from None


def check_all(scene):
    """The old master comes back: nothing of all that is left on any member, no record waits, nobody has two Stops."""
    before = scene.stops()
    scene.bring_back()
    scene.trio.wait()
    scene.call_again()
    for m in scene.trio.members:
        wait_for(lambda: m.lns.sessions() == [] and m.counters()["acct_queued"] == 0, "the end of all at %s" % m.address)
        hosts = [t["Hostname"] for t in m.lns.tunnels("all")]
        assert len(hosts) == len(set(hosts)), "two tunnels to one peer: %s" % sorted(hosts)
    assert {ident: n for ident, n in scene.stops().items() if ident in before} == before


@pytest.mark.parametrize("scene, name", [(how, name) for how in GOES for name in [*moments_of(how), "in the end"]],
                         indirect=["scene"], scope="module")
def test_takeover(scene, name):
    check_moment(scene, name) if name in MOMENTS else check_all(scene)
