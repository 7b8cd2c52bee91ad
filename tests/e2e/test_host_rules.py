"""`egret host` as a command: what it loads, replaces, counts and takes away again, for whom, and what
it refuses. What the rules do is in test_host.py."""

import pytest

from support.host_mode import AGENT, PORT, STRANGER, host_config
from support.networks import needs_root, ran
from support.waiting import wait_until

pytestmark = needs_root

NO_POWER = ['set -- setpriv --bounding-set=-net_admin --inh-caps=-net_admin -- "$@"']
CGROUP2 = "mount -t cgroup2 none /sys/fs/cgroup"
NO_NFT = ["mount --bind /bin/false $(command -v nft)"]
# Both families' programs are one file behind links.
NO_IPTABLES = ["mount --bind /bin/false $(readlink -f $(command -v iptables-legacy-restore))"]
BACKENDS = pytest.mark.parametrize("flags", [(), ("--iptables",)], ids=["nft", "iptables"])


@BACKENDS
def test_applied_twice_is_applied_once_and_removed_leaves_no_trace(host, flags):
    empty = host.loaded()
    host.apply(*flags)
    once = host.loaded()
    assert len(once) > len(empty)
    assert "replaced" in host.apply(*flags).stderr
    assert host.loaded() == once
    assert "removed" in host.remove().stderr
    assert host.loaded() == empty
    assert "nothing to remove" in host.remove().stderr
    assert host.counts() == {}
    host.egret("show", "--user", AGENT, status=1)


@BACKENDS
def test_a_new_port_replaces_the_old_one_and_counters_go_on(host, flags):
    host.apply(*flags)
    assert host.send(host.net.V4, 443).startswith("refused")
    assert host.connect(host.net.V6, 443).startswith("refused")
    before = host.counts()[AGENT]
    assert before["port"] == PORT and before["refused"] >= 1 and before["redirected"] == 1
    host.home.write_config(host_config(4129, "[::1]"))
    host.apply(*flags)
    assert str(PORT) not in "".join(host.loaded())
    assert host.counts()[AGENT] == {**before, "port": 4129}
    shown = host.egret("show").stdout
    assert f"(uid {AGENT})  to port 4129  redirected 1  refused {before['refused']}" in shown


def test_one_kind_of_rules_replaces_the_other(host):
    empty = host.loaded()
    for flags, kind in [((), "nft"), (("--iptables",), "iptables-legacy"), ((), "nft")]:
        host.apply(*flags)
        assert host.counts()[AGENT]["rules"] == kind
    host.remove()
    assert host.loaded() == empty


@BACKENDS
def test_other_users_and_other_rules_stay_as_they_are(host, host_gate, flags):
    host.net.host.ran("nft", "add", "table", "inet", "mine")
    host.net.host.ran("iptables-legacy", "-A", "OUTPUT", "-p", "tcp", "--dport", "9", "-j", "DROP")
    mine, second = host.loaded(), STRANGER + 1
    host.apply(*flags)
    host.apply(*flags, user=second)
    assert set(host.counts()) == {AGENT, second}
    before = host.net.packets()
    for uid in (STRANGER, 0):
        assert host.send(host.net.V4, 9999, uid=uid) == "sent\n"
        assert host.send(host.net.V6, 9999, uid=uid) == "sent\n"
        assert "canary" in host.connect("127.0.0.1", host.world.port, uid=uid)
    wait_until(lambda: host.net.packets() >= before + 4, what="the others' packets")
    for uid in (AGENT, second):
        assert host.send(host.net.V4, 9999, uid=uid).startswith("refused")
        assert "403" in host.connect(host.net.V4, 80, uid=uid)
        host.remove(user=uid)
    assert host.loaded() == mine


@BACKENDS
def test_a_dry_run_prints_the_rules_and_needs_no_root(host, flags):
    empty = host.loaded()
    shown = host.apply(*flags, "--dry-run", "--loopback-port", "80", before=NO_POWER).stdout
    assert host.loaded() == empty
    assert str(AGENT) in shown and str(PORT) in shown
    assert ("iptables-legacy-restore" if flags else "nft -f -") in shown


# --- whose


def test_subordinate_uids_are_the_users_too(host, host_gate, directory):
    """Of rootless containers: a process with one of them may be on the machine's network."""
    (directory / "subuid").write_text(f"{STRANGER}:500000:10\n{AGENT}:700000:1000\nother:600000:5\n")
    host.apply(before=[f"mount --bind {directory}/subuid /etc/subuid"])
    for uid in (700000, 700999):
        assert "403" in host.connect(host.net.V4, 80, uid=uid)
        assert host.send(host.net.V4, 9999, uid=uid).startswith("refused")
    for uid in (500000, 600000, 701000):
        assert host.send(host.net.V4, 9999, uid=uid) == "sent\n"


def test_names_are_users_as_well(host):
    host.apply(user="nobody")
    assert [one["user"] for one in host.counts().values()] == ["nobody"]
    host.remove(user="65534")
    assert host.counts() == {}


@pytest.fixture
def cgroup(host):
    """A cgroup of the test's own, and how to run something in it: a name below the root of the
    unified hierarchy, wherever that is mounted."""
    name = f"egret-test-{host.net.host.pid}"
    within = lambda script: ran("unshare", "--mount", "sh", "-ec", f"{CGROUP2}\n{script}")
    within(f"mkdir -p /sys/fs/cgroup/{name}/agents")
    yield f"{name}/agents"
    within(f"rmdir /sys/fs/cgroup/{name}/agents /sys/fs/cgroup/{name}")


