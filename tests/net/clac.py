"""The C tools of tests/lac: a LAC with many sessions, and the core's end of its traffic.

    lac = CLac(network)
    lac.do("tunnel count=2; ...")             # an answer is a dict of texts, with "ok" in it
    sink = Traffic(network.core, "sink", "port=9000")
    sink.totals()                              # what it has counted so far, as numbers
"""

import os
import re
import signal
import subprocess

TOOLS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lac")
PAIR = re.compile(r'(\w+)=("[^"]*"|\S+)')


class CLac:
    """The C test LAC, driven by its line protocol."""

    def __init__(self, ns, lns, *options):
        self.process = ns.start(os.path.join(TOOLS, "lac"), "-q", "-l", lns, *options, stdin=subprocess.PIPE)
        self.seen = 0

    def send(self, command):
        self.process.popen.stdin.write((command + "\n").encode())
        self.process.popen.stdin.flush()

    def answer(self, timeout=90):
        line = self.process.wait_line("^(ok|error).*", self.seen, timeout).group(0)
        self.seen = len(self.process.lines)
        answer = dict(PAIR.findall(line))
        answer["ok"] = line.startswith("ok")
        return answer

    def do(self, command, timeout=90):
        self.send(command)
        return self.answer(timeout)

    def items(self, command):
        """The `item` lines of a list, as dicts."""
        at = len(self.process.lines)
        assert self.do(command)["ok"]
        return [dict(PAIR.findall(line)) for line in self.process.lines[at:] if line.startswith("item")]


class Traffic:
    """A sink, echo server or source in the core network."""

    def __init__(self, ns, *argv):
        self.process = ns.start(os.path.join(TOOLS, "traffic"), *argv)
        self.process.wait_line("ready")

    def totals(self, zero=False):
        seen = len(self.process.lines)
        self.process.send_signal(signal.SIGUSR2 if zero else signal.SIGUSR1)
        return self._numbers(self.process.wait_line("^ok .*", seen).group(0))

    def finish(self, timeout=30):
        """Its last words, when it ends by itself."""
        self.process.wait(timeout)
        return self._numbers(self.process.lines[-1])

    @staticmethod
    def _numbers(line):
        return {name: float(value) for name, value in PAIR.findall(line)}

    def close(self):
        self.process.kill()
