"""`make demo`: shows what it promises, and whatever way it ends, it leaves nothing behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import uuid

import pytest

from lns import ROOT
from netns import Process, wait_for

TESTS = os.path.join(ROOT, "tests")


class Demo:
    """One run, in a folder of its own; what it starts is known by a mark in the environment."""

    def __init__(self, folder, *argv):
        self.folder = str(folder)
        self.mark = "DEMO_TEST=" + uuid.uuid4().hex
        self.process = Process([sys.executable, *(argv or [os.path.join(TESTS, "demo.py")])],
                               env=dict([self.mark.split("=")], TMPDIR=self.folder, PYTHONPATH=TESTS))
        self.spaces = "l2demo-%d-" % self.process.pid

    def processes(self):
        """Ids of those with the mark."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/environ" % pid, "rb") as f:
                    if self.mark.encode() in f.read().split(b"\0"):
                        found.append(int(pid))
            except OSError:  # it has ended
                pass
        return found

    def namespaces(self):
        return [line for line in subprocess.run(["ip", "netns", "list"], stdout=subprocess.PIPE, text=True,
                                                check=True).stdout.splitlines() if line.startswith(self.spaces)]

    def check_nothing_left(self):
        assert self.namespaces() == []
        assert os.listdir(self.folder) == []
        wait_for(lambda: self.processes() == [], "the end of all processes")


@pytest.fixture
def demo(tmp_path):
    run = Demo(tmp_path)
    yield run
    run.process.kill()
    for name in run.namespaces():
        subprocess.run(["ip", "netns", "del", name.split()[0]], check=True)


def test_to_the_end(demo):
    """Tunnel, sessions, pings, checked traffic, the operator's tables, the way to the command line."""
    assert demo.process.wait(60) == 0, demo.process.output
    text = demo.process.output
    assert len(re.findall(r"(?m)^ +ok .*\bup=5 failed=0", text)) == 1
    assert re.search(r"ok sent=15 received=15 corrupt=0", text)
    assert re.search(r"ok sent=10000 received=\d+ corrupt=0", text), text
    assert re.search(r"(?m)^ +1 +demo-lac +10\.0\.1\.2 +Open +5", text)
    for n in range(5):
        assert re.search(r"(?m)^ +\d+ +0 +1 user%d +10\.64\.0\.\d+ " % n, text)
    assert "Used: 5" in text
    assert re.search(r"ip netns exec %slns telnet 127\.0\.0\.1 23" % demo.spaces, text)
    demo.check_nothing_left()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("at", ["serves on", "LAC: session", "LAC: echo"])
def test_stopped(demo, number, at):
    """A signal to it alone, in the midst of a step."""
    demo.process.wait_line(at)
    demo.process.send_signal(number)
    code = demo.process.wait()
    assert code == (0 if number == signal.SIGINT else 128 + number), demo.process.output
    demo.check_nothing_left()
    assert "telnet" not in demo.process.output


def test_killed(demo):
    """Killed hard it cannot remove its namespaces, but no process stays in them."""
    demo.process.wait_line("LAC: echo")
    assert len(demo.processes()) >= 3
    demo.process.send_signal(signal.SIGKILL)
    demo.process.wait()
    wait_for(lambda: demo.processes() == [], "the end of all processes")


@pytest.mark.parametrize("script", ["exit 1", "exec sleep 1000"])
def test_daemon_that_does_not_start(tmp_path, script):
    """It says so, fails, and cleans up, though the daemon hangs."""
    daemon = tmp_path / "l2tpns"
    daemon.write_text("#!/bin/sh\n%s\n" % script)
    daemon.chmod(0o755)
    (tmp_path / "tmp").mkdir()
    demo = Demo(tmp_path / "tmp", "-c", "import demo; demo.START_SEC = 0.5; demo.TOP = %r; demo.main()" % str(tmp_path))
    assert demo.process.wait() == 1
    assert "l2tpns did not start" in demo.process.output
    demo.check_nothing_left()


@pytest.mark.parametrize("how", ["SIGTERM", "end of input"])
def test_lac_ends_in_the_midst_of_a_command(how):
    """The test LAC does not outlive who drives it, whatever it waits for."""
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # takes the SCCRQ, answers nothing
    sink.bind(("127.0.0.1", 0))
    sink.settimeout(10)
    lac = Process([os.path.join(TESTS, "lac", "lac"), "-l", "127.0.0.1:%d" % sink.getsockname()[1]],
                  stdin=subprocess.PIPE)
    lac.popen.stdin.write(b"tunnel timeout=60\n")
    lac.popen.stdin.flush()
    sink.recv(4096)
    if how == "SIGTERM":
        lac.send_signal(signal.SIGTERM)
    else:
        lac.popen.stdin.close()
    try:
        assert lac.wait() == 1
    finally:
        lac.kill()
        sink.close()
