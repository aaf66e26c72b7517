"""SIGHUP: the four files come into force together or not at all, and what they change takes effect."""

import os
import signal

import pytest

from lns import Cli
from netns import wait_for

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
    assert greeting(plant, elsewhere=False) == "prompt"
    daemon.write("users", "admin:letmein\n")
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: greeting(plant) == "login", "listening everywhere")
    daemon.stop()
