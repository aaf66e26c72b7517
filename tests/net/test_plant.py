"""The plant of the net tests itself: what it says of a process that is gone, and that it ends nobody else's."""

import os
import signal

import pytest

from netns import Namespace, Process, wait_for


@pytest.fixture
def ns():
    ns = Namespace("plant")
    yield ns
    ns.close()


def runs(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_id_stays_until_the_process_is_killed(ns):
    """Later kill() sends a signal to that id, which must not be another's by then."""
    process = ns.start("true")
    assert process.wait() == 0
    os.kill(process.pid, 0)
    process.kill()
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
    process.send_signal(signal.SIGKILL)
    process.kill()


def test_children_are_killed_though_their_parent_has_ended(ns):
    process = ns.start("sh", "-c", "sleep 600 & echo $!")
    child = int(process.wait_line(r"\d+").group())
    wait_for(lambda: not process.alive(), "the end of the parent")
    assert runs(child)
    process.kill()
    wait_for(lambda: not runs(child), "the end of the child")


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_obituary_of_one_that_fell(ns, number):
    process = ns.start("sh", "-c", "ulimit -c 0; echo last words; kill -%d $$" % number)
    assert process.wait() == -number
    told, Process.fallen[:] = list(Process.fallen), []
    assert told == [process.obituary()]
    for word in number.name, "none", "last words":
        assert word in told[0]


def test_who_is_killed_from_here_did_not_fall(ns):
    process = ns.start("sleep", "600")
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert Process.fallen == []


def test_exit_status(ns):
    process = ns.start("sh", "-c", "exit 3")
    assert process.wait() == 3
    assert "exit status 3" in process.obituary()
    assert Process.fallen == []
