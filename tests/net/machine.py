"""A program that runs where files lie at their absolute paths, as on a machine of its own; and the manual's files.

    machine = Machine(ns, folder, blocks("both routers"), "exec bird -f")
    machine.read("/var/log/l2tpns")
"""

import os
import re
import subprocess

from lns import ROOT

PLACES = "lns1", "lns2", "both members", "the edge router", "the core router", "both routers", "the RADIUS server"


def manual():
    with open(os.path.join(ROOT, "Docs", "manual.md")) as f:
        return f.read()


def blocks(*places):
    """The files that the manual gives whole for these places, {path: text}; without any: those for one server. The
    paragraph before each has its path, "`PATH` on PLACE" when it is for one of several machines."""
    found = {}
    paragraph = ""
    for part in re.split(r"(?s)(?:^|\n)```\n", manual()):
        if paragraph:
            (path, place), = re.findall(r"`(/\S+)`(?: on (%s))?" % "|".join(PLACES), paragraph)
            if place in (places or ("",)):
                found[path] = part + "\n"
        paragraph = "" if paragraph else " ".join(part.strip().split("\n\n")[-1].split())
    return found


class Machine:
    """A program that runs where files lie at their absolute paths, as on a machine of its own. What it writes vanishes
    with it."""

    SCRIPT = """
set -e
mount -t tmpfs tmpfs "$1"
for dir in etc usr/lib var; do
    mkdir -p "$1/$dir" "$1/work/$dir"
    mount -t overlay overlay -o "lowerdir=/$dir,upperdir=$1/$dir,workdir=$1/work/$dir" "/$dir"
done
mount -t tmpfs tmpfs /run
cp -r "$2"/. /
echo mounted
read go
eval "$3"
"""

    def __init__(self, ns, folder, files, script):
        self.tree, room = os.path.join(str(folder), "tree"), os.path.join(str(folder), "room")
        os.makedirs(room)
        for path, text in files.items():
            os.makedirs(os.path.dirname(self.tree + path), exist_ok=True)
            with open(self.tree + path, "w") as f:
                f.write(text)
        self.process = ns.start("unshare", "--mount", "--uts", "--propagation", "private", "sh", "-c", self.SCRIPT, "sh", room,
                                self.tree, script, stdin=subprocess.PIPE)
        self.process.wait_line("^mounted$")
        self.root = os.open("/proc/%d/root" % self.process.pid, os.O_PATH)  # what it becomes may not let us
        self.process.popen.stdin.write(b"go\n")
        self.process.popen.stdin.close()

    def path(self, path):
        """A path of its, as we can open it."""
        return "/proc/self/fd/%d%s" % (self.root, path)

    def read(self, path):
        try:
            with open(self.path(path)) as f:
                return f.read()
        except OSError:
            return ""

    def close(self):
        self.process.kill()
        os.close(self.root)
