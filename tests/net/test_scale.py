"""Many sessions at once: the C test LAC brings 70,000 of them over a few tunnels, each passes a packet both ways."""

import os
import re

import pytest

from clac import TOOLS, CLac
from netns import wait_for
from test_dae import radclient

SESSIONS, TUNNELS = 70000, 4
ECHO_PORT = 9000


@pytest.fixture
def big(plant, request):
    """A daemon and a LAC; a test may name what the RADIUS server says to each login."""
    plant.network.core.start(os.path.join(TOOLS, "radresp"), "-l", plant.network.CORE, "-p", "1812", "-s", "secret",
                             *getattr(request, "param", ())).wait_line("ready")
    plant.network.core.start(os.path.join(TOOLS, "traffic"), "echo", "port=%d" % ECHO_PORT)
    plant.daemon = plant.lns({"primary_radius": plant.network.CORE, "primary_radius_port": 1812,
                              "radius_secret": "secret", "radius_authtypes": "pap", "debug": 1}, pool=("10.128.0.0/15",))
    plant.lac = CLac(plant.network.lac, plant.network.LNS)
    assert plant.lac.do("tunnel count=%d" % TUNNELS)["ok"]
    return plant


def set_up(lac, count):
    answer = lac.do("session count=%d parallel=300 timeout=60" % count)
    assert (answer["up"], answer["failed"]) == (str(count), "0"), answer


def gone(daemon):
    return daemon.run("show users") in ([], [""])


def round_of_sessions(big):
    """All up, a packet both ways each, all closed, memory given back; the daemon's memory with all of them."""
    set_up(big.lac, SESSIONS)
    passed = big.lac.do("echo session=all to=%s:%d size=100 timeout=20000" % (big.network.CORE, ECHO_PORT))
    assert (passed["received"], passed["corrupt"]) == (str(SESSIONS), "0"), passed
    peak = big.daemon.memory()
    assert big.lac.do("close session=all")["ok"]
    wait_for(lambda: gone(big.daemon), "the end of all sessions", 30)
    wait_for(lambda: big.daemon.memory() < peak / 2, "the memory to be given back", 40)
    return peak


def test_seventy_thousand(big):
    """More than a 16-bit number of sessions, all served, all closed again; once more takes no more memory."""
    peaks = [round_of_sessions(big) for _ in range(3)]
    print("bytes per session:", [peak // SESSIONS for peak in peaks])
    assert peaks[0] < 1536 * SESSIONS
    assert peaks[2] < 1.05 * peaks[1], peaks
    assert big.lac.do("stop tunnel=all")["ok"]
    wait_for(lambda: gone(big.daemon), "the end of all sessions", 30)
    free, used = re.findall(r"(?:Free|Used): (\d+)", "\n".join(big.daemon.run("show pool")))
    assert used == "0"


OUTSIDE = 4000


def outside(daemon):
    """Routes to sessions outside the pool, as the kernel has them."""
    return len(daemon.ns.run("ip", "route", "show", "root", "10.64.0.0/10", "dev", "tun0").splitlines())


@pytest.mark.parametrize("big", [("--reply", "Framed-IP-Address=10.64.0.1+100000")], indirect=True, ids=["outside"])
def test_thousands_of_routes(big):
    """As many routes in the kernel as sessions outside the pool, then none, and no error on the way; twice."""
    for _ in range(2):
        set_up(big.lac, OUTSIDE)
        wait_for(lambda: outside(big.daemon) == OUTSIDE, "the routes of all sessions")
        passed = big.lac.do("echo session=all to=%s:%d size=100 timeout=20000" % (big.network.CORE, ECHO_PORT))
        assert (passed["received"], passed["corrupt"]) == (str(OUTSIDE), "0"), passed
        assert big.lac.do("close session=all")["ok"]
        wait_for(lambda: outside(big.daemon) == 0, "the end of all routes")
        wait_for(lambda: gone(big.daemon), "the end of all sessions", 30)
    assert big.daemon.counters()["netlink_errors"] == 0


def test_one_name_thousands_of_times(big):
    """`drop user`, a Disconnect-Request, and a login where duplicates are not allowed: all older sessions of the name
    end, in many turns."""
    big.daemon.set("set allow_duplicate_users yes")
    for how in "drop", "disconnect", "login":
        answer = big.lac.do("session count=%d user=guest parallel=300 timeout=60" % OUTSIDE)
        assert (answer["up"], answer["failed"]) == (str(OUTSIDE), "0"), answer
        if how == "drop":
            assert "Dropping user guest" in big.daemon.run("drop user guest")
            wait_for(lambda: gone(big.daemon), "the end of all sessions", 30)
        elif how == "disconnect":
            assert radclient(big.network.core, "coa", ['User-Name = "guest"'], big.network.LNS, "secret").cause == 508
            assert radclient(big.network.core, "disconnect", ['User-Name = "guest"'], big.network.LNS, "secret").ack
            wait_for(lambda: gone(big.daemon), "the end of all sessions", 30)
        else:
            big.daemon.set("set allow_duplicate_users no")
            assert big.lac.do("session count=1 user=guest timeout=30")["up"] == "1"
            wait_for(lambda: len(big.daemon.run("show users")) == 2, "the end of all but the last", 30)
