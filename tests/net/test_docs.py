"""What the documents say is what the code does: settings, commands, options, counters, log lines, examples."""

import html
import json
import os
import re
import socket
import subprocess

import pytest

from lns import ROOT, Cli, binary, plugin_dir
from machine import Machine, blocks
from netns import wait_for
from pylac import Lac

DOCS = os.path.join(ROOT, "Docs")
PAGES = "l2tpns.8", "nsctl.8", "startup-config.5"
NOT_SERVED = "Accepted; not served by this version yet."
NO_EFFECT = {"random_device"}  # for good


def text_of(*path):
    with open(os.path.join(ROOT, *path)) as f:
        return f.read()


def sources():
    return {name: text_of(name) for name in sorted(os.listdir(ROOT)) if name.endswith(".c")}


def words_of(markup):
    """HTML as bare text."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", markup)).split())


def section(page, title):
    """A section of a man page, or one below a section, as HTML."""
    text = subprocess.run(["mandoc", "-T", "html", os.path.join(DOCS, page)], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=True).stdout
    parts = re.split(r"(?s)<h([12]) [^>]*>(.*?)</h[12]>", text)
    found = ""
    for level, head, body in zip(parts[1::3], parts[2::3], parts[3::3]):
        if found and level <= top:
            break
        if found or words_of(head) == title:
            top = level if not found else top
            found += body
    assert found, "%s has no section %s" % (page, title)
    return found


def tags(text):
    """The entries of a section's lists, (entry, what is said of it). What is said once may be of several entries."""
    found, waiting = [], []
    for kind, markup in re.findall(r"(?s)<(dt|dd)[^>]*>(.*?)</\1>", text):
        if kind == "dt":
            waiting.append(words_of(markup))
        elif words_of(markup):
            found += [(entry, words_of(markup)) for entry in waiting]
            waiting = []
    return found


# ---------------------------------------------------------------------------- settings

ROWS = r"""
#include "config_family.h"
#include "config_item.h"
#include <stdio.h>
int
main(void)
{
	const struct family *f;
	const struct item *it;
	unsigned int i, k;

	for (i = 0; (it = item_get(i)); i++) {
		printf("set|%s|%s|%llu|%llu|%s|%d|%d|", it->name, it->type->name, (unsigned long long)it->min,
		    (unsigned long long)it->max, it->initial, !!(it->flags & ITEM_RESTART), !!(it->flags & ITEM_LATER));
		for (k = 0; it->words && it->words[k]; k++)
			printf("%s%s", k ? ", " : "", it->words[k]);
		puts("");
	}
	for (i = 0; (f = family_get(i)); i++) {
		printf("list|%s%s%s|%s|%d|", f->first, f->second ? " " : "", f->second ? f->second : "", f->undo_word,
		    !!(f->flags & FAMILY_LATER));
		for (k = 0; f->inner_words && f->inner_words[k]; k++)
			printf("%s%s", k ? "," : "", f->inner_words[k]);
		puts("");
	}
	return 0;
}
"""
ARGUMENT = {"int": "NUMBER", "bool": "BOOL", "ip": "IP", "ip6": "IP6", "string": "STRING", "list": "LIST",
            "enum": "WORD"}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """The rows of the tables in config_item.c and config_family.c, in words."""
    folder = tmp_path_factory.mktemp("rows")
    source, program = str(folder / "rows.c"), str(folder / "rows")
    with open(source, "w") as f:
        f.write(ROWS)
    libs = re.search(r"(?m)^LIBS\s*=\s*(.*)$", text_of("Makefile")).group(1).split()
    subprocess.run(["cc", "-std=gnu11", "-fms-extensions", "-D_GNU_SOURCE", "-I", ROOT, "-o", program, source,
                    os.path.join(ROOT, "build", "libl2tpns.a"), *libs], check=True)
    lines = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    return [line.split("|") for line in lines]


@pytest.fixture(scope="module")
def settings(rows):
    """By name: [type, min, max, default, at restart, later, words]."""
    return {row[1]: row[2:] for row in rows if row[0] == "set"}


def expected(kind, low, high, initial, restart, _, words):
    """How the entry of a setting begins."""
    says = ["default " + (initial or "empty")]
    if kind == "int":
        says.insert(0, "%s..%s" % (low, high))
    elif kind in ("string", "list"):
        says.insert(0, "up to %s characters" % high)
    elif kind == "enum":
        says.insert(0, "one of " + words)
    if restart == "1":
        says.append("at restart")
    text = "; ".join(says)
    return text[0].upper() + text[1:] + "."


