"""What is wrong between a BGP neighbour and us: one line says it, however often it is tried again."""

import re

import pytest

from bgppeer import NOTIFICATION, OPEN, Peer, message, open_message
from netns import wait_for
from routers import Bird
from test_bgp import AS, THEIRS, bgp, bird_conf, shown



def errors(daemon):
    """Lines of level error about neighbours, without head."""
    return re.findall(r"(?m) error \S+ (bgp .*)$", daemon.log)


def try_again(daemon):
    """Its clock makes the time between some tries."""
    for _ in range(6):
        daemon.step(121)


@pytest.fixture
def told(plant):
    """The one line that the daemon has of a neighbour; `bird`: its configuration."""
    def make(*lines, bird=None, peer="10.2.0.2", ours=AS, theirs=THEIRS, start=None):
        if bird:
            plant.keep(Bird(plant.network.core, plant.folder("bird"), bird))
        daemon = plant.lns(extra=bgp(*lines, peer=peer, ours=ours, theirs=theirs), clock=True)
        wait_for(lambda: daemon.step(31) or errors(daemon), "an error; %s" % daemon.log, 30)
        try_again(daemon)
        return daemon, set(errors(daemon)), errors(daemon)
    return make


def test_refused(told):
    daemon, _, lines = told()
    assert lines == ["bgp 10.2.0.2: cannot connect: Connection refused"]
    assert shown(daemon)[0]["retries"] > 3
    daemon.step(3600)
    wait_for(lambda: daemon.step(121) or errors(daemon) == 2 * lines, "the same an hour later")


def test_no_route(told):
    daemon, _, lines = told(peer="10.77.0.1")
    assert lines == ["bgp 10.77.0.1: cannot connect: Network is unreachable"]


def test_no_name(told):
    daemon, _, lines = told(peer="nobody.invalid")
    assert lines == ["bgp nobody.invalid: cannot connect: the name has no address"]


def test_his_as(told):
    """He is of another AS than remote-as says."""
    daemon, lines, _ = told(bird=bird_conf(theirs=64999))
    assert lines == {"bgp 10.2.0.2: told him: OPEN Message Error/Bad Peer AS: his AS is 64999, remote-as 64513 was expected"}


def test_our_as(told):
    """He expects another one of us."""
    daemon, lines, _ = told(bird=bird_conf(ours=64998))
    assert lines == {"bgp 10.2.0.2: he says: OPEN Message Error/Bad Peer AS: our AS is 64512, he expects another"}


@pytest.mark.parametrize("ours, his, what", [
    ("password x", "", "has he the same password"), ("password x", "password \"y\";", "has he the same password"),
    ("med 1", "password \"y\";", "does he want a password")])
def test_password(told, ours, his, what):
    """Signatures that do not fit are dropped by both kernels without a word."""
    daemon, _, lines = told(ours, bird=bird_conf(options=his))
    assert lines == ["bgp 10.2.0.2: cannot connect: no answer: is TCP port 179 open there, and %s?" % what]


@pytest.fixture
def scripted(plant):
    """What it says of one who answers its OPEN like that."""
    def make(answer, ours=AS, theirs=THEIRS):
        daemon = plant.lns({"cluster_interface": "core"}, extra=bgp(ours=ours, theirs=theirs))
        for _ in range(5):
            peer = Peer(daemon.network.core)
            peer.expect(OPEN)
            if answer:
                peer.send(answer)
            else:
                peer.sock.close()
                continue
            assert peer.ended()
            peer.close()
        wait_for(lambda: len([line for line in errors(daemon) if "cannot connect" not in line]) > 0, "an error")
        return [line for line in errors(daemon) if "cannot connect" not in line]
    return make


def test_his_hold_time(scripted):
    assert scripted(open_message(THEIRS, hold=1)) == [
        "bgp 10.2.0.2: told him: OPEN Message Error/Unacceptable Hold Time: his hold time is 1 s, 0 or at least 3 was expected"]


def test_our_hold_time(scripted):
    assert scripted(message(NOTIFICATION, b"\x02\x06")) == [
        "bgp 10.2.0.2: he says: OPEN Message Error/Unacceptable Hold Time: our hold time is 180 s, he wants another"]


def test_same_identifier(scripted):
    """Inside of an AS nobody may have ours (RFC 6286 2.2)."""
    assert scripted(open_message(AS, router_id="10.2.0.1"), theirs=AS) == [
        "bgp 10.2.0.2: told him: OPEN Message Error/Bad BGP Identifier: his identifier is 10.2.0.1, another than ours was expected"]


def test_our_identifier(scripted):
    assert scripted(message(NOTIFICATION, b"\x02\x03")) == [
        "bgp 10.2.0.2: he says: OPEN Message Error/Bad BGP Identifier: our identifier is 10.2.0.1"]


def test_hung_up(scripted):
    """He closes without a word, as one does who does not know us."""
    line, = scripted(None)
    assert line.endswith("before his OPEN: are we a neighbour of his, of AS 64512?")


def test_nothing_to_say(plant):
    """A neighbour that is well, is restarted on both sides and shut down in order is no error."""
    router = plant.keep(Bird(plant.network.core, plant.folder("bird"), bird_conf()))
    daemon = plant.lns(extra=bgp())
    router.wait_up()
    daemon.run("restart bgp")
    wait_for(lambda: daemon.log.count("is Established") >= 2 and router.up(), "his return", 40)
    daemon.run("suspend bgp")
    daemon.stop()
    assert errors(daemon) == []
