"""The configuration at run time: lines in their modes, `write memory`, `reload` and SIGHUP with what they report, what
each setting does when it is set on the command line, and what is not served yet."""

import glob
import json
import os
import re
import signal
import stat
import subprocess

import pytest

import pylac
from lns import ROOT, binary
from netns import wait_for
from pylac import Lac

USERS = {"joe": "secret", "ann": "secret"}
LISTS = """lac "10.44.0.0/16" secret "car'rier" max-sessions 7
radius server 10.0.0.1 auth-port 1 acct-port 2 secret "srv" weight 3
setforward "/isp@example.net" 10.0.0.9 1701 "fwd"
# Plugins
load plugin "sessionctl"
# BGP
router bgp 64512
 neighbour 127.0.0.2 remote-as 64513
 neighbour 127.0.0.2 timers 30 90
 neighbour 127.0.0.2 password "bgppass"
# Filters
ip access-list standard std1
 permit 10.0.0.0 0.255.255.255
 deny any
ip access-list extended ext1
 permit tcp any any eq 80 established
 deny udp any range 1 100 any
 permit ip any any fragments
# end"""
MODES = {"ip access-list standard": "config-std-nacl", "ip access-list extended": "config-ext-nacl",
         "router": "config-router"}
SECRETS = "car'rier", "srv", "fwd", "bgppass"


def say(daemon, command):
    return [line for line in daemon.run(command) if line]


def typed(cli, line, prompt):
    """A line in configuration mode that is taken, and the prompt behind it."""
    output = [one for one in cli.run(line) if one and one != "kept, but nothing in this version serves it"]
    assert output == [] and cli.last_prompt == "lns1(%s)# " % prompt, (line, output, cli.last_prompt)


def type_lists(daemon):
    """LISTS on the command line, as an operator types them."""
    cli = daemon.open_cli()
    cli.run("configure terminal")
    for line in LISTS.split("\n"):
        if line.startswith("#"):
            continue
        if not line.startswith(" "):
            prompt = next((mode for words, mode in MODES.items() if line.startswith(words)), "config")
        typed(cli, line, prompt)
    cli.run("exit")
    cli.close()


def lists_shown(daemon, enable=True):
    cli = daemon.open_cli(enable)
    lines = cli.run("show running-config" if enable else "write terminal")
    cli.close()
    return "\n".join(lines[next(i for i, one in enumerate(lines) if "local_users" in one) + 1:]).strip()


@pytest.fixture
def daemon(plant):
    daemon = plant.lns(local_users=USERS)
    yield daemon
    daemon.stop()


# ---------------------------------------------------------------------------- lines

@pytest.mark.san
def test_lists_on_the_command_line(daemon):
    """All families in their modes, shown as they were typed; secrets in privileged mode only."""
    type_lists(daemon)
    assert lists_shown(daemon) == LISTS
    masked = lists_shown(daemon, enable=False)
    assert not [secret for secret in SECRETS if secret in masked] and masked.count("****") == 4
    lines = json.loads("\n".join(daemon.run("show running-config json")))["lines"]
    assert lines["access-list"] == [one for one in LISTS.split("# Filters\n")[1].split("\n") if one != "# end"]
    for secret in SECRETS:
        assert secret not in daemon.log


def test_modes(daemon):
    """`exit` leaves a sub-mode, a line of the mode above does too; what is wrong is told and changes nothing."""
    cli = daemon.open_cli()
    cli.run("configure terminal")
    typed(cli, "ip access-list standard a", "config-std-nacl")
    typed(cli, "permit any", "config-std-nacl")
    assert "permit: source 'nowhere' is not any, host A or A WILDCARD" in cli.run("permit nowhere")
    assert "access-list a has no such rule" in cli.run("no deny any")
    typed(cli, "no permit any", "config-std-nacl")
    typed(cli, "router bgp 64512", "config-router")
    assert "neighbour b: its remote-as comes first" in cli.run("neighbour b timers 3 9")
    typed(cli, "neighbor b remote-as 1.10", "config-router")
    typed(cli, "exit", "config")
    assert "router bgp: AS 64512 is there; no router bgp 64512 first" in cli.run("router bgp 2")
    typed(cli, "no router bgp 64512", "config")
    assert "access-list a is standard" in cli.run("ip access-list extended a")
    typed(cli, "ip access-list standard a", "config-std-nacl")
    daemon.set("no ip access-list standard a")
    assert "there is no access-list a any more" in cli.run("permit any")
    typed(cli, "exit", "config")
    typed(cli, "ip access-list extended b", "config-ext-nacl")
    cli.send("permit ?")
    assert "match-any|match-all" in cli.read_until(rb"fragments +later fragments only")
    cli.close()
    daemon.set("no ip access-list extended b")
    assert lists_shown(daemon) == "# end"


