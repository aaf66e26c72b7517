"""Session-Timeout and Idle-Timeout on a stepped clock, and whose login ends whose session."""

import pytest

import packets
from fakeradius import IDLE_TIMEOUT, SESSION_TIMEOUT, attribute
from netns import wait_for
from test_radius import Site, accepted

QUIET = {"echo_timeout": 60, "idle_echo_timeout": 86400, "disable_sending_hello": True}


@pytest.fixture
def stepped(plant):
    return Site(plant, clock=True, **QUIET)


def answer_echoes(site, session):
    """An echo that is due has been asked, and its answer heard: the next step must not overtake it."""
    echoes, heard = session.echoes, site.counter("tunnel_rx_packets")
    site.lac.wait(lambda: session.echoes > echoes or session.gone, "an echo")
    wait_for(lambda: site.counter("tunnel_rx_packets") > heard, "the answer")


def session_packet(session, target):
    """One that asks for no answer."""
    return packets.udp(session.address, target, 9, 9, b"x")


def idle(site):
    return int(site.lns.session("joe")["idle"])


# ---------------------------------------------------------------------------- timeouts

@pytest.mark.san
def test_session_timeout_is_not_early(stepped):
    """Not early, whatever the subscriber does, and not missed."""
    session = accepted(stepped, attribute(SESSION_TIMEOUT, 80000)).up()
    stepped.lns.step(79900)
    answer_echoes(stepped, session)
    session.ping(stepped.network.CORE)
    assert not session.gone
    stepped.lns.step(100)
    stepped.lac.wait(lambda: session.closed, "the CDN")
    stepped.lns.wait_log("session of joe ends: Session-Timeout")


@pytest.mark.san
@pytest.mark.parametrize("way", ["up", "down"])
def test_idle_timeout_counts_data(stepped, way):
    """A packet of data either way begins it anew; echoes and their answers do not."""
    session = accepted(stepped, attribute(IDLE_TIMEOUT, 1000)).up()
    stepped.lns.step(900)
    answer_echoes(stepped, session)
    assert idle(stepped) >= 900
    if way == "up":
        session.send_ip(session_packet(session, stepped.network.CORE))
    else:
        stepped.network.core.run("ping", "-n", "-c1", "-W1", session.address, check=False)
    wait_for(lambda: idle(stepped) < 100, "the packet to count")
    for _ in range(2):
        stepped.lns.step(440)
        answer_echoes(stepped, session)
    assert not session.gone and idle(stepped) >= 880
    stepped.lns.step(120)
    stepped.lac.wait(lambda: session.closed, "the CDN")
    stepped.lns.wait_log("session of joe ends: Idle-Timeout")


@pytest.mark.san
def test_what_is_dropped_is_not_data(stepped):
    """A packet with a foreign source keeps no session alive."""
    session = accepted(stepped, attribute(IDLE_TIMEOUT, 1000)).up()
    stepped.lns.step(900)
    before = stepped.counter("rx_spoofed")
    session.send_ip(packets.udp("10.55.0.1", stepped.network.CORE, 9, 9, b"x"))
    wait_for(lambda: stepped.counter("rx_spoofed") == before + 1, "the drop")
    stepped.lns.step(100)
    stepped.lac.wait(lambda: session.closed, "the CDN")


# ---------------------------------------------------------------------------- duplicates

def alive(site):
    return sorted(s["Username"] for s in site.lns.sessions())


@pytest.fixture
def site(plant):
    return Site(plant, guest_account="guest")


@pytest.mark.san
def test_newer_login_ends_the_older(site):
    older, newer = accepted(site).up("joe"), accepted(site).up("joe")
    site.lac.wait(lambda: older.closed, "the CDN")
    assert alive(site) == ["joe"]
    newer.ping(site.network.CORE)


@pytest.mark.san
def test_renegotiation_is_no_duplicate(site):
    """A link that logs in again ends neither itself nor another name's session."""
    session, other = accepted(site).up("joe"), accepted(site).up("ann")
    session.renegotiate()
    session.up("joe")
    session.ping(site.network.CORE)
    other.ping(site.network.CORE)
    assert alive(site) == ["ann", "joe"]


@pytest.mark.san
def test_names_differ_by_case(site):
    """User names are as they are written: Joe and JOE are others than joe. So is the guest account's."""
    names = "joe", "Joe", "JOE", "guest", "guest", "guest"
    sessions = [accepted(site).up(name) for name in names]
    for session in sessions:
        session.ping(site.network.CORE)
    assert alive(site) == sorted(names)
    first, second = accepted(site).up("Guest"), accepted(site).up("Guest")
    site.lac.wait(lambda: first.closed, "the CDN")
    second.ping(site.network.CORE)
    assert alive(site) == sorted(names + ("Guest",))


@pytest.mark.san
def test_duplicates_allowed_and_not(site):
    """The setting counts at the next login: that one ends all the older ones."""
    site.lns.set("set allow_duplicate_users yes")
    sessions = [accepted(site).up("joe") for _ in range(3)]
    site.lns.set("set allow_duplicate_users no")
    for session in sessions:
        session.ping(site.network.CORE)
    last = accepted(site).up("joe")
    for session in sessions:
        site.lac.wait(lambda: session.closed, "the CDN")
    last.ping(site.network.CORE)
    assert alive(site) == ["joe"]


@pytest.mark.san
def test_refused_login_ends_nobody(site):
    """A name that is not proven does not end the session of who has it."""
    session = accepted(site).up("joe")
    site.server.answer = lambda server, request: [server.reject(request)]
    assert not site.tunnel.session().authenticate("joe", "wrong")
    session.ping(site.network.CORE)
    assert alive(site) == ["joe"]
