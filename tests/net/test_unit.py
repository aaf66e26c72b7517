"""The systemd unit and what `make install` puts in place. No systemd runs here: the unit's words are applied by hand."""

import os
import re
import stat
import subprocess

import pytest

import pylac
from lns import ROOT, Lns, binary
from netns import wait_for
from test_privilege import UID, folder, log, status  # noqa: F401

UNIT = os.path.join(ROOT, "etc", "l2tpns.service")


def unit(key):
    """All words of a setting."""
    with open(UNIT) as f:
        return " ".join(re.findall("^%s=(.*)$" % key, f.read(), re.M)).split()


def test_verify(tmp_path):
    """systemd finds nothing wrong in it."""
    with open(UNIT) as f:
        text = f.read()
    path = tmp_path / "l2tpns.service"
    path.write_text(text.replace("/usr/sbin/l2tpns", binary()))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(path)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    mine = [line for line in done.stdout.splitlines() if "l2tpns" in line]
    assert mine == [] and done.returncode == 0, done.stdout


def test_settings():
    assert unit("Type") == ["notify"] and unit("TimeoutStopSec") == ["310"]
    assert {"AF_NETLINK", "AF_PACKET", "AF_UNIX", "AF_INET", "AF_INET6"} == set(unit("RestrictAddressFamilies"))
    assert unit("DeviceAllow") == ["/dev/net/tun", "rw"]


@pytest.mark.parametrize("uid", [0, UID])
def test_bounding_set(plant, folder, uid):  # noqa: F811
    """With exactly the unit's capabilities all of it works, also a second time on what the first left."""
    caps = ",".join(["-all"] + ["+" + name[4:].lower() for name in unit("CapabilityBoundingSet")])
    os.mkdir(folder + "/acct")
    lns = Lns(plant.network, folder, {"setuid": uid, "accounting_dir": folder + "/acct", "lock_pages": True,
                                      "scheduler_fifo": True, "log_file": folder + "/logfile"},
              local_users={"joe": "secret"}, extra=['load plugin "garden"'], start=False)
    for _ in range(2):
        process = plant.network.lns.start(
            "setpriv", "--bounding-set", caps, "--inh-caps", "-all", "--ambient-caps", "-all", "--no-new-privs",
            binary(), "-c", lns.config)
        wait_for(lambda: os.path.exists(folder + "/pid") and open(folder + "/pid").read(), "the pid file")
        now = status(process.pid)
        assert now["Uid"].split() == [str(uid)] * 4
        assert int(now["VmLck"].split()[0]) > 0
        assert os.sched_getscheduler(process.pid) & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO
        wait_for(lambda: "-j garden_users" in plant.network.lns.run("iptables", "-w", "-t", "nat", "-S"), "the garden")
        joe = pylac.subscriber(plant.network)
        joe.ping(plant.network.CORE)
        assert lns.session("joe")["IP"] == joe.address
        lns.cli.close()
        lns._cli = None
        assert process.stop() == 0, process.output
        assert len(os.listdir(folder + "/acct")) == 1
        os.unlink(os.path.join(folder, "acct", os.listdir(folder + "/acct")[0]))
        if os.path.exists(folder + "/pid"):
            assert lns.read("pid") == ""
        said = lns.read("logfile")
        assert not [line for line in said.splitlines() if " error " in line and "folder of" not in line
                    and "garden has no walls" not in line and "not served by this version" not in line], said
    assert "garden" not in plant.network.lns.run("iptables", "-w", "-t", "nat", "-S")


INSTALLED = {
    "usr/sbin/l2tpns": 0o755, "usr/sbin/nsctl": 0o755, "usr/lib/l2tpns/garden.so": 0o644,
    "usr/include/l2tpns/plugin.h": 0o644, "usr/share/man/man8/nsctl.8": 0o644, "etc/l2tpns": 0o755,
    "etc/l2tpns/startup-config": 0o600, "etc/l2tpns/users": 0o600, "etc/l2tpns/ip_pool": 0o644,
    "etc/l2tpns/build-garden": 0o644, "etc/logrotate.d/l2tpns": 0o644, "usr/lib/systemd/system/l2tpns.service": 0o644,
    "var/lib/l2tpns": 0o700}


def install(folder, *more):  # noqa: F811
    done = subprocess.run(["make", "-C", ROOT, "install", "DESTDIR=%s" % folder, *more], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=300)
    assert done.returncode == 0, done.stdout


def test_make_install(tmp_path):
    """The programs, plugins, pages, samples, unit, with their modes; an operator's file is never written over."""
    install(tmp_path)
    for name, mode in INSTALLED.items():
        assert stat.S_IMODE(os.stat(str(tmp_path / name)).st_mode) == mode, name
    said = subprocess.run([str(tmp_path / "usr/sbin/l2tpns"), "-V"], stdout=subprocess.PIPE, text=True, check=True)
    assert said.stdout.startswith("L2TPNS ")
    mine = tmp_path / "etc/l2tpns"
    for name in "startup-config", "users", "ip_pool", "build-garden":
        (mine / name).write_text("# mine\n")
    install(tmp_path, "PREFIX=/usr/local")
    assert {(mine / name).read_text() for name in os.listdir(mine)} == {"# mine\n"}
    text = (tmp_path / "usr/local/lib/systemd/system/l2tpns.service").read_text()
    assert "ExecStart=/usr/local/sbin/l2tpns " in text
    assert (tmp_path / "usr/local/sbin/l2tpns").exists()


def test_build_dependencies():
    """What the Makefile wants of libraries the package builds with."""
    def libraries(name):
        with open(os.path.join(ROOT, name)) as f:
            return set(re.findall(r"\b(lib[a-z]+-dev|nettle-dev)\b", f.read()))
    assert libraries("Makefile") == libraries("debian/control")


def test_samples(tmp_path, plant):
    """The samples have no error, also with every setting in them; with them as they are it starts, and serves nobody."""
    users = tmp_path / "chap-secrets"
    users.write_text("")
    for name in "startup-config", "users", "ip_pool", "build-garden":
        with open(os.path.join(ROOT, "etc", name)) as f:
            text = f.read()
        if name == "startup-config":
            text = re.sub(r"(?m)^#(set|lac|load) ", r"\1 ", text).replace(
                '"/etc/l2tpns/chap-secrets"', '"%s"' % users)
        (tmp_path / name).write_text(text)
    done = subprocess.run([binary(), "-t", "-c", str(tmp_path / "startup-config")], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    process = plant.network.lns.start(binary(), "-c", os.path.join(ROOT, "etc", "startup-config"))
    try:
        process.wait_line("serves on 127.0.0.1 port 1701")
    finally:
        assert process.stop() == 0


def test_logrotate(tmp_path):
    """logrotate(8) takes the file."""
    state = tmp_path / "state"
    done = subprocess.run(["/usr/sbin/logrotate", "-d", "-s", str(state), os.path.join(ROOT, "etc/l2tpns.logrotate")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0 and "error" not in done.stdout, done.stdout