# ---------------------------------------------------------------------------- write memory

def restart(daemon):
    daemon.stop()
    daemon.start()


@pytest.mark.san
def test_write_memory(plant):
    """What it writes is what a new process starts with; the file's mode stays, its comments in FILE.bak."""
    daemon = plant.lns({"l2tp_secret": "it's \"so\""}, local_users=USERS, extra=["! of the operator"])
    os.chmod(daemon.config, 0o640)
    old = daemon.read("startup-config")
    type_lists(daemon)
    daemon.set("set l2tp_mtu 1400")
    daemon.set("set cli_port 2323")
    before = say(daemon, "show running-config")
    assert say(daemon, "write memory") == ["Configuration written to %s; what it was, with its comments, is %s.bak" % (
        daemon.config, daemon.config)]
    daemon.wait_log("CLI uid 0: Configuration written")
    assert stat.S_IMODE(os.stat(daemon.config).st_mode) == 0o640
    assert daemon.read("startup-config.bak") == old
    assert say(daemon, "write memory") == ["Configuration written to " + daemon.config]
    assert daemon.read("startup-config.bak") == old, "a file without comments takes its place"
    assert [name for name in os.listdir(daemon.folder) if name.startswith("startup-config")] in (
        ["startup-config", "startup-config.bak"], ["startup-config.bak", "startup-config"])
    restart(daemon)
    assert say(daemon, "show running-config") == before
    daemon.stop()


def test_write_memory_new_file(daemon):
    """A file that was not there is for its owner alone."""
    os.unlink(daemon.config)
    assert say(daemon, "write memory") == ["Configuration written to " + daemon.config]
    assert stat.S_IMODE(os.stat(daemon.config).st_mode) == 0o600


def test_write_memory_link(daemon):
    """A symbolic link stays one."""
    real = daemon.config + ".real"
    os.rename(daemon.config, real)
    os.symlink(real, daemon.config)
    assert say(daemon, "write memory") == ["Configuration written to " + real]
    assert os.path.islink(daemon.config) and "# end" in daemon.read("startup-config")


def test_write_memory_fails(daemon):
    """The path and the reason; nothing is left behind."""
    hidden = daemon.folder + ".away"
    cli = daemon.open_cli()
    os.rename(daemon.folder, hidden)
    try:
        assert [one for one in cli.run("write memory") if one] == [daemon.config + ": No such file or directory"]
        user = [one for one in cli.run("disable") + cli.run("write memory") if one]
        assert "written" not in "".join(user)
    finally:
        os.rename(hidden, daemon.folder)
    cli.close()


# ---------------------------------------------------------------------------- reload

@pytest.mark.san
@pytest.mark.parametrize("way", ["reload", "SIGHUP"])
def test_reload(plant, way):
    """A line for each thing that has become different, on the command line and in the log."""
    daemon = plant.lns({"l2tp_secret": "one"}, local_users=USERS, extra=LISTS.split("\n"))
    daemon.settings.update(l2tp_secret="two", l2tp_mtu=1400, cli_port=2323)
    changed = LISTS.replace("car'rier", "another").replace("timers 30", "timers 31").replace(
        " deny any\n", "").replace("standard std1", "standard std2")
    daemon.extra = changed.split("\n")
    daemon.write_config()
    wanted = ["set l2tp_secret **** (was another)", "set l2tp_mtu 1400 (was 1500)",
              "set cli_port 2323 (was 23); takes effect at restart", 'changed lac "10.44.0.0/16"',
              "changed neighbour 127.0.0.2", "removed ip access-list standard std1",
              "added ip access-list standard std2"]
    start = len(daemon.process.lines)
    if way == "reload":
        assert say(daemon, "reload") == wanted
        assert say(daemon, "reload") == ["No setting has changed"]
    else:
        daemon.process.send_signal(signal.SIGHUP)
    for line in wanted:
        daemon.wait_log(re.escape(line), start)
    assert "two" not in "\n".join(daemon.process.lines[start:])
    assert lists_shown(daemon) == changed
    daemon.stop()


