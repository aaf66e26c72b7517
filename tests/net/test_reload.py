"""SIGHUP: the four files come into force together or not at all, and what they change takes effect."""

import os
import signal

import pytest

from lns import Cli
from netns import wait_for
from pylac import Lac

USERS = {"joe": "secret", "ann": "secret"}
OPERATORS = {"admin": "letmein", "enable": "sesame"}
LOGIN = rb"(?i:user ?name|login): ?$"


def hangup(daemon, said=r"reading the configuration again"):
    """SIGHUP, and wait for a line of the log that it leads to."""
    lines = len(daemon.process.lines)
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_log(said, lines)
    daemon.run("show version")  # a turn later


def greeting(plant, elsewhere=True):
    """What the CLI asks over TCP: "login", "prompt", or None when nobody listens."""
    try:
        if elsewhere:
            cli = Cli.tcp(plant.network.core, plant.network.CORE_LNS)
        else:
            cli = Cli.tcp(plant.network.lns)
    except ConnectionRefusedError:
        return None
    try:
        text = cli.read_until(LOGIN + b"|" + Cli.PROMPT.pattern)
        return "prompt" if text.endswith("> ") else "login"
    except ConnectionResetError:
        return "reset"  # it waited to be accepted when the listening ended
    finally:
        cli.close()


# ---------------------------------------------------------------------------- users

@pytest.mark.san
def test_users_broken(plant):
    """A wrong line in `users` keeps the names that were there: nobody comes in without a login."""
    daemon = plant.lns({"cli_bind_address": "0.0.0.0"}, users=OPERATORS)
    daemon.write("users", "admin letmein\n")
    hangup(daemon, "users:1: not NAME:PASSWORD")
    assert greeting(plant) == "login"
    cli = Cli.tcp(plant.network.core, plant.network.CORE_LNS)
    assert cli.login("admin", "letmein")
    local = Cli.tcp(plant.network.lns)
    local.prompt()
    assert not local.enable("wrong")
    daemon.stop()


def test_users_broken_at_start(plant):
    """Lines that are all wrong are not "no users": only this machine comes in, and the log says so."""
    daemon = plant.lns(start=False)
    daemon.write("users", "admin letmein\n")
    daemon.start()
    daemon.wait_log("users file has no good line")
    assert greeting(plant) is None
    assert greeting(plant, elsewhere=False) == "prompt"
    daemon.stop()


def test_users_half_broken_at_start(plant):
    """What is good serves: he logs in, and everybody must."""
    daemon = plant.lns(start=False)
    daemon.write("users", "admin letmein\nann:pw\n")
    daemon.start()
    cli = Cli.tcp(plant.network.core, plant.network.CORE_LNS)
    assert cli.login("ann", "pw")
    daemon.stop()


def test_users_all_broken_with_an_address(plant):
    """Told to listen everywhere, with nobody who could log in: a login is asked all the same."""
    daemon = plant.lns({"cli_bind_address": "0.0.0.0"}, start=False)
    daemon.write("users", "admin letmein\n")
    daemon.start()
    assert greeting(plant) == "login"
    daemon.stop()


def test_users_come_and_go(plant):
    """Without names the CLI listens on loopback only, with some everywhere: also when that changes."""
    daemon = plant.lns(users=OPERATORS)
    assert greeting(plant) == "login"
    os.unlink(os.path.join(daemon.folder, "users"))
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: greeting(plant) is None, "the end of listening everywhere")
    wait_for(lambda: greeting(plant, elsewhere=False) == "prompt", "listening on loopback")
    daemon.write("users", "admin:letmein\n")
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: greeting(plant) == "login", "listening everywhere")
    daemon.stop()


# ---------------------------------------------------------------------------- all or nothing

def test_local_users_broken(plant):
    """A broken file of local users is reported, and those known before stay."""
    daemon = plant.lns(local_users=USERS)
    daemon.write("local_users", 'joe * "unterminated\n')
    hangup(daemon, "quote is not closed")
    assert Lac(plant.network).tunnel().session().authenticate("ann", "secret")
    daemon.stop()


def test_local_users_set_to_a_broken_file(plant):
    """The same when the file is named on the command line."""
    daemon = plant.lns(local_users=USERS)
    daemon.write("others", "ann * secret\njoe *\n")
    daemon.set("set local_users %s/others" % daemon.folder)
    daemon.wait_log("the users known before stay")
    assert Lac(plant.network).tunnel().session().authenticate("joe", "secret")
    daemon.stop()


BROKEN = {"startup-config": ("set l2tp_mtu 9\n", "startup-config:1: set l2tp_mtu"),
          "ip_pool": ("10.8.0.0/40\n", "ip_pool:1: "),
          "users": ("ben\n", "users:1: not NAME:PASSWORD"),
          "local_users": ("joe\n", "local_users:1: ")}


