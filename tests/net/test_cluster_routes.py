"""Who announces the cluster's addresses when members cannot: somebody does, whatever SPEC 13 would have the master do."""

import cluster
import pytest
from netns import wait_for


@pytest.fixture
def site(tmp_path_factory):
    site = cluster.Site(lambda name: tmp_path_factory.mktemp(name), hold=3)
    try:
        site.start_members()
        yield site
    finally:
        site.close()


def bgp_of(member, works):
    """His BGP comes through, or not."""
    for chain in "INPUT", "OUTPUT":
        for port in "--sport", "--dport":
            member.ns.run("iptables", "-D" if works else "-A", chain, "-p", "tcp", port, "179", "-j", "DROP")


def announced_by(site, members):
    want = {m.outer for m in members}, {m.inner for m in members}
    wait_for(lambda: site.routes() == want, "routes of %s; they are %s" % (want, site.routes()), 30)


def test_slaves_that_reach_no_router(site):
    """One of two: the other serves. Both: the master does, though they are up to date. And back."""
    master, (one, other) = site.master, site.slaves
    bgp_of(one, False)
    announced_by(site, [other])
    bgp_of(other, False)
    announced_by(site, [master])
    assert one.up_to_date() and other.up_to_date()
    bgp_of(one, True)
    announced_by(site, [one])
    bgp_of(other, True)
    announced_by(site, [one, other])
    site.check()


def test_slaves_whose_operator_suspends_bgp(site):
    master, slaves = site.master, site.slaves
    for slave in slaves:
        slave.lns.run("suspend bgp")
    announced_by(site, [master])
    for slave in slaves:
        slave.lns.run("no suspend bgp")
    announced_by(site, slaves)
    site.check()