def test_reload_with_errors(daemon):
    """Errors as FILE:LINE, and nothing of it comes into force."""
    daemon.settings["l2tp_mtu"] = 1400
    daemon.extra = ["set debug 9", "ip access-list extended a", " permit tcp any any eq http"]
    daemon.write_config()
    count = len(daemon.settings)
    assert say(daemon, "reload") == [
        "%s:%d: set debug: 9 is not in 0..5" % (daemon.config, count + 1),
        "%s:%d: permit: 'http' is not a port, 0..65535" % (daemon.config, count + 3),
        "2 errors: the old configuration stays in force"]
    assert "set l2tp_mtu 1500" in daemon.run("show running-config")
    cli = daemon.open_cli(enable=False)
    assert "errors" not in "".join(cli.run("reload"))
    cli.close()


def test_long_report(daemon):
    """More changes than an answer holds: the rest is in the log."""
    daemon.extra = ["lac carrier%d.%s secret s" % (n, "x" * 100) for n in range(64)] + [
        "ip access-list standard list%d" % n for n in range(128)] + [
        "setforward mask%d%s 10.0.0.1 1 s" % (n, "y" * 200) for n in range(64)]
    daemon.write_config()
    lines = say(daemon, "reload")
    assert lines[-1] == "(more in the log)" and len(lines) > 50
    daemon.wait_log("added ip access-list standard list127")
    assert say(daemon, "reload") == ["No setting has changed"]


# ---------------------------------------------------------------------------- what is not served

def test_warning_of_what_is_not_served(plant):
    """One line at start names it, also at debug 1."""
    daemon = plant.lns({"debug": 1, "pppoe_service_name": "s", "send_garp": "no"}, extra=["router bgp 1"],
                       local_users=USERS)
    daemon.wait_log("configured, but not served")
    found = re.findall("configured, but not served by this version: (.*)", daemon.log)
    assert len(found) == 1 and found[0].split(", ") == ["pppoe_service_name"]
    daemon.stop()


def rows():
    """The table in config_item.c: {name: its text}."""
    with open(os.path.join(ROOT, "config_item.c")) as f:
        text = f.read()
    found = re.findall(r"\n\t(?:UINT|BOOL|ENUM|IP4|IP6|STRING|LIST)\(\s*(\w+)(,.*?)\),(?=\n)", text, re.S)
    return dict(found)


def test_flags_agree_with_the_sources():
    """ITEM_LATER is set on what nothing reads, and on nothing else."""
    text = ""
    for path in glob.glob(os.path.join(ROOT, "*.c")):
        name = os.path.basename(path)
        if not name.startswith(("config_", "nsctl", "cli_peers")):
            with open(path) as f:
                text += f.read().split("/* ---- derived values ---- */")[-1] if name == "config.c" else f.read()
    for name, row in rows().items():
        used = bool(re.search(r'conf->%s\b|[>.]get_config\("%s"\)|"%s"' % (name, name, name), text))
        if name != "random_device":
            assert used != ("ITEM_LATER" in row), name


# ---------------------------------------------------------------------------- each setting

def see_debug(site):
    start = len(site.lns.process.lines)
    site.lns.set("set debug 5")
    site.tunnel().session()
    site.lns.wait_log("debug|packet", start)
    site.lns.set("set debug 3")


def see_hostname(site):
    cli = site.lns.open_cli()
    cli.run("configure terminal")
    cli.run("set hostname another")
    assert cli.last_prompt == "another(config)# "
    cli.run("set hostname lns1")
    cli.close()


def see_dns(site):
    site.lns.set("set primary_dns 10.0.0.98")
    site.lns.set("set secondary_dns 10.0.0.99")
    session = site.tunnel().session()
    session.ask_dns = [129, 131]
    session.up("joe")
    assert (session.dns[129], session.dns[131]) == ("10.0.0.98", "10.0.0.99")
    session.hangup()


def see_peer_address(site):
    site.lns.set("set peer_address 10.9.255.77")
    assert site.tunnel().session().up("joe").peer_address == "10.9.255.77"


