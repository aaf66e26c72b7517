"""The Debian package: built, lintian, installed in a bare Debian over l2tpns 2.4.1, upgraded, purged. Needs the network."""

import os
import shutil
import subprocess

import pytest

import pylac
from lns import ROOT
from netns import wait_for

MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
pytestmark = [pytest.mark.long, pytest.mark.package]


def run(*argv, check=True, timeout=900, **kwargs):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          timeout=timeout, stdin=subprocess.DEVNULL, **kwargs)
    assert not check or done.returncode == 0, "%s: exit %d\n%s" % (" ".join(argv), done.returncode, done.stdout[-6000:])
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with the package, built from what git knows; the sources here stay as they are."""
    folder = tmp_path_factory.mktemp("package")
    source = folder / "l2tpns-3"
    source.mkdir()
    names = run("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, names):
        if os.path.exists(os.path.join(ROOT, name)):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(os.path.join(ROOT, name), source / name, follow_symlinks=False)
    before = run("git", "-C", ROOT, "status", "--porcelain")
    run("dpkg-buildpackage", "-b", "-us", "-uc", cwd=source)
    assert run("git", "-C", ROOT, "status", "--porcelain") == before
    return folder


def package(folder, pattern="l2tpns_*.deb"):
    found = list(folder.glob(pattern))
    assert len(found) == 1, found
    return found[0]


def test_lintian(built):
    done = run("lintian", "--pedantic", "--allow-root", "--fail-on", "error,warning,info,pedantic",
               str(package(built, "*.changes")))
    assert [line for line in done.splitlines() if line and not line.startswith("N:")] == []


class Debian:
    """A bare Debian in a folder. Nothing is mounted outside of a command in it, and no service is started by dpkg."""

    ENTER = ('mount -t proc proc "$0/proc" && touch "$0/dev/null" && mount --rbind /dev "$0/dev" && '
             'exec chroot "$0" "$@"')

    def __init__(self, folder):
        self.root = str(folder)
        run("debootstrap", "--variant=minbase", "--include=iproute2,iptables", "bookworm", self.root, MIRROR)
        self.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
        if not os.path.exists("/etc/resolv.conf"):
            return
        shutil.copy("/etc/resolv.conf", self.path("/etc/resolv.conf"))

    def path(self, name):
        return self.root + name

    def read(self, name):
        with open(self.path(name)) as f:
            return f.read()

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w") as f:
            f.write(text)
        os.chmod(self.path(name), mode)

    def exists(self, name):
        return os.path.lexists(self.path(name))

    def argv(self, *argv):
        return ("unshare", "-m", "sh", "-c", self.ENTER, self.root, *argv)

    def run(self, *argv, **kwargs):
        env = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C",
                   PATH="/usr/sbin:/usr/bin:/sbin:/bin")
        return run(*self.argv(*argv), env=env, **kwargs)

    def apt(self, *argv):
        return self.run("apt-get", "-q", "-y", "--no-install-recommends", *argv)

    def files(self):
        """All files of l2tpns that are there."""
        found = []
        for top in "etc", "usr", "var", "lib/systemd":
            for folder, folders, names in os.walk(os.path.join(self.root, top)):
                found += [os.path.join(folder, name)[len(self.root):] for name in folders + names if "l2tpns" in name]
        return sorted(name for name in found if not name.startswith(("/var/cache", "/var/lib/apt", "/var/log/apt")))


@pytest.fixture(scope="module")
def debian(tmp_path_factory):
    return Debian(tmp_path_factory.mktemp("debian"))


CONFIG = """# mine
set debug 3
set log_file "/var/log/l2tpns"
set pid_file "/var/run/l2tpns.pid"
set l2tp_secret "mysecret"
set bind_address %s
set primary_radius 10.2.0.2
set radius_secret "radsecret"
set accounting_dir "/var/run/l2tpns/acct"
#set primary_radius_port 1645
load plugin "sessionctl"
ip access-list extended web
permit tcp any any eq 80
"""


def install(debian, built):
    deb = package(built)
    shutil.copy(deb, debian.path("/tmp/"))
    return debian.apt("install", "/tmp/" + deb.name)


def serve(debian, plant):
    """The installed daemon carries a call, and ends."""
    process = plant.network.lns.start(*debian.argv("/usr/sbin/l2tpns"))
    try:
        wait_for(lambda: debian.exists("/run/l2tpns.pid") and debian.read("/run/l2tpns.pid"), "the pid file")
        tunnel = pylac.Lac(plant.network).tunnel()
        assert tunnel.reply.get(pylac.HOST_NAME)
        code = process.stop()
        assert code == 0, process.output
    finally:
        process.kill()
    assert not debian.exists("/run/l2tpns.pid")


def test_over_the_old_one(built, debian, plant):
    """Files kept to the last octet but for the port, nothing asked; it serves from there; purge leaves nothing."""
    debian.apt("install", "l2tpns")
    assert "2.4.1" in debian.run("dpkg-query", "-W", "l2tpns")
    config = CONFIG % plant.network.LNS
    debian.write("/etc/l2tpns/startup-config", config, 0o640)
    debian.write("/etc/l2tpns/ip_pool", "10.9.0.0/24\n")
    debian.write("/etc/l2tpns/users", "admin:pw\n", 0o600)
    debian.write("/etc/l2tpns/build-garden", "true\n")
    debian.write("/etc/default/l2tpns", 'L2TPNS_OPTS="-v"\n')
    assert debian.exists("/etc/init.d/l2tpns")

    said = install(debian, built)
    assert "added `set primary_radius_port 1812'" in said
    now = debian.read("/etc/l2tpns/startup-config")
    assert now.endswith(config) and "set primary_radius_port 1812\n" in now[:-len(config)]
    assert os.stat(debian.path("/etc/l2tpns/startup-config")).st_mode & 0o777 == 0o640
    assert debian.read("/etc/l2tpns/users") == "admin:pw\n"
    assert debian.read("/etc/l2tpns/ip_pool") == "10.9.0.0/24\n"
    assert debian.read("/etc/l2tpns/build-garden") == "true\n"
    assert debian.read("/etc/default/l2tpns") == 'L2TPNS_OPTS="-v"\n'
    assert not debian.exists("/etc/init.d/l2tpns") and not [name for name in debian.files() if "rc3.d" in name]
    assert debian.exists("/etc/systemd/system/multi-user.target.wants/l2tpns.service")
    assert sorted(os.listdir(debian.path("/etc/l2tpns"))) == ["build-garden", "ip_pool", "startup-config", "users"]
    assert debian.run("l2tpns", "-t") == ""
    assert debian.run("l2tpns", "-V") == "L2TPNS 3.0.0\n"
    serve(debian, plant)

    assert "added" not in debian.run("dpkg", "-i", "/tmp/" + package(built).name)  # the same once more
    assert debian.read("/etc/l2tpns/startup-config") == now
    debian.run("dpkg", "--remove", "l2tpns")
    assert debian.read("/etc/l2tpns/startup-config") == now
    debian.run("dpkg", "--purge", "l2tpns")
    assert debian.files() == []
    assert debian.run("dpkg-query", "-W", "l2tpns", check=False).startswith("dpkg-query: no packages found")


def test_afresh(built, debian):
    """Where there was none before: samples, not readable for others where secrets go."""
    said = install(debian, built)
    assert "added" not in said
    modes = {name: os.stat(debian.path("/etc/l2tpns/" + name)).st_mode & 0o777
             for name in os.listdir(debian.path("/etc/l2tpns"))}
    assert modes == {"startup-config": 0o600, "users": 0o600, "ip_pool": 0o644, "build-garden": 0o644}
    assert os.stat(debian.path("/var/lib/l2tpns")).st_mode & 0o777 == 0o700
    assert debian.run("l2tpns", "-t") == ""
    debian.run("dpkg", "--purge", "l2tpns")
    assert debian.files() == []


def test_port_that_is_set(built, debian, plant):
    """A configuration of 2.4.1 that names the port stays as it is."""
    debian.apt("install", "l2tpns=2.4.1*")
    config = CONFIG % plant.network.LNS + "set primary_radius_port 1645\n"
    debian.write("/etc/l2tpns/startup-config", config)
    assert "added" not in install(debian, built)
    assert debian.read("/etc/l2tpns/startup-config") == config
    debian.run("dpkg", "--purge", "l2tpns")