def test_settings(settings):
    """Each setting has its entry in startup-config(5), with its type, range, default and when it takes effect."""
    described = tags(section("startup-config.5", "SETTINGS"))
    names = [entry.split()[0] for entry, _ in described]
    assert sorted(names) == sorted(settings), set(names) ^ set(settings)
    for entry, said in described:
        name, argument = entry.split()
        assert argument == ARGUMENT[settings[name][0]], entry
        assert said.startswith(expected(*settings[name]) + " "), (name, said, expected(*settings[name]))


def test_settings_served(settings):
    """What has no effect yet is said to have none, and nothing else is; the table is right about that."""
    code = "".join(text for name, text in sources().items() if name not in ("config_item.c", "cli_peers.c"))
    for entry, said in tags(section("startup-config.5", "SETTINGS")):
        name = entry.split()[0]
        later = settings[name][5] == "1"
        assert (NOT_SERVED in said) == later, (name, said)
        read = re.search(r'(?:\bconf|\bc|current|staging)->%s\b|get_config\("%s"\)' % (name, name), code)
        if name not in NO_EFFECT:
            assert later == (not read), "%s is %sread by the code" % (name, "" if read else "not ")


def test_lists(rows):
    """The other commands of startup-config(5): each list's, how it is taken back, and what stands below it."""
    entries = tags(section("startup-config.5", "OTHER COMMANDS"))
    page = text_of("Docs", "startup-config.5")
    lists = [row[1:] for row in rows if row[0] == "list"]
    for words, undo, later, inner in lists:
        said = [said for entry, said in entries if entry.startswith(words + " ")]
        assert said, words
        assert (NOT_SERVED in said[0]) == (later == "1" and not inner), words
        back = undo + " " + (words.split()[-1] if undo != "no" else words)
        assert [entry for entry, _ in entries if entry.startswith(back + " ")], back
        for word in filter(None, inner.split(",")):
            assert re.search(r"(?m)^\.(Ic|D1 Ic|Ic \w+ Ns \| Ns Ic) %s\b" % word, page), word
    have = {entry.split()[0] for entry, _ in entries}
    assert have == {"no"} | {word.split()[0] for words in lists for word in words[:2]}, have


def test_older_names():
    """The older names that are still taken."""
    body = dict(tags(section("startup-config.5", "SETTINGS")))
    table = re.search(r"aliases\[\] = \{(.*?)\n\};", text_of("config_item.c"), re.S).group(1)
    for alias, name in re.findall(r'"(\w+)", "(\w+)"', table):
        assert "Also taken as %s." % alias in body[name + (" IP6" if "6" in name else " IP")]


# ---------------------------------------------------------------------------- internals.md


def test_map():
    """The map in internals.md has each file of the program, and no others; the files that texts name are there."""
    text = text_of("Docs", "internals.md")
    files = {name for name in os.listdir(ROOT) if name.endswith((".c", ".h"))}
    on_map = set(re.findall(r"`([\w.*]+)`", text.split("\n## Map\n")[1].split("\n## ")[0]))
    stems = {name[:-2] for name in files}
    for name in on_map:
        assert name in files | stems or name.endswith("*") and [s for s in stems if s.startswith(name[:-1])], name
    starts = tuple(name[:-1] for name in on_map if name.endswith("*"))
    missing = [name for name in files if not {name, name[:-2]} & on_map and not name.startswith(starts)]
    assert not missing, "not on the map: %s" % sorted(missing)
    gone = set(re.findall(r"`(\w+\.[ch])`", text)) - files
    assert not gone, "no such files: %s" % gone


# ---------------------------------------------------------------------------- the command line

ROW = re.compile(r'\{\s*"([a-z][a-z -]*)",\s*(\w+),\s*(\w+),\s*\w+,\s*\w+,\s*\w+,\s*((?:"[^"]*"\s*)+|\w+),')
MODES = {"User mode": ("USER", "EXEC"), "Privileged mode": ("ENABLED", "EXEC"), "Configuration mode": ("ENABLED", "CONFIG"),
         "Access list mode": ("ENABLED", "ACL"), "BGP mode": ("ENABLED", "BGP")}
GROUPS = "clear", "drop", "ip", "load", "no", "radius", "remove", "restart", "router", "show", "suspend", "write"
OF_LIBCLI = {"User mode": {"enable", "exit", "help", "history", "logout", "quit"},
             "Privileged mode": {"configure terminal", "disable"}, "Configuration mode": {"exit"},
             "Access list mode": {"exit"}, "BGP mode": {"exit"}}


def plain(words):
    return re.sub(r"\s+", "", words)


