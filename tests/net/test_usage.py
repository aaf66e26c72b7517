"""accounting_dir: usage files every five minutes, whatever comes and goes, and whatever fails."""

import os
import re
import shutil
import signal
import tempfile
import time

import pytest

import pylac
from lns import binary
from netns import wait_for
from pylac import Lac
from test_acct import BILLING, NSCTL
from test_plugins import compile_plugin

PERIOD = 300
PING = 20 + 8 + 32  # octets of an echo request, and of its reply
USERS = {"joe": "secret", "ann": "secret", "bob": "secret"}
NAME = re.compile(r"\d{14}")


def start(plant, settings=None, users=USERS, **kwargs):
    folder = str(plant.folder("acct"))
    lns = plant.lns({"accounting_dir": folder, "idle_echo_timeout": 3600, **(settings or {})}, local_users=users, clock=True, **kwargs)
    lns.usage = folder
    return lns


def files(lns):
    """The names of finished files, oldest first; any other but a temporary one fails."""
    names = sorted(os.listdir(lns.usage))
    assert all(NAME.fullmatch(name) or name.startswith(".") for name in names), names
    return [name for name in names if NAME.fullmatch(name)]


def read(lns, name):
    """(header lines, lines as lists of words) of a file."""
    with open(os.path.join(lns.usage, name)) as f:
        text = f.read()
    assert text.endswith("\n")
    lines = text.splitlines()
    return [line for line in lines if line[0] == "#"], [line.split(" ") for line in lines if line[0] != "#"]


def period(lns, written=True):
    """Lets a period pass; the lines of the file that it ends with, None without one."""
    before, count = files(lns), lns.counters()
    lns.step(PERIOD)
    if written:
        wait_for(lambda: lns.counters()["usage_files"] > count["usage_files"], "the file")
        new = [name for name in files(lns) if name not in before]
        assert len(new) == 1, new
        return read(lns, new[0])[1]
    wait_for(lambda: not children(lns), "the end of the child")
    assert files(lns) == before
    return None


def children(lns):
    """Children, but for the one that serves our own connection to the CLI."""
    pid = lns.process.pid
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        found = f.read().split()
    return found[1:] if lns._cli else found


def pings(session, network, n):
    for _ in range(n):
        session.ping(network.CORE)


@pytest.mark.san
def test_form(plant):
    """Name, header and lines as 2.4.1 writes them; qos 2 of a throttled user; names that would break a line."""
    names = {"joe": "pw", "slow": "pw", "two words": "pw", "#hash": "pw", "zürich": "pw", "back\\slash": "pw"}
    lns = start(plant, users=None)
    with open(os.path.join(lns.folder, "secrets"), "w") as f:
        f.writelines('"%s" * "%s" *\n' % (u.replace("\\", "\\\\"), p) for u, p in names.items())
    lns.set("set local_users %s/secrets" % lns.folder)
    sessions = {name: pylac.subscriber(plant.network, name, "pw") for name in names}
    lns.run("throttle slow 1000")
    for session in sessions.values():
        pings(session, plant.network, 2)
    lns.step(PERIOD, wall=1000)
    wait_for(lambda: files(lns), "the file")
    now = time.time() + 1000
    head, lines = read(lns, files(lns)[0])
    written = time.mktime(time.strptime(files(lns)[0], "%Y%m%d%H%M%S"))
    assert abs(written - now) < 30
    assert head[1:3] == ["# host: lns1", "# endpoint: " + plant.network.LNS]
    assert head[3] == "# time: %d" % written
    assert re.fullmatch(r"# uptime: 3\d\d", head[4])
    assert head[5:] == ["# format: username ip qos uptxoctets downrxoctets"]
    told = {"two words": "two\\x20words", "#hash": "\\#hash", "back\\slash": "back\\\\slash"}
    amount = [str(2 * PING)] * 2
    assert sorted(lines) == sorted([told.get(name, name), session.address, "2" if name == "slow" else "1"] + amount
                                   for name, session in sessions.items())
    assert os.stat(os.path.join(lns.usage, files(lns)[0])).st_mode & 0o777 == 0o644
    lns.stop()


