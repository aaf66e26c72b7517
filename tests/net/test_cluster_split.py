"""What is left of a cluster that was in two parts: sessions, addresses, books and the word of who was master where."""

import pylac
import pytest
from netns import wait_for
from test_cluster import Network, Trio, held

USERS = ["user%d" % n for n in range(24)]


@pytest.fixture
def plant(tmp_path_factory):
    plants = []

    def make(settings=None, **kwargs):
        plant = Trio(tmp_path_factory, settings, **kwargs)
        plants.append(plant)
        for m in plant.members:
            m.lns.write("local_users", "".join("%s * pw\n" % user for user in USERS))
        return plant
    yield make
    for plant in plants:
        plant.close()


def start(trio):
    for m in trio.members:
        m.start()
    return trio.wait()


def masters(trio):
    return [m for m in trio.alive() if m.show()["status"] == "master"]


def on_all(trio, user):
    """All members hold this session, as one."""
    wait_for(lambda: len({held(m, user) for m in trio.alive()}) == 1 and held(trio.alive()[0], user), user + " on all")


def test_masters_that_began_with_different_tables(plant):
    """The old master dies and the others have lost each other; one of them had not heard its last changes. It loses,
    and what it did itself is numbered as those changes were."""
    trio = plant({"cluster_hb_timeout": 50})
    old = start(trio)
    behind, ahead = trio.slaves()
    trio.through(old)
    lac = pylac.Lac(Network(trio))
    tunnel = lac.tunnel()
    tunnel.session().up(USERS[0], "pw")
    on_all(trio, USERS[0])
    behind.part()
    for user in USERS[1:21]:
        tunnel.session().up(user, "pw")
    assert held(ahead, USERS[20]) and not held(behind, USERS[1])
    old.kill()
    wait_for(lambda: len(masters(trio)) == 2, "two masters", 30)
    trio.through(behind)
    other = pylac.Lac(Network(trio))
    late = other.tunnel().session().up(USERS[21], "pw")
    assert behind.show()["table_version"] < ahead.show()["table_version"]
    behind.rejoin()
    assert trio.wait(30) is ahead
    on_all(trio, USERS[21])
    for m in trio.alive():
        trio.through(m)
        late.ping("10.99.0.1")
    lac.close()
    other.close()