def commands():
    """The commands of the tables, (mode's title, words, arguments)."""
    found = []
    for name, text in sources().items():
        if not name.startswith("cli_"):
            continue
        for words, privilege, mode, args in ROW.findall(text):
            privilege = "ENABLED" if privilege in ("ENABLED", "PRIV", "PRIVILEGE_PRIVILEGED") else "USER"
            mode = {"ANY": "EXEC", "CONF": "CONFIG"}.get(mode.replace("MODE_", ""), mode.replace("MODE_", ""))
            if not args.startswith('"'):  # a string with a name
                args = re.search(r'\b%s\[\] = ("[^"]*")' % args, text).group(1)
            title = [t for t, (p, m) in MODES.items() if p == privilege and m == mode]
            assert title, (name, words, privilege, mode)
            found.append((title[0], words, "".join(re.findall(r'"([^"]*)"', args))))
    return found


def test_commands():
    """Each command of the CLI has its entry in l2tpns(8), with its arguments, and no other command has."""
    table = commands()
    assert len(table) > 20
    for title in MODES:
        want = {plain(words + args): words for mode, words, args in table if mode == title}
        have = {plain(entry): entry for entry, _ in tags(section("l2tpns.8", title))}
        missing = [want[key] for key in want if key not in have]
        assert not missing, "%s: not in l2tpns(8), or with other arguments: %s" % (title, missing)
        more = {have[key] for key in have if key not in want} - OF_LIBCLI[title]
        assert not more, "%s: no such command: %s" % (title, more)


def offers(cli, words=""):
    """The words that `?` offers behind these."""
    cli.sock.sendall(words.encode() + b"?")
    text = cli.read_until(rb"\n[\w-]+(?:\([\w-]+\))?[>#] " + words.encode() + b"$")
    cli.sock.sendall(b"\x15")
    return re.findall(r"(?m)^  ([a-z][a-z-]*) ", text)


def test_commands_offered(plant):
    """What `?` offers in each mode, and behind the words that begin several commands, is in l2tpns(8)."""
    entries = {title: [entry.split() for entry, _ in tags(section("l2tpns.8", title))] for title in MODES}
    daemon = plant.lns()
    cli = daemon.open_cli(enable=False)
    for title, command in zip(MODES, (None, "enable", "configure terminal", "ip access-list standard a", "router bgp 1")):
        if command:
            cli.run(command)
        known = entries[title] + (entries["User mode"] if title != "User mode" else [])
        for word in offers(cli):
            assert [e for e in known if e[0] == word], "%s: %s" % (title, word)
            for second in offers(cli, word + " ") if word in GROUPS else ():
                assert [e for e in known if e[:2] == [word, second]], "%s: %s %s" % (title, word, second)
    cli.close()


# ---------------------------------------------------------------------------- pages

@pytest.mark.parametrize("page", PAGES)
def test_page_is_clean(page):
    """mandoc has nothing to complain of but pages that are not installed here."""
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "style", os.path.join(DOCS, page)], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True).stdout
    assert [line for line in lint.splitlines() if "referenced manual not found" not in line] == []