def test_origin(plant):
    lns = start(plant, {"account_all_origin": True})
    joe = pylac.subscriber(plant.network)
    joe.ping(plant.network.CORE)
    assert period(lns) == [["joe", joe.address, "1", str(PING), str(PING), "L"]]
    assert read(lns, files(lns)[0])[0][-1].endswith("downrxoctets origin(L=LAC, R=Remote LNS, P=PPPOE)")
    lns.set("set account_all_origin no")
    joe.ping(plant.network.CORE)
    assert period(lns) == [["joe", joe.address, "1", str(PING), str(PING)]]
    lns.stop()


@pytest.mark.san
def test_adds_up(plant):
    """What was moved since the last file, of those that stay, come, go, and come and go within a period; once each."""
    network = plant.network
    lns = start(plant)
    lac = Lac(network)
    joe = lac.tunnel().session()
    joe.up("joe")
    pings(joe, network, 3)
    assert period(lns) == [["joe", joe.address, "1", str(3 * PING), str(3 * PING)]]
    assert period(lns, written=False) is None  # nothing moved: no file, as ever
    pings(joe, network, 1)
    ann = joe.tunnel.session()
    ann.up("ann")
    pings(ann, network, 2)
    ann.hangup()
    lns.wait_gone("ann")
    again = joe.tunnel.session()
    again.up("ann")
    pings(again, network, 4)
    told = period(lns)
    assert sorted(int(line[3]) // PING for line in told if line[0] == "ann") == [2, 4]
    assert [line[1:] for line in told if line[0] == "joe"] == [[joe.address, "1", str(PING), str(PING)]]
    assert len(told) == 3
    pings(again, network, 1)
    again.hangup()
    lns.wait_gone("ann")
    assert period(lns) == [["ann", again.address, "1", str(PING), str(PING)]]
    pings(joe, network, 5)
    lns.stop()
    assert read(lns, files(lns)[-1])[1] == [["joe", joe.address, "1", str(5 * PING), str(5 * PING)]]
    assert not [name for name in os.listdir(lns.usage) if name.startswith(".")]


def test_quit_tells_all(plant):
    """SIGQUIT ends the sessions; the last file has them."""
    lns = start(plant)
    joe = pylac.subscriber(plant.network)
    pings(joe, plant.network, 2)
    lns.process.send_signal(signal.SIGQUIT)

    def ended():
        joe.lac.drain()
        joe.tunnel.zlb()
        return not lns.process.alive()
    wait_for(ended, "its end", 30)
    lns.stop()
    assert [line[0::3] for name in files(lns) for line in read(lns, name)[1]] == [["joe", str(2 * PING)]]


def failures(lns):
    return len(re.findall("error .*accounting_dir %s: .*; the next file will tell all" % re.escape(lns.usage), lns.log))


def test_folder_missing(plant):
    """One line a period and a counter; when the folder is there again its file tells the sum."""
    lns = start(plant)
    joe = pylac.subscriber(plant.network)
    pings(joe, plant.network, 1)
    os.rmdir(lns.usage)
    for n in 1, 2:
        lns.step(PERIOD)
        wait_for(lambda: lns.counters()["usage_failed"] == n, "the failure")
        assert failures(lns) == n
        pings(joe, plant.network, 1)
    assert "No such file or directory" in lns.log
    joe.hangup()
    lns.wait_gone("joe")
    os.mkdir(lns.usage)
    assert period(lns) == [["joe", joe.address, "1", str(3 * PING), str(3 * PING)]]
    assert period(lns, written=False) is None
    lns.stop()


def test_disk_full(plant):
    """No space: no file, nothing half-written, nothing lost."""
    lns = start(plant, start=False)
    process = lns.ns.start("unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=8k none "$1" && shift && exec "$@"',
                           "sh", lns.usage, binary(), "-c", lns.config, env=lns._clock())
    lns.process = process
    wait_for(lambda: os.path.exists(lns.socket), "the CLI's socket")
    lns.usage = "/proc/%d/root%s" % (process.pid, lns.usage)
    joe = pylac.subscriber(plant.network)
    pings(joe, plant.network, 1)
    filler = os.path.join(lns.usage, ".filler")
    with open(filler, "wb") as f:
        f.write(bytes(8192))
    lns.step(PERIOD)
    wait_for(lambda: lns.counters()["usage_failed"] == 1, "the failure")
    assert re.search("error .*accounting_dir .*: No space left on device", lns.log)
    assert os.listdir(lns.usage) == [".filler"]
    pings(joe, plant.network, 1)
    os.unlink(filler)
    assert period(lns) == [["joe", joe.address, "1", str(2 * PING), str(2 * PING)]]
    lns.stop()


def test_name_is_taken(plant):
    """A file is never written over: the next free second gives the name."""
    lns = start(plant)
    joe = pylac.subscriber(plant.network)
    pings(joe, plant.network, 1)
    taken = [time.strftime("%Y%m%d%H%M%S", time.localtime(time.time() + PERIOD + second)) for second in range(-5, 60)]
    for name in taken:
        with open(os.path.join(lns.usage, name), "w") as f:
            f.write("# of somebody else\n")
    assert period(lns) == [["joe", joe.address, "1", str(PING), str(PING)]]
    assert all(read(lns, name) == (["# of somebody else"], []) for name in taken)
    lns.stop()


def test_at_run_time(plant):
    """Set at run time it serves from the next period on; with "" no file is written."""
    lns = start(plant, {"accounting_dir": ""})
    joe = pylac.subscriber(plant.network)
    pings(joe, plant.network, 1)
    assert period(lns, written=False) is None
    assert not "".join(lns.set("set accounting_dir " + lns.usage)).strip()
    pings(joe, plant.network, 1)
    assert period(lns) == [["joe", joe.address, "1", str(2 * PING), str(2 * PING)]]
    lns.set('set accounting_dir ""')
    pings(joe, plant.network, 1)
    assert period(lns, written=False) is None
    lns.stop()


def test_as_another_user(plant):
    """With setuid the folder is given to that user, and the files are his."""
    folder = tempfile.mkdtemp(prefix="l2tpns-test-")  # pytest's own is not for others
    try:
        os.chmod(folder, 0o755)
        os.mkdir(folder + "/acct")
        lns = start(plant, {"setuid": 23456, "accounting_dir": folder + "/acct"}, folder=folder)
        lns.usage = folder + "/acct"
        joe = pylac.subscriber(plant.network)
        pings(joe, plant.network, 1)
        assert period(lns) == [["joe", joe.address, "1", str(PING), str(PING)]]
        assert os.stat(os.path.join(lns.usage, files(lns)[0])).st_uid == 23456
        lns.stop()
    finally:
        shutil.rmtree(folder)


@pytest.mark.san
def test_garden(plant, tmp_path):
    """What is moved in the garden is not told, as 2.4.1 does not: before, in between or behind a file."""
    compile_plugin(tmp_path, "billing", BILLING)
    lns = start(plant, {"plugin_dir": str(tmp_path)}, users={"poor": "secret", "joe": "secret"},
                extra=['load plugin "billing"'])
    poor, joe = (pylac.subscriber(plant.network, user, "secret") for user in ("poor", "joe"))
    pings(poor, plant.network, 2)
    pings(joe, plant.network, 1)
    assert period(lns) == [["joe", joe.address, "1", str(PING), str(PING)]]
    pings(poor, plant.network, 3)
    lns.ns.run(NSCTL, "release")
    pings(poor, plant.network, 1)
    assert period(lns) == [["poor", poor.address, "1", str(PING), str(PING)]]
    poor.hangup()
    assert period(lns, written=False) is None
