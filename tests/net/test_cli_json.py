"""Docs/cli-json.md against what the commands print: every key is told of, every key told of is there, types fit."""

import json
import os
import re

import pytest

from lns import ROOT
from pylac import Lac

USERS = {"user%d" % n: "secret" for n in range(6)}
TYPES = {"number": (int, float), "text": str, "bool": bool, "list": list, "object": dict}
ROW = re.compile(r"\| `([^`]+)` \| (\w+)(\??) \|")


def document():
    """{command: {key: (type, optional)}} as the text has it."""
    commands = {}
    keys = None
    with open(os.path.join(ROOT, "Docs", "cli-json.md")) as f:
        for line in f:
            if line.startswith("## "):
                keys = commands.setdefault(line[3:].strip(), {})
            match = ROW.match(line)
            if match:
                assert match[1] not in keys, match[1]
                keys[match[1]] = (match[2], bool(match[3]))
    return commands


DOCUMENT = document()
# What is asked for, so that all keys come: two forms of a command count as one.
ASK = {"show session": ["show session", "show session {sid}"], "show tunnels": ["show tunnels", "show tunnels {tid}"],
       "show pool": ["show pool all"]}


def paths(value, prefix=""):
    """(path, value) of every member of every object in it."""
    if isinstance(value, list):
        for one in value:
            yield from paths(one, prefix)
    elif isinstance(value, dict):
        for key, one in value.items():
            path = prefix + key
            yield path, one
            yield from paths(one, path + ("[]." if isinstance(one, list) else "."))


def told(keys, path):
    """What the text says about a key; a * stands for others of the same object."""
    head, dot, _ = path.rpartition(".")
    return keys.get(path) or keys.get(head + dot + "*")


def fits(value, kind):
    if kind == "any":
        return True
    if isinstance(value, bool):
        return kind == "bool"
    return isinstance(value, TYPES[kind])


@pytest.fixture(scope="module")
def lns(module):
    """Two subscribers; one is throttled, intercepted, has an access line."""
    daemon = module.lns({"peer_address": "10.9.255.1"}, local_users=USERS,
                        extra=["load plugin sessionctl", 'lac 10.44.0.0/16 secret "s" max-sessions 7', "router bgp 64512", " neighbour 127.0.0.2 remote-as 64513",
                               "ip access-list standard std1", " permit any"])
    lac = Lac(module.network)
    tunnel = lac.tunnel()
    tunnel.session(calling="07330001", called="02010001").up("user1")
    tunnel.session().up("user2")
    for command in "filter user1 in std1 out std1", "throttle user1 300", "snoop user1 10.2.0.2 9999":
        daemon.run(command)
    yield daemon
    tunnel.stop()
    lac.close()


@pytest.mark.san
@pytest.mark.parametrize("command", DOCUMENT)
def test_keys(lns, command):
    names = {"sid": lns.session("user1")["SID"], "tid": lns.session("user1")["TID"]}
    keys, seen, wrong = DOCUMENT[command], set(), []
    for one in ASK.get(command, [command]):
        output = lns.run(one.format(**names) + " json")
        value = json.loads("\n".join(output))
        assert isinstance(value, (dict, list))
        for path, member in paths(value):
            kind = told(keys, path)
            if kind is None:
                parents = [path[:i].rstrip("[]") for i, c in enumerate(path) if c == "."]
                if not any(told(keys, p) and p not in keys for p in parents):
                    wrong.append("%s is not told of" % path)
            elif not fits(member, kind[0]):
                wrong.append("%s should be %s, is %r" % (path, kind[0], member))
            seen.add(path)
    wrong += ["%s is told of, but not there" % key for key, (_, optional) in keys.items()
              if not optional and not key.endswith("*") and key not in seen]
    assert not wrong, "\n".join(wrong)


def test_every_show_is_told_of(lns):
    """Each show of `help` has its part in the text, and takes `json`."""
    cli = lns.open_cli()
    shows = [re.match(r"  (show \S+(?: \S+)?) {2,}|  (show \S+ \S+) ", line) for line in cli.run("help")]
    shows = [match[1] or match[2] for match in shows if match]
    assert len(shows) > 15
    for show in shows:
        cli.sock.sendall(show.encode() + b" ?")
        assert "\n  [json] " in cli.read_until(rb"\nlns1# %s $" % show.encode()), show
        cli.sock.sendall(b"\x15")
    cli.close()
    missing = set(shows) - set(DOCUMENT)
    assert not missing, missing


def test_secrets(lns):
    """Outside the privileged mode they are null."""
    cli = lns.open_cli(enable=False)
    assert "Invalid" in "\n".join(cli.run("show running-config json"))
    cli.close()


def test_hostile_names(lns, module):
    """Whatever a peer calls itself, what is printed is JSON, and ASCII."""
    lac = Lac(module.network)
    tunnel = lac.tunnel()
    session = tunnel.session(calling='"\\\x1b[2J\x7f', called="\xff\xfe\u20ac").up("user3")
    for command in "show session json", "show tunnels json", "show users json", "show pool json":
        shown = "\n".join(lns.run(command))
        json.loads(shown)
        assert shown.isascii() and "\x1b" not in shown
    session.tunnel.stop()
    lac.close()