def in_cgroup(host, cgroup, command):
    """Runs it as AGENT, in the cgroup; what it printed."""
    script = f'{CGROUP2}; echo $$ > /sys/fs/cgroup/{cgroup}/cgroup.procs; exec "$@"'
    return ran("unshare", "--mount", "sh", "-ec", script, "sh", *command)


@BACKENDS
def test_a_cgroup_narrows_it_to_the_users_processes_there(host, host_gate, cgroup, flags):
    host.apply(*flags, "--cgroup", f"/sys/fs/cgroup/{cgroup}/", before=[CGROUP2])
    sending = lambda uid: host.entering(*host.sending(host.net.V4, 9999), uid=uid)
    assert in_cgroup(host, cgroup, sending(AGENT)).startswith("refused")
    assert in_cgroup(host, cgroup, sending(STRANGER)) == "sent\n"
    assert host.send(host.net.V4, 9999) == "sent\n"


def test_a_cgroup_that_is_not_there_is_an_error(host):
    said = host.apply("--cgroup", "no/such", before=[CGROUP2, *NO_IPTABLES], status=77).stderr
    assert "there is no cgroup /sys/fs/cgroup/no/such" in said
    # nft would take the folder's number for a cgroup's, and its rule would never match.
    old = ["mount -t tmpfs none /sys/fs/cgroup", "mkdir -p /sys/fs/cgroup/no/such", *NO_IPTABLES]
    said = host.apply("--cgroup", "no/such", before=old, status=77).stderr
    assert "unified hierarchy" in said
    assert host.counts() == {}


# --- what fails


def test_where_nft_is_refused_iptables_takes_over(host):
    said = host.apply(before=NO_NFT).stderr
    assert "nft cannot be used here" in said and "(iptables-legacy)" in said
    assert host.counts()[AGENT]["rules"] == "iptables-legacy"
    assert "removed" in host.remove(before=NO_NFT).stderr
    assert host.counts() == {}


def test_where_neither_works_nothing_is_set_up(host):
    empty = host.loaded()
    said = host.apply(before=[*NO_NFT, *NO_IPTABLES], status=77).stderr
    assert "nftables" in said and "iptables" in said and "try: modprobe" in said
    assert host.loaded() == empty


FAKE = """#!/bin/sh
input=$(cat)
case "$input" in *"*nat"*) echo "no nat here" >&2; exit 3;; esac
printf '%s\\n' "$input" | xtables-legacy-multi ip6tables-restore "$@"
"""


def test_what_fails_half_way_is_taken_back(host, directory):
    """The filter rules of both families stand when IPv6 nat is refused."""
    (directory / "fake").write_text(FAKE)
    (directory / "fake").chmod(0o755)
    no_nat = [
        f"mkdir {directory}/sbin",
        f"mount -t tmpfs none {directory}/sbin",
        f"cp -a /usr/sbin/xtables-legacy-multi /usr/sbin/ip*tables-legacy* {directory}/sbin",
        f"rm {directory}/sbin/ip6tables-legacy-restore",
        f"cp {directory}/fake {directory}/sbin/ip6tables-legacy-restore",
        f"mount --bind {directory}/sbin /usr/sbin",
    ]
    empty = host.loaded()
    said = host.apply("--iptables", before=no_nat, status=77).stderr
    assert "no nat here" in said and "ip6table_nat" in said
    assert host.loaded() == empty


@pytest.mark.parametrize(
    "user, words",
    [
        ("root", "root cannot be confined"),
        ("0", "root cannot be confined"),
        ("no-such-user", 'there is no user "no-such-user" here'),
        ("-1", "there is no user"),
        ("4294967295", "there is no user"),
        ("agent; add rule", "there is no user"),
    ],
)
def test_such_users_are_refused(host, user, words):
    assert words in host.apply(user=user, status=2).stderr


def test_the_gates_own_user_is_refused(host, directory):
    state = directory / "state-of-agent"
    state.mkdir(mode=0o700)
    host.home.write_config(host_config(state=str(state)))
    ran("chown", AGENT, state)
    assert "is the gate's own user" in host.apply(status=2).stderr


@pytest.mark.parametrize(
    "listen, words",
    [
        ([{"address": "127.0.0.1:3128", "sandbox": "web"}], "redirect: 127.0.0.1:3129"),
        ([{"redirect": "192.0.2.1:3129", "sandbox": "web"}], "redirected to loopback"),
        ([{"redirect": f"127.0.0.1:{port}", "sandbox": "web"} for port in (1, 2)], "--sandbox"),
    ],
)
def test_the_listener_has_to_be_clear(host, listen, words):
    host.home.write_config({**host_config(), "listen": listen})
    assert words in host.apply(status=2).stderr


@pytest.mark.parametrize("ports", ["0", "x", "2-1", "65536", "1-", str(PORT), "3000-4000"])
def test_such_loopback_ports_are_refused(host, ports):
    assert "--loopback-port" in host.apply("--loopback-port", ports, status=2).stderr


@pytest.mark.parametrize("path", ["/", "a//b", "../x", 'a" drop', "a\nb", "x" * 2000])
def test_such_cgroups_are_refused(host, path):
    assert "is no cgroup" in host.apply("--cgroup", path, status=2).stderr


@pytest.mark.parametrize("verb", ["apply", "remove", "show"])
def test_without_root_it_says_so(host, verb):
    user = [] if verb == "show" else ["--user", AGENT]
    said = host.egret(verb, *user, before=NO_POWER, status=77).stderr
    assert "needs root (CAP_NET_ADMIN)" in said
