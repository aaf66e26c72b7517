"""Logins about which RADIUS has been asked when the master dies: the next one takes them up."""

import fakeradius
import pylac
import pytest
from fakeradius import CHAP_CHALLENGE, CHAP_PASSWORD, VENDOR
from members import RADIUS, Network, Trio, all_up
from netns import wait_for
from test_l2tp import proxy_chap, proxy_lcp, proxy_pap
from test_radius import microsoft

USERS = 20
SUCCESS = microsoft(26, b"\7S=" + b"0123456789ABCDEF" * 2 + b"01234567")  # for MS-CHAPv2
STRAYS = "radius_bad_id", "radius_bad_authenticator"


def proof(request):
    """What a login by CHAP or MS-CHAPv2 is proven with."""
    return tuple(b"".join(request.all(kind)) for kind in (CHAP_CHALLENGE, CHAP_PASSWORD, VENDOR))


class Scene:
    """Three members whose RADIUS server is mute at first, and logins that wait for it."""

    def __init__(self, factory, method):
        self.trio = Trio(factory, dict(RADIUS, radius_authtypes=method))
        self.asked = {}
        self.mute = True
        self.lac = None
        try:
            self.server = self.trio.serve(1812, self._answer)
            self.old = all_up(self.trio)
            self.trio.through(self.old)
            self.lac = pylac.Lac(Network(self.trio))
            self.tunnel = self.lac.tunnel()
        except BaseException:
            self.close()
            raise

    def _answer(self, server, request):
        self.asked.setdefault(request.get(fakeradius.USER_NAME), []).append(request)
        return [] if self.mute else [server.accept(request, SUCCESS)]

    def begin(self, number, session=None):
        """A session that has sent what it has to say; `said` is how often."""
        session = session or self.tunnel.session()
        session.user, session.password, session.said = "user%d" % number, "secret", 0
        session.lcp_up()
        return session

    def lose_master(self, mute=False):
        self.lac.wait(lambda: len(self.asked) == USERS, "a request for each")
        self.old.kill()
        new = wait_for(self.trio.master, "another master")
        self.trio.through(new)
        self.mute = mute
        return new

    def close(self):
        if self.lac:
            self.lac.close()
        self.trio.close()


@pytest.fixture
def scene(request, tmp_path_factory):
    plant = Scene(tmp_path_factory, request.param)
    yield plant
    plant.close()


def challenged(session):
    """Counts what the subscriber answers, and keeps each challenge."""
    heard, respond = session._chap, session.chap_respond

    def chap(code, ident, body):
        if code == 1:
            session.challenges.append((ident, body[1:17]))  # behind it the name of the member
        heard(code, ident, body)

    def answer():
        session.said += 1
        respond()
    session.challenges = []
    session._chap, session.chap_respond = chap, answer
    return session


@pytest.mark.parametrize("scene", ["chap", "mschapv2"], indirect=True)
def test_chap(scene):
    """The challenge stands: each comes up by the answer that he gives to it once more, and nobody's begins anew."""
    sessions = [scene.begin(n, challenged(scene.tunnel.session())) for n in range(USERS)]
    scene.lac.wait(lambda: all(s.challenges for s in sessions), "a challenge for each")
    new = scene.lose_master()
    scene.lac.wait(lambda: all(s.authenticated is not None or s.gone for s in sessions), "all logins' answers", 30)
    assert [(s.authenticated, s.closed, s.terminated) for s in sessions] == [(True, None, False)] * USERS
    assert all(len(set(s.challenges)) == 1 for s in sessions)
    for s in sessions:
        s.ipcp_request()
    scene.lac.wait(lambda: all(s.ipcp_sent and s.ipcp_peer for s in sessions), "IPCP of all", 20)
    assert len(new.lns.sessions()) == USERS
    for requests in scene.asked.values():
        assert len({proof(r) for r in requests}) == 1


@pytest.mark.parametrize("scene", ["chap"], indirect=True)
def test_answer_under_way(scene):
    """The Response comes when the one who has challenged is no more."""
    session = scene.tunnel.session()
    session.chap_respond = lambda: None
    scene.begin(0, session)
    scene.lac.wait(lambda: hasattr(session, "chap_ident"), "the challenge")
    before = session.chap_ident, session.chap_challenge
    others = [scene.begin(n) for n in range(1, USERS + 1)]
    scene.lose_master()
    del session.chap_respond
    session.chap_ident, session.chap_challenge = before
    session.chap_respond()
    scene.lac.wait(lambda: all(s.authenticated for s in [session, *others]), "all logins", 30)


@pytest.mark.parametrize("scene", ["pap"], indirect=True)
def test_pap(scene):
    """A password is not kept: the client's repeat serves."""
    sessions = [scene.begin(n) for n in range(USERS)]
    for s in sessions:
        s.pap_request()
    scene.lose_master()
    for s in sessions:
        s.lcp_sent = False
        s.pap_request()
    scene.lac.wait(lambda: all(s.authenticated is not None or s.gone for s in sessions), "all logins' answers", 30)
    assert not any(s.lcp_sent for s in sessions), "LCP began anew"
    assert all(s.authenticated for s in sessions)


@pytest.mark.parametrize("scene", ["chap"], indirect=True)
def test_late_answers(scene):
    """The server refuses all at last, but what the old master has asked: to that one's port, and to that of the new one, under
    the old number and under the new one. Nobody takes it for an answer to what the new one asks."""
    sessions = [scene.begin(n) for n in range(USERS)]
    new = scene.lose_master(mute=True)
    old = {user: list(requests) for user, requests in scene.asked.items()}
    news = {}

    def all_asked_anew():
        news.update({user: requests[-1] for user, requests in scene.asked.items()
                     if requests[-1].authenticator not in {r.authenticator for r in old[user]}})
        return len(news) == USERS
    scene.lac.wait(all_asked_anew, "a request of the new master for each", 20)
    before = new.counters()
    for user, requests in old.items():
        for request in requests:
            packets = [scene.server.reject(request), scene.server.reject(request, ident=news[user].id)]
            for target in request.source, news[user].source:
                for packet in packets:
                    scene.server.sock.sendto(packet, target)
    wait_for(lambda: sum(new.counters()[c] - before[c] for c in STRAYS) >= USERS * 2, "all of them counted")
    assert [s.authenticated for s in sessions] == [None] * USERS
    scene.mute = False
    scene.lac.wait(lambda: all(s.authenticated is not None or s.gone for s in sessions), "all logins' answers", 30)
    assert all(s.authenticated and not s.gone for s in sessions)


@pytest.mark.parametrize("scene", ["pap,chap"], indirect=True)
def test_what_a_lac_has_heard(scene):
    """The response to a challenge is told to the members while RADIUS is asked; a password is not."""
    password = "a-password-of-a-call"
    response = proxy_chap("user0", "secret")
    sniffer = scene.trio.slaves()[0].ns.sniff("among")
    scene.tunnel.session(iccn=[*proxy_lcp(b"\xc2\x23\x05"), *response])
    scene.tunnel.session(iccn=[*proxy_lcp(b"\xc0\x23"), *proxy_pap("user1", password)])
    scene.lac.wait(lambda: len(scene.asked) == 2, "both requests")
    assert scene.asked[b"user1"][0].password(b"radsecret") == password.encode()
    told = []
    wait_for(lambda: told.extend(sniffer.packets()) or any(b"user1" in packet for packet in told), "its record")
    assert any(response[-1][6:] in packet for packet in told)
    assert not any(password.encode() in packet for packet in told)
    sniffer.close()