def test_options():
    """l2tpns(8) has the options that --help has, in that order, and no others."""
    usage = subprocess.run([binary(), "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    synopsis = words_of(section("l2tpns.8", "SYNOPSIS"))
    want = re.search(r"usage: (.*)", usage).group(1)
    assert plain(synopsis) == plain(want + "l2tpns --help")
    described = [entry for entry, _ in tags(section("l2tpns.8", "DESCRIPTION"))]
    assert described[:-1] == re.findall(r"(?m)^  (-\w(?: [A-Z]+)?) ", usage) and described[-1] == "--help"


def test_pages_are_installed(tmp_path):
    recipe = subprocess.run(["make", "-n", "install", "DESTDIR=%s" % tmp_path], cwd=ROOT, stdout=subprocess.PIPE,
                            text=True, check=True).stdout
    for page in PAGES:
        assert "man%s" % page[-1] in recipe and page in recipe
    assert "Docs/*.md" in recipe


def strings():
    """The literal texts of the sources, pieces that are apart in the source joined."""
    code = re.sub(r"(?s)/\*.*?\*/|'\"'|^#include.*?$", "", "\n".join(sources().values()))
    found = re.findall(r'"((?:[^"\\\n]|\\.)*)"(\s*)', code)
    return "".join(text + ("" if "\n" in gap else "\n") for text, gap in found)


def test_diagnostics():
    """The lines that l2tpns(8) explains are ones that the code has. Words in capitals stand for something."""
    texts = strings()
    lines = [line for line, _ in tags(section("l2tpns.8", "DIAGNOSTICS"))]
    assert len(lines) > 15
    for line in lines:
        pieces = re.split(r"\b[A-Z][A-Z:_]*\b|\d+", line)
        assert re.search(".*".join(re.escape(piece.strip(" :")) for piece in pieces), texts), line


# ---------------------------------------------------------------------------- the manual

def test_counters():
    """The manual's table has each counter with its meaning, in the order of `show counters json`."""
    rows = re.findall(r'X\((\w+),\s*(?:\\\s*)?"([^"]*)"\)', text_of("counter.h"))
    table = re.findall(r"(?m)^\| `(\w+)` \| (.*) \|$", text_of("Docs", "manual.md").split("\n## Counters\n")[1])
    assert table == rows and len(rows) > 100


def texts():
    """The documents that people read, by name."""
    names = [os.path.join("Docs", name) for name in sorted(os.listdir(DOCS)) if name.endswith((".md", ".5", ".8"))]
    return {name: text_of(name) for name in ["README.md"] + names}


def test_names_in_texts(settings):
    """Each setting that a text sets is one that exists; each counter it tells to watch too; each link leads somewhere."""
    counters = re.findall(r"X\((\w+),", text_of("counter.h"))
    for name, text in texts().items():
        for setting in re.findall(r"(?m)(?:^\s*|`|\) )set ([a-z]\w+) ", text):
            assert setting in settings or setting in ("nexthop", "nexthop6"), (name, setting)
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert os.path.exists(os.path.join(ROOT, os.path.dirname(name), target)), (name, target)
        heads = {re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in re.findall(r"(?m)^#+ (.*)$", text)}
        assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= heads, name
    watch = text_of("Docs", "manual.md").split("\n## Watching it\n")[1].split("\n## ")[0]
    for row in re.findall(r"(?m)^\| (`.*?) \|", watch):
        assert set(re.findall(r"`(\w+)`", row)) <= set(counters), row


@pytest.fixture(scope="module")
def first(module):
    """The manual's first set-up: its addresses, and programs that run with exactly its files."""
    files, net = blocks(), module.network
    net.lns.sysctl("ipv4.ip_forward", 0)
    net.lns.ip("addr add 192.0.2.1/24 dev lac", "addr add 198.51.100.1/24 dev core")
    net.lac.ip("addr add 192.0.2.2/24 dev br0")
    net.core.ip("addr add 198.51.100.10/24 dev lns")
    net.core.ip("route del default", *re.findall(r"(?m)^    ip (route add .* via 198.51.100.1)$", text_of("Docs", "manual.md")))
    module.radius = module.keep(Machine(
        net.core, module.folder("radius"), {path: files[path] for path in files if path.startswith("/etc/freeradius/")},
        "mkdir -m 755 /run/freeradius; chown freerad: /run/freeradius; chown -R freerad: /etc/freeradius; "
        "exec freeradius -f -l stdout"))
    module.radius.process.wait_line("Ready to process requests", timeout=60)
    module.daemon = module.keep(Machine(
        net.lns, module.folder("lns"),
        {path: files[path] for path in files if path.startswith(("/etc/l2tpns/", "/etc/sysctl.d/"))},
        "mkdir -p /usr/lib/l2tpns /var/lib/l2tpns; cp %s/*.so /usr/lib/l2tpns; sysctl -q -p /etc/sysctl.d/90-l2tpns.conf; "
        "%s -t; exec %s" % (plugin_dir(), binary(), binary())))
    socket_path = module.daemon.path("/run/l2tpns.sock")
    wait_for(lambda: os.path.exists(socket_path) or not module.daemon.process.alive(), "the daemon")
    assert module.daemon.process.alive(), module.daemon.process.output
    module.cli = Cli.unix(socket_path)
    module.cli.prompt()
    module.files = files
    yield module
    assert module.daemon.process.alive(), module.daemon.read("/var/log/l2tpns")


def session(cli, user):
    lines = [line.split() for line in cli.run("show session")]
    return next((dict(zip(lines[0], line)) for line in lines[1:] if user in line), None)


def test_first_subscriber(first):
    """The test client of the manual comes online with exactly the manual's files, and reaches the LNS and the net."""
    guest = first.uml()
    guest.run("ip addr add 192.0.2.3/24 dev vec0; ip route add 192.0.2.0/24 dev vec0 table 50; ip rule add to 192.0.2.0/24 "
              "lookup 50 pref 1001; rm -f /etc/ppp/ip-up /etc/ppp/ip-down")
    for path in first.files:
        if path.startswith(("/etc/xl2tpd/", "/etc/ppp/")):
            guest.write("block", first.files[path])
            guest.run("cp /run/host/block " + path)
    guest.spawn("xl2tpd -D", "xl2tpd.log")
    found = wait_for(lambda: session(first.cli, "joe@example.net"), "joe", 30)
    assert found["IP"].startswith("100.64.")
    wait_for(lambda: found["IP"] in guest.run("ip addr show ppp0 2>/dev/null", check=False), "ppp0", 30)
    first.network.lns.run("ping", "-c2", "-i0.2", "-W5", found["IP"])
    guest.run("ping -c2 -i0.2 -W5 -I ppp0 100.64.0.1")
    guest.run("ip route add 198.51.100.10 dev ppp0; ping -c2 -i0.2 -W5 198.51.100.10")


def test_first_policies(first):
    """The other users of the manual get what their lines say."""
    lac = Lac(first.network, address="192.0.2.2", lns="192.0.2.1")
    tunnel = lac.tunnel(secret="of-the-tunnel", challenge=True)
    ann = tunnel.session().up("ann@example.net", "secret-of-ann")
    assert ann.address == "203.0.113.77"
    ann.ping("198.51.100.10", source="203.0.113.130")
    routes = first.network.lns.run("ip", "route", "show", "dev", "tun0")
    assert "203.0.113.77" in routes and "203.0.113.128/28" in routes and "100.64.0.0/16" in routes
    tunnel.session().up("max@example.net", "secret-of-max")
    found = session(first.cli, "max@example.net")
    assert found["T"] == "Y" and "(2048kbps/2048kbps)" in "\n".join(first.cli.run("show session " + found["SID"]))
    assert not tunnel.session().authenticate("joe@example.net", "wrong")
    assert "login of joe@example.net refused" in first.daemon.read("/var/log/l2tpns")
    tunnel.stop()
    wait_for(lambda: not session(first.cli, "max@example.net"), "the end of max's session")


def test_first_requests(first):
    """The RADIUS server changes a session and ends another, by the manual's commands."""
    def run(what):
        command, = re.findall(r"(?m)^    (echo .* \| radclient \S+ %s .*)$" % what, text_of("Docs", "manual.md"))
        return first.network.core.run("sh", "-c", command)
    lac = Lac(first.network, address="192.0.2.2", lns="192.0.2.1")
    tunnel = lac.tunnel()
    joe = tunnel.session().up("joe@example.net", "secret-of-joe")
    tunnel.session().up("max@example.net", "secret-of-max")
    assert "Received CoA-ACK" in run("coa")
    found = session(first.cli, "max@example.net")
    assert "(512kbps/512kbps)" in "\n".join(first.cli.run("show session " + found["SID"]))
    assert "Received Disconnect-ACK" in run("disconnect")
    lac.wait(lambda: joe.gone, "the end of joe's session")


def test_first_operators(first):
    """The operator of the manual logs in from elsewhere, and may enable."""
    cli = Cli.tcp(first.network.lac, "192.0.2.1")
    assert cli.login("admin", "letmein") and cli.enable("sesame")
    cli.close()


def test_json_by_pipe(first):
    """What a collector gets: the manual's command, with a socket in the place of nc."""
    line, = re.findall(r"(?m)^    printf '(.*)' \| nc -U /run/l2tpns.sock \| grep -o '\{\.\*\}'$", text_of("Docs", "manual.md"))
    answer = b""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(first.daemon.path("/run/l2tpns.sock"))
        sock.sendall(line.encode().decode("unicode_escape").encode())
        try:
            while not answer.endswith(b"quit\r\n"):
                answer += sock.recv(65536)
        except ConnectionResetError:
            pass
    answer = answer.decode()
    counters = json.loads(re.search("{.*}", answer).group())
    assert counters["tunnel_created"] > 0 and "loop_longest_us" in counters


def test_first_garden(first):
    """With the garden loaded who is refused is let in, and his packets go through the rules of build-garden."""
    cli = Cli.unix(first.daemon.path("/run/l2tpns.sock"))
    cli.prompt()
    assert cli.enable("sesame")
    cli.run("configure terminal")
    cli.run("load plugin garden")
    cli.run("exit")

    def rules():
        return first.network.lns.run("iptables", "-t", "nat", "-S", check=False)
    wait_for(lambda: "-A PREROUTING -j garden_users" in rules(), "the chains")
    assert len(re.findall("-A garden ", rules())) == first.files["/etc/l2tpns/build-garden"].count("iptables ")
    lac = Lac(first.network, address="192.0.2.2", lns="192.0.2.1")
    refused = lac.tunnel().session().up("nobody@example.net", "wrong")
    assert session(cli, "nobody@example.net")["G"] == "Y"
    wait_for(lambda: "-A garden_users -s %s/32 -j garden" % refused.address in rules(), "his rule")
    cli.run("configure terminal")
    cli.run("remove plugin garden")
    cli.close()


# ---------------------------------------------------------------------------- the cluster, for operators

CLUSTER = text_of("Docs", "manual.md").split("\n## Cluster\n")[1].split("\n## ")[0]
SPEAK = re.compile(r"(cl(?!i)\w+|change|ended|election|role|repl\w*|bgp\w*|arp|resolve)\.c$")  # files of cluster and BGP
CARRIERS = {"cluster: %s %s", "bgp %s: %s"}  # lines whose text comes from elsewhere


def part(title):
    """A part of the chapter."""
    return CLUSTER.split("\n### %s\n" % title)[1].split("\n### ")[0]


def joined(pieces):
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', pieces)).replace(r'\"', '"')


def carried():
    """(level, text) of what goes through a carrier."""
    warn, why = text_of("clwarn.c"), text_of("bgp_why.c")
    table = re.search(r"(?s)texts\[\] = \{(.*?)\n\};", warn).group(1)
    found = [("error", "cluster: %s " + joined(text)) for text in re.split(r"(?m)^\t\[CLWARN_\w+\] =\s", table)[1:]]
    cannot = joined(re.search("#define CANNOT (.*)", why).group(1))
    formats = [joined(pieces.replace("CANNOT", '"%s"' % cannot)) for pieces in re.findall(
        r'snprintf\(\s*text, sizeof\(text\),\s*((?:(?:CANNOT|"(?:[^"\\]|\\.)*")\s*)+)', why)]
    assert len(formats) == 4, formats
    found += [("error", "bgp %s: " + text) for text in formats if text != "%s: %s%s"]
    for verb in re.findall(r'tell\(p, .*?, "([^"]+)", more\)', why):
        found += [("error", "bgp %%s: %s: %%s" % verb), ("warning", "bgp %%s: %s: Cease%%s" % verb)]
    return found + [("error", "bgp %s: %s"), ("info", "bgp %s: %s")]


def log_lines():
    """(level, format) of all lines that files of cluster and BGP log."""
    found = []
    for name, code in sources().items():
        if SPEAK.fullmatch(name):
            code = re.sub(r"(?s)/\*.*?\*/", "", code)
            for level, pieces in re.findall(r'\bplog(?:_limit)?\(\s*LOG_(\w+),\s*((?:"(?:[^"\\]|\\.)*"\s*)+)', code):
                found.append((level.lower(), joined(pieces)))
            assert len(re.findall(r"\b[ps]?log(?:_limit)?\(\s*LOG_|\bs?log_limit\(", code)) == len(
                re.findall(r'\bplog(?:_limit)?\(\s*LOG_\w+,\s*"', code)), "%s logs in another way" % name
    assert CARRIERS <= {text for _, text in found}
    return [one for one in found if one[1] not in CARRIERS] + carried()


def fits(text, line):
    """Whether a line may come of a format."""
    return re.fullmatch(".*".join(map(re.escape, re.split(r"%[-.*\d]*(?:ll|l|z)?[a-z]", text))), line)


def test_log_of_the_cluster():
    """The manual explains each line that the files of cluster and BGP log, and no others."""
    rows = re.findall(r"(?m)^\| (\w+) \| `([^`]+)` \| (.+) \|$", part("What the log says"))
    assert len(rows) > 50 and len({row[:2] for row in rows}) == len(rows)
    lines = log_lines()
    missing = [one for one in lines if not [r for r in rows if r[0] == one[0] and fits(one[1], r[1])]]
    assert not missing, "not in the manual: %s" % missing
    specific = [one for one in lines if one[1] != "bgp %s: %s"]
    for level, line, _ in rows:
        of = specific if line != "bgp PEER: REASON" else lines
        assert [one for one in of if one[0] == level and fits(one[1], line)], "the code does not log: %s %s" % (level, line)


def test_reasons_of_the_cluster():
    """The reasons in these lines stand in the manual too."""
    said = part("What the log says")
    link = re.search(r"(?s)\nnobody\(.*?\n}", text_of("clsock.c")).group(0)
    reasons = re.findall(r'"((?:is|has) [^"]+)"', link)
    bgp = "".join(text for name, text in sources().items() if name.startswith("bgp"))
    reasons += re.findall(r'bgp_conn_fails\(\s*p, [^,;]+?(?:\)|), "([^"]+)"\)', bgp)
    reasons += re.findall(r'bgp_why_failed\(p, \w+, "([^"]+)"\)', bgp) + re.findall(r'strerror\(errno\) : "([^"]+)"', bgp)
    assert len(reasons) > 11, reasons
    assert not [reason for reason in reasons if "`%s`" % reason not in said], reasons


def test_same_settings(settings):
    """The manual lists the settings that members compare."""
    flagged = set()
    table = re.search(r"(?s)items\[\] = \{(.*?)\n\};", text_of("config_item.c")).group(1)
    for row in re.split(r"(?m)^(?=\t[A-Z0-9]+\()", table):
        if "ITEM_SAME" in row:
            flagged.add(re.match(r"\t\w+\(\s*(\w+)", row).group(1))
    lists = re.findall(r'(?s)\.first = "([^"]+)",\s*(?:\.second = "([^"]+)",)?(?:(?!\.first).)*?FAMILY_SAME', text_of("config_family.c"))
    said = part("Settings that are the same").split("Compared are:")[1].split("\n\nSecrets")[0]
    assert set(re.findall(r"`([^`]+)`", said)) == flagged | {"ip_pool"} | {" ".join(filter(None, one)) for one in lists}
    assert len(flagged) > 30 and flagged <= set(settings) and len(lists) == 4


def test_what_to_watch():
    """What an operator is told to alarm on: keys and states of `show cluster json`, counters."""
    said = part("What to watch")
    keys = text_of("Docs", "cli-json.md").split("\n## show cluster\n")[1].split("\n## ")[0]
    for word in re.findall(r"`([a-z_.\[\]]+)`", said.split("| counter |")[0]):
        if word not in ("cluster_hb_timeout", "state", "peers"):
            assert "`%s`" % word in keys, word
    counters = re.findall(r"X\((\w+),", text_of("counter.h"))
    rows = re.findall(r"(?m)^\| (`.*?) \|", said.split("| counter |")[1])
    assert len(rows) > 8
    for row in rows:
        assert set(re.findall(r"`(\w+)`", row)) <= set(counters), row


# ---------------------------------------------------------------------------- the cluster's protocol

PROTOCOL = text_of("Docs", "cluster-protocol.md")
MESSAGES = {"heartbeat": "HEARTBEAT", "proof": "CHALLENGE, PROOF", "change": "CHANGE", "resend": "RESEND",
            "sync_ask": "SYNC_ASK", "sync": "SYNC, OFFER", "sync_ack": "SYNC_ACK", "forward": "FORWARD",
            "forward_ack": "FORWARD_ACK",
            "leave": "LEAVE"}
OWN_FIELDS = {"SESSION": ("SESSION_NOTE", "note", "notes"), "CHAN": ("CHAN_DATA", "octets", "data"),
              "ACCT": ("ACCT_ATTRS", "octets", "attrs"), "COUNT": ("COUNT_MEMBER", "items", "member")}


def protocol_rows(title):
    """The rows of the first table below a heading, as cells without code marks."""
    below = re.search(r"(?ms)^#+ %s\n(.*?)(?=^#|\Z)" % re.escape(title), PROTOCOL)
    assert below, "no part %s" % title
    lines = re.search(r"(?m)^\|---.*\n((?:\|.*\n)*)", below.group(1)).group(1).splitlines()
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def protocol_fields(title):
    """The same of a table of fields: {(tag, what kind of value, member)}. Each has a word on it."""
    rows = protocol_rows(title)
    assert all(len(row) == 4 and row[3] for row in rows), rows
    assert len({row[0] for row in rows}) == len(rows), "%s: a tag twice" % title
    return {tuple(row[:3]) for row in rows}


def numbers_of(header, enum):
    """What an enum's constants stand for, without their prefix."""
    body = re.search(r"(?s)enum %s \{(.*?)\};" % enum, text_of(header)).group(1)
    return dict(re.findall(r"\b[A-Z]+_(\w+) = (\d+)", body))


def test_cluster_messages():
    """Each kind of message, with its fields by tag, stands in cluster-protocol.md."""
    kinds, tags_ = numbers_of("clmsg.h", "clmsg_kind"), numbers_of("clmsg.h", "clmsg_tag")
    assert {row[1]: row[0] for row in protocol_rows("Messages, by kind")} == kinds
    assert sorted(", ".join([*MESSAGES.values(), "COUNT, COUNT_ASK"]).split(", ")) == sorted(kinds)
    assert len(set(tags_.values())) == len(tags_)
    used = {"RECORD", "PAYLOAD", "COUNT", "FILL", "HEARS"}
    for name, title in MESSAGES.items():
        table = re.search(r"(?s)\b%s_fields\[\] = \{(.*?)\n\};" % name, text_of("clmsg.c")).group(1)
        rows = re.findall(r"\{ CLT_(\w+), CLFIELD_(\w+),\s+CLFIELD_OF\(struct cl_\w+, (\w+)\)", table)
        assert len(rows) == table.count("CLFIELD_OF") > 0
        used |= {tag for tag, _, _ in rows}
        rows += {"forward": [("PAYLOAD", "octets", "payload")], "heartbeat": [("HEARS", "octets", "hears")]}.get(name, [])
        assert protocol_fields(title) == {(tags_[tag], kind.lower(), member) for tag, kind, member in rows}, title
    assert protocol_fields("COUNT, COUNT_ASK") == {(tags_["COUNT"], "items", "count")}
    assert used == set(tags_)
    assert "A record is a field of tag %s " % tags_["RECORD"] in PROTOCOL
    assert "field of tag %s and zeroes" % tags_["FILL"] in PROTOCOL


def record_fields(kind):
    """The fields of a kind of record as repl.c has them."""
    source = text_of("repl.c")
    rows = re.findall(r"\b%s\((\d+), (\w+), (\w[\w.\[\]]*), " % kind, source)
    rows += re.findall(r"\{ (\d+), CLFIELD_(\w+), CLFIELD_OF\(struct repl_%s, (\w+)\)" % kind.lower(), source)
    found = {(tag, value.lower(), re.sub(r"SESS_CP_(\w+)", lambda m: m.group(1).lower(), member))
             for tag, value, member in rows}
    if kind in OWN_FIELDS:
        constant, *rest = OWN_FIELDS[kind]
        found.add((re.search(r"\b%s = (\d+)" % constant, source).group(1), *rest))
    return found


def test_cluster_records():
    """So does each kind of record, and each kind of note."""
    kinds = numbers_of("repl.h", "repl_kind")
    assert {row[1]: row[0] for row in protocol_rows("Records, by kind")} == kinds
    for kind in kinds:
        assert protocol_fields("%s record" % kind) == record_fields(kind), kind
    notes = dict(re.findall(r"\[NOTE_(\w+)\] = (\d+)", text_of("repl.c")))
    assert {row[1]: row[0] for row in protocol_rows("Notes of a session")} == notes


def members_of(header, struct):
    body = re.search(r"(?ms)^struct %s \{\n(.*?)^\};" % struct, text_of(header)).group(1)
    return set(re.findall(r"(\w+)(?:\[\w+\])?\s*[,;]", re.sub(r"(?s)/\*.*?\*/", "", body)))


def test_cluster_has_all_of_a_session():
    """Each member of struct sess_rec travels, but for those that have a field of their own."""
    members = members_of("session.h", "sess_rec")
    assert {"tunnel", "rx_speed", "user", "calling", "end", "garden"} <= members
    wanted = {"rec." + name for name in members - {"notes", "filter_in", "filter_out", "end"}}
    own = {"guess", "elsewhere"}  # the master alone, who ends it, asks for these
    wanted |= {"rec.end." + name for name in members_of("session.h", "sess_end") - own}
    sent = {member.split("[")[0] for _, _, member in record_fields("SESSION")}
    assert wanted == {member for member in sent if member.startswith("rec.")}


# what the text says, with @ for each number in it, and where the code has these
LIMITS = [
    ("and repeated each @ ms for a second", "clfinal.c AGAIN_MS"),
    ("one of the last @ that were told as arrived", "acct_mark.c ARRIVED"),
    ("Messages are filled up to @ octets.", "clmsg.h CLMSG_PACKET"),
    ("of its own, of at most @, which IP fragments", "clmsg.h CLMSG_LARGEST"),
    ("nonce, @ octets", "clmsg.h CLMSG_NONCE"),
    ("It is good for @ s,", "clguard.c GOOD_MS/1000"),
    ("none that is @ or more behind the highest", "clguard.h CLGUARD_WINDOW"),
    ("of the @ numbers up to it", "clmsg.h CL_FORWARD_WINDOW"),
    ("answered by a CHALLENGE: @ a second to an address, @ at once, and no more than @ times that to all",
     "clguard.c RATE", "clguard.c BURST", "clguard.h CLGUARD_BUCKETS"),
    ("and of those who have, @ at most", "clguard.h CLGUARD_PEERS"),
    ("A member is sent @ CHANGEs a millisecond again, @ at once", "clstream.c RESENT_A_MS", "clstream.c RESENT_MOST"),
    ("a synchronisation begins anew @ times a second at most", "clsync.c 1000/AGAIN_MS"),
    ("number of a CHANGE that is 2^@ ahead, and a version that is 2^@ ahead", "clstream.c log2(FAR)", "change.c log2(FAR)"),
    ("It keeps @ octets of a session, each field with @ in front, and none longer than @", "note.h NOTE_FOREIGN_MOST",
     "repl.c NOTE_HEAD", "note.h NOTE_MAX"),
    ("up to @ octets. A kind that is not known", "note.h NOTE_MAX"),
]


def constant(where):
    """A number of an enum, or of a static const, by file and name; 1000/NAME, NAME/1000, log2(NAME)."""
    name, expression = where.split()
    word = re.search(r"[A-Z]\w*", expression).group(0)
    found = re.search(r"\b%s = (?:\(uint64_t\))?(\d+(?: (?:<<|\*) \d+)?)" % word, text_of(name))
    assert found, where
    value = eval(found.group(1))
    return eval(expression.replace("log2(%s)" % word, str(value.bit_length() - 1)).replace(word, str(value)).replace("/", "//"))


def test_cluster_limits():
    """The limits in cluster-protocol.md are those of the code."""
    text = " ".join(PROTOCOL.replace(",", "").split())
    for said, *names in LIMITS:
        pattern = re.escape(" ".join(said.replace(",", "").split())).replace("@", r"([\d]+)")
        found = re.search(pattern, text)
        assert found, "not said: " + said
        assert [int(n) for n in found.groups()] == [constant(name) for name in names], said
