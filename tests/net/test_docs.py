"""What the documents say is what the code does: settings, commands, options, counters, log lines, examples."""

import html
import os
import re
import subprocess

import pytest

from lns import ROOT, binary

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
    """The entries of a section's lists, (entry, what is said of it)."""
    return [(words_of(entry), words_of(said))
            for entry, said in re.findall(r"(?s)<dt[^>]*>(.*?)</dt>\s*<dd[^>]*>(.*?)</dd>", text)]


# ---------------------------------------------------------------------------- settings

ROWS = r"""
#include "config_item.h"
#include "counter.h"
#include <stdio.h>
int
main(void)
{
	const struct item *it;
	unsigned int i, k;

	for (i = 0; (it = item_get(i)); i++) {
		printf("%s|%s|%llu|%llu|%s|%d|", it->name, it->type->name, (unsigned long long)it->min,
		    (unsigned long long)it->max, it->initial, !!(it->flags & ITEM_RESTART));
		for (k = 0; it->words && it->words[k]; k++)
			printf("%s%s", k ? ", " : "", it->words[k]);
		puts("");
	}
	return 0;
}
"""
ARGUMENT = {"int": "NUMBER", "bool": "BOOL", "ip": "IP", "ip6": "IP6", "string": "STRING", "list": "LIST",
            "enum": "WORD"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """The rows of the table in config_item.c, by name: [type, min, max, default, at restart, words]."""
    folder = tmp_path_factory.mktemp("rows")
    source, program = str(folder / "rows.c"), str(folder / "rows")
    with open(source, "w") as f:
        f.write(ROWS)
    libs = re.search(r"(?m)^LIBS\s*=\s*(.*)$", text_of("Makefile")).group(1).split()
    subprocess.run(["cc", "-std=gnu11", "-fms-extensions", "-D_GNU_SOURCE", "-I", ROOT, "-o", program, source,
                    os.path.join(ROOT, "build", "libl2tpns.a"), *libs], check=True)
    lines = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    return {line.split("|")[0]: line.split("|")[1:] for line in lines}


def expected(kind, low, high, initial, restart, words):
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
    """What no code reads is said to have no effect yet, and nothing else is."""
    code = "".join(text for name, text in sources().items() if name != "config_item.c")
    body = dict(tags(section("startup-config.5", "SETTINGS")))
    for entry, said in body.items():
        name = entry.split()[0]
        read = re.search(r'(?:\bconf|\bc|current|staging)->%s\b|get_config\("%s"\)' % (name, name), code)
        if name not in NO_EFFECT:
            assert (NOT_SERVED in said) == (not read), (name, said)


def test_older_names():
    """The older names that are still taken."""
    body = dict(tags(section("startup-config.5", "SETTINGS")))
    table = re.search(r"aliases\[\] = \{(.*?)\n\};", text_of("config_item.c"), re.S).group(1)
    for alias, name in re.findall(r'"(\w+)", "(\w+)"', table):
        assert "Also taken as %s." % alias in body[name + (" IP6" if "6" in name else " IP")]


# ---------------------------------------------------------------------------- the command line

ROW = re.compile(r'\{\s*"([a-z][a-z -]*)",\s*(\w+),\s*(\w+),\s*\w+,\s*\w+,\s*\w+,\s*((?:"[^"]*"\s*)+),')
MODES = {"User mode": ("USER", "EXEC"), "Privileged mode": ("ENABLED", "EXEC"), "Configuration mode": ("ENABLED", "CONFIG")}
OF_LIBCLI = {"User mode": {"enable", "exit", "help", "history", "logout", "quit"},
             "Privileged mode": {"configure terminal", "disable"}, "Configuration mode": {"exit"}}


def plain(words):
    return re.sub(r"\s+", "", words)


def commands():
    """The commands of the tables, (mode's title, words, arguments)."""
    found = []
    for name, text in sources().items():
        if not name.startswith("cli_"):
            continue
        for words, privilege, mode, args in ROW.findall(text):
            privilege = privilege.replace("PRIVILEGE_UNPRIVILEGED", "USER").replace("PRIVILEGE_PRIVILEGED", "ENABLED")
            title = [t for t, (p, m) in MODES.items() if p == privilege and m == mode.replace("MODE_", "")]
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


@pytest.fixture(scope="module")
def daemon(module):
    return module.lns()


def offers(cli, words=""):
    """The words that `?` offers behind these."""
    cli.sock.sendall(words.encode() + b"?")
    text = cli.read_until(rb"\n[\w-]+(?:\([\w-]+\))?[>#] " + words.encode() + b"$")
    cli.sock.sendall(b"\x15")
    return re.findall(r"(?m)^  ([a-z][a-z-]*) ", text)


def test_commands_offered(daemon):
    """What `?` offers in each mode, and behind the words that begin several commands, is in l2tpns(8)."""
    entries = {title: [entry.split() for entry, _ in tags(section("l2tpns.8", title))] for title in MODES}
    cli = daemon.open_cli(enable=False)
    for title, command in ("User mode", None), ("Privileged mode", "enable"), ("Configuration mode", "configure terminal"):
        if command:
            cli.run(command)
        known = entries[title] + (entries["User mode"] if title != "User mode" else [])
        for word in offers(cli):
            assert [e for e in known if e[0] == word], "%s: %s" % (title, word)
            for second in offers(cli, word + " ") if word in ("show", "no", "drop", "clear", "load", "remove", "write") else ():
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


def strings():
    """The literal texts of the sources, pieces that are apart in the source joined."""
    joined = re.sub(r'"\s*\n\s*"', "", "\n".join(sources().values()))
    return "\n".join(re.findall(r'"((?:[^"\\]|\\.)*)"', joined))


def test_diagnostics():
    """The lines that l2tpns(8) explains are ones that the code has. Words in capitals stand for something."""
    texts = strings()
    lines = [line for line, _ in tags(section("l2tpns.8", "DIAGNOSTICS"))]
    assert len(lines) > 15
    for line in lines:
        for piece in re.split(r"\b[A-Z][A-Z:_]*\b|\d+", line):
            if len(piece.strip()) > 4:
                assert piece.strip(" :/,") in texts, (line, piece)