def see_authtypes(site):
    site.lns.set("set radius_authtypes chap")
    session = site.tunnel().session()
    session.lcp_up()
    assert session.auth == pylac.CHAP
    site.lns.set("set radius_authtypes pap")


def see_secret(site):
    site.lns.set("set l2tp_secret new")
    site.lns.set("set require_tunnel_auth yes")
    site.tunnel(secret="new")
    site.lns.set("set require_tunnel_auth no")


def see_window(site):
    site.lns.set("set receive_window 77")
    assert site.tunnel().reply.number(10) == 77


def see_mtu(site):
    site.lns.set("set l2tp_mtu 1300")
    assert site.tunnel().session().up("ann").peer_mru == 1262


# Of each name how one sees that a new value serves at once: a function here or a test elsewhere; or why not.
RESTART, LATER = "restart", "later"
USE = "read at each use"
SEEN = {
    "debug": see_debug, "log_file": "test_start.py::test_log_file_at_run_time", "pid_file": RESTART,
    "random_device": "accepted and no more", "l2tp_secret": see_secret, "l2tp_mtu": see_mtu, "ppp_restart_time": USE,
    "ppp_max_configure": USE, "ppp_max_failure": USE, "ppp_keepalive": USE, "primary_dns": see_dns,
    "secondary_dns": see_dns, "primary_radius": "test_settings.py::test_radius_servers_at_run_time",
    "secondary_radius": "test_settings.py::test_radius_servers_at_run_time",
    "primary_radius_port": "test_settings.py::test_radius_servers_at_run_time",
    "secondary_radius_port": "test_settings.py::test_radius_servers_at_run_time",
    "radius_secret": "test_settings.py::test_radius_servers_at_run_time", "radius_authtypes": see_authtypes,
    "radius_accounting": "test_acct.py::test_switched_on_and_off", "radius_interim_min": USE,
    "radius_interim": "test_acct.py::test_interim_set_at_run_time", "radius_acct_retry_time": USE,
    "radius_dae_port": RESTART, "radius_dae_client": USE, "accounting_dir": USE, "account_all_origin": USE,
    "scheduler_fifo": RESTART, "lock_pages": RESTART, "setuid": RESTART,
    "radius_bind_min": "test_settings.py::test_radius_ports", "radius_bind_max": "test_settings.py::test_radius_ports",
    "allow_duplicate_users": USE, "kill_timedout_sessions": USE, "guest_account": USE, "bind_address": RESTART,
    "peer_address": see_peer_address, "throttle_speed": "test_throttle.py::test_commands",
    "throttle_buckets": RESTART, "dump_speed": "test_settings.py::test_dump_speed", "multi_read_count": USE,
    "icmp_rate": "test_settings.py::test_icmp_rate", "packet_limit": USE, "cli_bind_address": RESTART,
    "hostname": see_hostname, "echo_timeout": "test_config.py::test_shorter_echo_timeout", "idle_echo_timeout": USE,
    "iftun_address": RESTART, "tundevicename": RESTART, "auth_tunnel_change_addr_src": USE,
    "disable_sending_hello": USE, "disable_no_spoof": USE, "bind_multi_address": RESTART,
    "multi_hostname": "test_settings.py::test_multi_hostname", "no_throttle_local_IP": USE, "plugin_dir": USE,
    "state_dir": RESTART, "cli_socket": RESTART, "hello_interval": "test_config.py::test_shorter_hello_interval",
    "receive_window": see_window, "require_tunnel_auth": see_secret, "radius_nas_ip": USE,
    "radius_require_message_authenticator": USE, "filter_unknown": "test_filter.py::test_filter_unknown",
    "snoop_host": "autosnoop asks for it", "snoop_port": "autosnoop asks for it", "cli_local_login": USE,
    "cli_port": RESTART, "nsctl_secret": USE, "nsctl_bind_address": RESTART, "max_sessions": RESTART,
    "cluster_address": RESTART, "cluster_port": RESTART, "cluster_interface": RESTART, "cluster_mcast_ttl": USE,
    "cluster_hb_interval": USE, "cluster_hb_timeout": USE, "cluster_master_min_adv": USE, "cluster_secret": USE,
    "send_garp": "test_bgp.py::test_gratuitous_arp", "shutdown_drain": USE,
    "nexthop_address": "test_bgp.py::test_next_hop",
    "nexthop6_address": "test_bgp.py::test_next_hop", "max_tunnels": RESTART, "local_users": "test_reload.py::test_local_users_set_to_a_broken_file",
}


