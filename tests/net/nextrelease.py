"""The daemon of a release to come, for tests of members of two releases in one cluster.

It is ours with a field more in a session's record, set when somebody logs in and shown by `show session json`, with
a field more in a heartbeat, and with a kind of message that we do not know. The sources are copied to build/next and
edited there; nothing of it is in what we ship.
"""

import glob
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(ROOT, "build", "next")
VERSION = "next"
MARK = 1000000  # what the field holds is above that

# file: (a text that is there once, what comes behind it)
EDITS = {
    "session.h": [("struct sess_end end;\n", "\tuint32_t next_release;\n")],
    "session.c": [("s->authed = 1; s->login = ++last_login", "; s->next_release = %du + last_login" % MARK)],
    "repl.c": [("session_fields[] = {\n", "\tSESSION(900, NUMBER, rec.next_release, 0),\n")],
    "cli_json.c": [('json_put_number(o, "unique_id", s->unique);\n',
                    '\tjson_put_number(o, "next_release", s->next_release);\n')],
    "clmsg.c": [("PUT(heartbeat_fields, m);\n", "\tclfield_put_number(w, 901, 77);\n")],
    "cluster.c": [("on_beat(uint32_t unused)\n{\n", '\tcluster_send(0, 99, "", 0);\n'),
                  ("#include <string.h>\n", '#undef L2TPNS_VERSION\n#define L2TPNS_VERSION "%s"\n' % VERSION)],
}


def edited(name):
    with open(os.path.join(ROOT, name)) as f:
        text = f.read()
    for anchor, more in EDITS.get(name, ()):
        assert text.count(anchor) == 1, "%s: %r is there %d times" % (name, anchor, text.count(anchor))
        text = text.replace(anchor, anchor + more)
    return text


def write(name):
    """Only what has changed, so that make does no more than it must."""
    path, text = os.path.join(FOLDER, name), edited(name)
    if os.path.exists(path):
        with open(path) as f:
            if f.read() == text:
                return
    with open(path, "w") as f:
        f.write(text)


def build():
    """The program's path."""
    os.makedirs(FOLDER, exist_ok=True)
    for path in [os.path.join(ROOT, "Makefile"), *glob.glob(os.path.join(ROOT, "*.[ch]"))]:
        write(os.path.basename(path))
    program = os.path.join(FOLDER, "build", "l2tpns")
    done = subprocess.run(["make", "-j2", "-C", FOLDER, "CFLAGS=-O1 -g", "build/l2tpns"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0, done.stdout[-4000:]
    return program