@pytest.mark.parametrize("broken", list(BROKEN))
def test_one_bad_file_of_four(plant, broken):
    """Whichever file is bad, nothing of the other three comes into force; then all of them do."""
    daemon = plant.lns({"hello_interval": 50}, local_users=USERS, users=OPERATORS)
    old = {name: daemon.read(name) for name in BROKEN}
    new = {"startup-config": old["startup-config"].replace('hello_interval "50"', 'hello_interval "33"'),
           "ip_pool": "10.8.0.0/24\n", "users": "ben:pw\n", "local_users": "ann * new *\n"}
    for name in BROKEN:
        daemon.write(name, new[name])
    daemon.write(broken, BROKEN[broken][0])
    hangup(daemon, "the old configuration stays in force")
    assert BROKEN[broken][1] in daemon.log
    assert "set hello_interval 50" in daemon.run("show running-config")
    assert "set hello_interval 33" not in daemon.run("show running-config")
    session = Lac(plant.network).tunnel().session().up("ann", "secret")
    assert session.address.startswith("10.9.0.")
    cli = Cli.tcp(plant.network.core, plant.network.CORE_LNS)
    assert cli.login("admin", "letmein")
    daemon.write(broken, new[broken])
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "set hello_interval 33" in daemon.run("show running-config"), "the new configuration")
    later = Lac(plant.network).tunnel().session().up("ann", "new")
    assert later.address.startswith("10.8.0.")
    cli = Cli.tcp(plant.network.core, plant.network.CORE_LNS)
    assert cli.login("ben", "pw")
    daemon.stop()


def test_all_errors_are_told(plant):
    """Each of the files is looked at, whatever the others are like."""
    daemon = plant.lns(local_users=USERS, users=OPERATORS)
    daemon.write("startup-config", daemon.read("startup-config") + "set l2tp_mtu 9\n")
    for name, (text, _) in list(BROKEN.items())[1:]:
        daemon.write(name, text)
    hangup(daemon, "4 errors: the old configuration stays in force")
    for said in "set l2tp_mtu: 9", "ip_pool:1: ", "users:1: not", "local_users:1: ":
        assert said in daemon.log
    daemon.stop()


# ---------------------------------------------------------------------------- what waits for a restart

def test_pid_file_set_later(plant):
    """The file removed at the end is the one written at the start."""
    daemon = plant.lns(local_users=USERS)
    other = os.path.join(daemon.folder, "other")
    daemon.write("other", "of somebody else\n")
    assert "takes effect at restart" in daemon.set("set pid_file " + other)
    assert 'set pid_file "%s"' % other in daemon.run("show running-config")
    daemon.stop()
    assert os.path.exists(other) and not os.path.exists(daemon.settings["pid_file"])


def test_bind_address_set_later(plant):
    """A new bind_address waits for the restart as a whole: our address in IPCP too, also after SIGHUP."""
    daemon = plant.lns(local_users=USERS)
    assert "takes effect at restart" in daemon.set("set bind_address 10.1.0.77")
    assert Lac(plant.network).tunnel().session().up("joe").peer_address == plant.network.LNS
    daemon.settings["bind_address"] = "10.1.0.78"
    daemon.write_config()
    hangup(daemon, r"set bind_address 10.1.0.78 \(was 10.1.0.77\); takes effect at restart")
    assert Lac(plant.network).tunnel().session().up("ann").peer_address == plant.network.LNS
    assert "set bind_address 10.1.0.78" in daemon.run("show running-config")
    daemon.stop()


# ---------------------------------------------------------------------------- what takes effect at once

def test_mtu_set_later(plant):
    """l2tp_mtu: the MRU offered and the tun device's MTU go together, also by SIGHUP."""
    daemon = plant.lns({"l2tp_mtu": 1400}, local_users=USERS)

    def tun_mtu():
        return int(plant.network.lns.run("ip", "-o", "link", "show", "tun0").split(" mtu ")[1].split()[0])
    assert tun_mtu() == 1362
    daemon.set("set l2tp_mtu 1500")
    assert tun_mtu() == 1462
    session = Lac(plant.network).tunnel().session().up("joe")
    assert session.peer_mru == 1462
    session.ping(plant.network.CORE, size=1462 - 28)
    daemon.settings["l2tp_mtu"] = 1300
    daemon.write_config()
    hangup(daemon)
    wait_for(lambda: tun_mtu() == 1262, "the device's MTU")  # it is set behind the lines of the log
    assert Lac(plant.network).tunnel().session().up("ann").peer_mru == 1262
    daemon.stop()