def is_read_at_use(name):
    """Some file reads the member, or config.c works something out from it at each call."""
    for path in glob.glob(os.path.join(ROOT, "*.c")):
        with open(path) as f:
            if re.search(r"conf->%s\b" % name, f.read()):
                return True
    return False


def test_names_are_known():
    """Each name has an entry, and says what the table says; the tests it names are there."""
    table = rows()
    assert len(table) > 90
    for name, row in table.items():
        if "ITEM_LATER" in row:
            assert SEEN.get(name, LATER) in (LATER, RESTART), name
            continue
        how = SEEN[name]
        assert (how == RESTART) == ("ITEM_RESTART" in row), name
        if how == USE:
            assert is_read_at_use(name), name
        elif isinstance(how, str) and "::" in how:
            path, test = how.split("::")
            with open(os.path.join(os.path.dirname(__file__), path)) as f:
                assert "def %s(" % test in f.read(), how


class At:
    def __init__(self, plant, lns):
        self.network, self.lns = plant.network, lns

    def tunnel(self, **kwargs):
        return Lac(self.network).tunnel(**kwargs)


def test_each_setting_serves_at_once(plant, daemon):
    """The functions of SEEN, and what each other name answers when it is set."""
    site = At(plant, daemon)
    for see in {how for how in SEEN.values() if callable(how)}:
        see(site)
    shown = dict(line.split(" ", 2)[1:] for line in say(daemon, "show running-config") if line.startswith("set "))
    for name, row in rows().items():
        value = shown.get(name, "0.0.0.0")
        answer = say_set(daemon, name, other_value(name, value))
        if "ITEM_RESTART" in row:
            assert answer == ["takes effect at restart"], name
        elif "ITEM_LATER" in row:
            assert answer == ["kept, but nothing in this version serves it"], name
        elif not name.startswith("radius_bind_"):
            assert answer == [], (name, answer)


def say_set(daemon, name, value):
    return [line for line in daemon.set("set %s %s" % (name, value)) if line]


def other_value(name, value):
    """A value that the same setting takes, other than this one."""
    for one, other in (("yes", "no"), ("no", "yes"), ("ignore", "reject"), ("reject", "ignore"), ("auto", "yes"),
                       ("::", "2001:db8::7"), ('"pap"', '"chap"'), ('"0"', '"0001"')):
        if value == one:
            return other
    if re.fullmatch(r"[\d.]+\.[\d.]+", value):
        return "239.192.13.99" if value.startswith("239.") else "10.0.0.123"
    if re.fullmatch(r"\d+", value):
        return str(int(value) - 1 if int(value) > 1 else int(value) + 1)
    if value.startswith('"/'):
        return value[:-1] + 'x"'
    if value == '""':
        return "/dev/null" if re.search("file|dir|users", name) else "10.0.0.5"
    return "other7"


def test_shorter_echo_timeout(plant):
    """Sessions that are up get echoes at the new interval within a minute."""
    daemon = plant.lns({"echo_timeout": 3600, "idle_echo_timeout": 86400}, local_users=USERS, clock=True)
    session = Lac(plant.network).tunnel().session().up("joe")
    daemon.set("set echo_timeout 5")
    daemon.step(61)
    wait_for(lambda: session.lac.drain() or session.echoes, "an echo")
    daemon.stop()


def test_shorter_hello_interval(plant):
    """A tunnel that is open gets a HELLO at the new interval at once."""
    daemon = plant.lns({"hello_interval": 3600}, local_users=USERS)
    tunnel = Lac(plant.network).tunnel()
    daemon.set("set hello_interval 1")
    tunnel.lac.wait(lambda: tunnel.hellos, "a HELLO")
    daemon.stop()


# ---------------------------------------------------------------------------- files of the old product

def test_all_in_one_file(tmp_path):
    """-t finds nothing wrong with all kinds of lines."""
    path = tmp_path / "startup-config"
    path.write_text(LISTS + "\n")
    done = subprocess.run([binary(), "-t", "-c", str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=20)
    assert (done.returncode, done.stdout) == (0, "")
