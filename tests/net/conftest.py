"""Fixtures of the net tests. They need root, two cores help:  pytest -n 2 -m "not long" tests/net"""

import os
import sys

import pytest
from xdist.scheduler.loadfile import LoadFileScheduling

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
pytest.register_assert_rewrite("pylac")

import netns  # noqa: E402
from freeradius import FreeRadius  # noqa: E402
from lns import Lns, binary  # noqa: E402
from members import Trio  # noqa: E402
from uml import Uml  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "san: part of the subset that runs under the sanitizers too")
    config.addinivalue_line("markers", "package: builds and installs the Debian package; `make check-package`")
    config.addinivalue_line("markers", "long: takes a minute or more; left out of `make check`")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A file goes to one worker, whatever --dist says: its tests share one plant."""
    return LoadFileScheduling(config, log)


LONGEST_FIRST = ["test_pppd.py", "test_cluster_faults.py", "test_throttle.py", "test_l2tp.py", "test_storm.py",
                 "test_badinput.py"]


def pytest_collection_modifyitems(items):
    """The files that take longest come first, so that no worker is left alone with one at the end."""
    def rank(item):
        name = item.path.name
        return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)
    items.sort(key=rank)


@pytest.fixture(scope="session", autouse=True)
def what_is_needed():
    assert os.geteuid() == 0, "the net tests need root (namespaces, tun, raw sockets)"
    assert os.access(binary(), os.X_OK), "there is no %s: run make" % binary()


@pytest.fixture(autouse=True)
def nobody_fell():
    """A process that crashed beside the test is a failure, whatever the test looked at."""
    yield
    fallen, netns.Process.fallen[:] = list(netns.Process.fallen), []
    assert not fallen, "\n".join(fallen)


class Module:
    """The plant that the tests of a module share: a network, and what was started in it."""

    def __init__(self, factory):
        self.factory = factory
        self.network = netns.Network()
        self.things = []

    def folder(self, name):
        return self.factory.mktemp(name)

    def keep(self, thing):
        self.things.append(thing)
        return thing

    def lns(self, settings=None, **kwargs):
        folder = kwargs.pop("folder", None) or self.folder("lns")
        return self.keep(Lns(self.network, folder, settings, **kwargs))

    def uml(self, **kwargs):
        return self.keep(Uml(self.network, self.folder("uml"), **kwargs))

    def freeradius(self, users, **kwargs):
        kwargs.setdefault("address", self.network.CORE)
        return self.keep(FreeRadius(self.network.core, self.folder("radius"), users, **kwargs))

    def close(self):
        try:
            for thing in reversed(self.things):
                thing.close()
        finally:
            self.network.close()


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    plant = Module(tmp_path_factory)
    try:
        yield plant
    finally:
        plant.close()


@pytest.fixture
def plant(tmp_path_factory):
    """The same for one test alone."""
    plant = Module(tmp_path_factory)
    try:
        yield plant
    finally:
        plant.close()


@pytest.fixture
def trio(tmp_path_factory):
    """Three members of a cluster, none of which runs yet."""
    plant = Trio(tmp_path_factory)
    try:
        yield plant
    finally:
        plant.close()
