"""`egret attach`: namespaces that exist already, put behind a gate that runs already. What they
reach, what happens when gate, keeper or namespace go, and every way to be refused."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from support.attached import Netns, attached, condition, curl, entering, keepers
from support.networks import Namespace, needs_root, ran
from support.waiting import wait_until

pytestmark = needs_root

API = "https://api.demo.test/"
EVIL = "https://evil.example/"
CANNOT = 77
SOMEBODY = 12345  # a user without any power


@pytest.fixture
def make_netns():
    made = []

    def make():
        made.append(Netns())
        return made[-1]

    yield make
    for one in made:
        one.delete()


@pytest.fixture
def netns(make_netns):
    return make_netns()


@pytest.fixture
def config(demo):
    """No listener: only what is attached is served."""
    wanted = demo()
    del wanted["listen"]
    return wanted


@pytest.fixture
def gate(start_gate, config):
    return start_gate(config)


def attach(gate, *what, sandbox="web", check=0):
    return gate.home.cli("attach", "--sandbox", sandbox, *what, check=check)


def refused(gate, *what, status=CANNOT, says, sandbox="web"):
    done = attach(gate, *what, sandbox=sandbox, check=status)
    assert re.search(says, done.stderr), done.stderr
    return done


def test_what_is_attached_needs_the_variables_of_the_ca_and_no_proxy(gate):
    told = json.loads(gate.home.cli("env", "--sandbox", "web", "--json", check=0).stdout)
    bundle = gate.home.state / "sandboxes" / "web" / "ca-bundle.pem"
    assert told["SSL_CERT_FILE"] == str(bundle) and told["EGRET_SANDBOX"] == "web"
    assert [name for name in told if "proxy" in name.lower()] == []


def test_a_namespace_behind_the_gate_reaches_what_is_allowed_and_reads_why_not(gate, netns):
    attach(gate, "--netns", netns.path)
    assert curl(gate, netns.path, API)[0] == 200
    status, said = curl(gate, netns.path, EVIL)
    assert status == 403 and "host_not_allowed" in said
    for host, decision in (("api.demo.test", "allow"), ("evil.example", "deny")):
        record = gate.audit.one(event="request", host=host)
        assert (record["sandbox"], record["capture"]) == ("web", "netns")
        assert record["decision"] == decision
        name = next(r for r in gate.audit.records(event="dns") if r["query"]["name"] == host)
        assert (name["sandbox"], name["decision"]) == ("web", decision)
    assert gate.audit.one(event="gate", what="attach")["detail"] == f"netns {netns.path}"
    shown = gate.home.cli("status", check=0).stdout
    assert f"attached netns {netns.path}  sandbox web" in shown


def test_two_namespaces_are_two_sandboxes(gate, make_netns):
    one, two = make_netns(), make_netns()
    attach(gate, "--netns", one.path)
    attach(gate, "--netns", two.path, sandbox="other")
    assert curl(gate, one.path, "http://plain.demo.test/one")[0] == 200
    assert curl(gate, two.path, "http://plain.demo.test/two")[0] == 200
    assert gate.audit.one(event="request", path="/one")["sandbox"] == "web"
    assert gate.audit.one(event="request", path="/two")["sandbox"] == "other"


def test_while_the_gate_is_away_nothing_leaves_and_when_it_is_back_all_goes_on(gate, netns, origin):
    attach(gate, "--netns", netns.path)
    assert curl(gate, netns.path, API + "before")[0] == 200
    gate.kill()
    seen = len(origin.requests)
    assert curl(gate, netns.path, API + "meanwhile", "-m", "1")[0] == 0
    for address in ("192.0.2.1", "2001:db8::1", "127.0.0.1"):
        assert curl(gate, netns.path, f"http://[{address}]/" if ":" in address else
                    f"http://{address}/", "-m", "1")[0] == 0  # fmt: skip
    assert len(origin.requests) == seen
    assert attached(gate.home)[0]["state"] == "waiting for a gate"
    assert "no gate is running" in attach(gate, "--netns", netns.path, check=CANNOT).stderr
    gate.start()
    gate.audit.wait_for(2, event="gate", what="attach")
    assert curl(gate, netns.path, API + "after")[0] == 200
    assert gate.audit.one(event="request", path="/after")["sandbox"] == "web"
    assert len(keepers(gate.home)) == 1


def test_a_gate_that_no_longer_knows_the_sandbox_does_not_get_it(gate, netns, config):
    attach(gate, "--netns", netns.path)
    gate.stop()
    del config["sandboxes"]["web"]
    gate.home.write_config(config)
    gate.start()
    state = lambda: attached(gate.home)[0]["state"]
    wait_until(lambda: state().startswith("refused: "), what="the refusal")
    assert "no sandbox" in state()
    assert curl(gate, netns.path, "http://plain.demo.test/", "-m", "1")[0] == 0


def test_a_namespace_that_is_deleted_is_detached_and_the_keeper_ends(gate, make_netns):
    one, two = make_netns(), make_netns()
    attach(gate, "--netns", one.path)
    attach(gate, "--netns", two.path)
    one.delete()
    assert gate.audit.one(event="gate", what="detach")["detail"] == f"netns {one.path}"
    assert [entry["namespace"] for entry in attached(gate.home)] == [f"netns {two.path}"]
    two.delete()
    gate.audit.wait_for(2, event="gate", what="detach")
    wait_until(lambda: not keepers(gate.home), what="the end of the keeper")
    assert attached(gate.home) == []


def test_a_process_that_ends_takes_its_attachment_with_it(gate):
    with Namespace() as holder:
        attach(gate, "--pid", holder.pid)
        assert curl(gate, f"{holder.proc}/ns/net", "http://plain.demo.test/")[0] == 200
    assert gate.audit.one(event="gate", what="detach")["detail"] == f"pid {holder.pid}"


def test_a_namespace_that_goes_while_the_gate_is_away_is_not_offered_again(gate, make_netns):
    one, two = make_netns(), make_netns()
    attach(gate, "--netns", one.path)
    attach(gate, "--netns", two.path)
    gate.kill()
    one.delete()
    wait_until(lambda: len(attached(gate.home)) == 1, what="the keeper's notice")
    gate.start()
    gate.audit.wait_for(3, event="gate", what="attach")
    assert [entry["state"] for entry in attached(gate.home)] == ["attached"]


STREAM = r"""
import socket, sys
sock = socket.create_connection(("plain.demo.test", 80), 10)
sock.sendall(b"GET /sse HTTP/1.1\r\nhost: plain.demo.test\r\n\r\n")
while (data := sock.recv(4096)):
    print(data.decode(), flush=True)
print("CLOSED", flush=True)
"""


def test_detach_closes_open_connections_and_leaves_the_namespace_closed(gate, netns, origin):
    attach(gate, "--netns", netns.path)
    command = entering(netns.path, "/usr/bin/python3", "-c", STREAM)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as client:
        origin.events.put(b"hello")
        assert any("hello" in line for line in iter(client.stdout.readline, ""))
        done = gate.home.cli("attach", "--detach", "--netns", netns.path, check=0)
        assert "its rules stay" in done.stderr
        rest = client.communicate(timeout=20)[0]
        assert "CLOSED" in rest or "reset" in rest.lower()
    origin.events.put(None)
    record = gate.audit.one(event="request", path="/sse")
    assert gate.audit.response_to(record)["error"] == "client_gone"
    assert gate.audit.one(event="gate", what="detach")["sandbox"] == "web"
    assert curl(gate, netns.path, "http://plain.demo.test/", "-m", "2")[0] == 0
    assert "table inet egret" in condition(netns.path)["rules"]

    attach(gate, "--netns", netns.path)
    assert curl(gate, netns.path, "http://plain.demo.test/again")[0] == 200


def test_detaching_what_is_not_attached_says_so(gate, netns):
    done = gate.home.cli("attach", "--detach", "--netns", netns.path, check=CANNOT)
    assert "is not attached" in done.stderr


def test_when_the_keeper_dies_nothing_leaves_and_the_namespace_may_be_attached_again(gate, netns):
    attach(gate, "--netns", netns.path)
    (keeper,) = keepers(gate.home)
    os.kill(keeper, signal.SIGKILL)
    gate.audit.wait_for(1, event="gate", what="detach")
    assert curl(gate, netns.path, "http://plain.demo.test/", "-m", "2")[0] == 0
    attach(gate, "--netns", netns.path)
    assert curl(gate, netns.path, "http://plain.demo.test/")[0] == 200


# --- a user without any power


@pytest.fixture
def powerless(start_gate, make_home, config, directory):
    """A gate of a user who owns nothing but the home."""
    roots = directory / "roots.pem"
    roots.write_text(Path(config["origins"]["ca_files"][0]).read_text())
    config["origins"]["ca_files"] = [str(roots)]
    home = make_home(config)
    home.within = ["setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups", "--"]
    ran("chown", "-R", f"{SOMEBODY}:{SOMEBODY}", directory)
    ran("chown", "root:root", home.config_file)  # root is to read it, too
    ran("chmod", "0644", home.config_file)
    return start_gate(home=home)


def test_the_user_of_a_rootless_namespace_attaches_it(powerless):
    command = [
        *powerless.home.within,
        "unshare",
        "--user",
        "--map-root-user",
        "--net",
        "sleep",
        "600",
    ]
    with subprocess.Popen(command) as holder:
        try:
            comm = f"/proc/{holder.pid}/comm"
            wait_until(lambda: open(comm).read() == "sleep\n", what="the namespace's holder")
            attach(powerless, "--pid", holder.pid)
            inside = lambda path, *c: ["nsenter", f"--net={path}", "--", *c]
            path = f"/proc/{holder.pid}/ns/net"
            assert curl(powerless, path, API, enter=inside)[0] == 200
            assert curl(powerless, path, EVIL, enter=inside)[0] == 403
            (keeper,) = keepers(powerless.home)
            assert os.stat(f"/proc/{keeper}").st_uid in (0, SOMEBODY)  # 0: not traceable
        finally:
            holder.kill()
    powerless.audit.wait_for(1, event="gate", what="detach")


def test_a_namespace_of_somebody_else_is_refused(powerless, netns):
    before = condition(netns.path)
    refused(powerless, "--netns", netns.path, says="cannot enter .*\n.*run it as root")
    assert condition(netns.path) == before
    with Namespace() as holder:
        refused(powerless, "--pid", holder.pid, says="run it as root")


def test_root_attaches_for_a_gate_that_is_not_root_and_the_keeper_is_not_root_either(
    powerless, netns
):
    within, powerless.home.within = powerless.home.within, []
    attach(powerless, "--netns", netns.path)
    (keeper,) = keepers(powerless.home)
    with open(f"/proc/{keeper}/status") as file:
        assert f"Uid:\t{SOMEBODY}\t{SOMEBODY}\t{SOMEBODY}\t" in file.read()
    assert curl(powerless, netns.path, API)[0] == 200
    powerless.home.within = within
    assert attached(powerless.home)[0]["state"] == "attached"
    gone = powerless.home.cli("attach", "--detach", "--netns", netns.path, check=0)
    assert "detached" in gone.stderr


# --- refusals, which leave everything as it was


def test_a_second_attachment_of_one_namespace_is_refused(gate, netns, make_netns):
    attach(gate, "--netns", netns.path)
    before = condition(netns.path)
    refused(gate, "--netns", netns.path, says="is attached already, as netns")
    refused(gate, "--netns", netns.path, sandbox="other", says='of the sandbox "web"')
    alias = make_netns()
    alias.delete()
    ran("touch", alias.path)
    ran("mount", "--bind", netns.path, alias.path)
    refused(gate, "--netns", alias.path, says=f"is attached already, as netns {netns.path}")
    assert condition(netns.path) == before
    assert curl(gate, netns.path, "http://plain.demo.test/")[0] == 200


def test_a_namespace_behind_another_gate_is_refused(gate, netns, start_gate, config):
    attach(gate, "--netns", netns.path)
    other = start_gate(config)
    before = condition(netns.path)
    refused(other, "--netns", netns.path, says="behind a gate already")
    gate.kill()  # its keeper still holds the sockets
    refused(other, "--netns", netns.path, says="behind a gate already")
    assert condition(netns.path) == before
    gate.start()
    gate.audit.wait_for(2, event="gate", what="attach")
    assert curl(gate, netns.path, "http://plain.demo.test/")[0] == 200


def test_what_is_more_than_the_gates_descriptors_is_refused(
    start_gate, make_home, config, make_netns
):
    home = make_home(config)
    home.within = ["prlimit", "--nofile=96:96", "--"]
    gate = start_gate(home=home)
    home.within = []
    room = 96 // 2 // 6
    for _ in range(room):
        attach(gate, "--netns", make_netns().path)
    last = make_netns()
    before = condition(last.path)
    refused(
        gate, "--netns", last.path, says=f"too many namespaces .*{room} are attached.*LimitNOFILE"
    )
    assert condition(last.path) == before


def test_an_unknown_sandbox_is_refused(gate, netns):
    before = condition(netns.path)
    refused(gate, "--netns", netns.path, sandbox="nobody", status=2, says='no sandbox "nobody"')
    assert condition(netns.path) == before
    assert not keepers(gate.home)


def test_without_a_gate_it_is_refused(make_home, config, netns):
    home = make_home(config)
    before = condition(netns.path)
    done = home.cli("attach", "--sandbox", "web", "--netns", netns.path, check=CANNOT)
    assert "no gate is running" in done.stderr and "egret serve" in done.stderr
    assert condition(netns.path) == before


def test_a_namespace_with_another_interface_is_refused(gate, netns):
    ran("ip", "link", "add", "veth0", "netns", netns.name, "type", "veth", "peer", "name", "veth1",
        "netns", netns.name)  # fmt: skip
    before = condition(netns.path)
    refused(gate, "--netns", netns.path, says="veth.*besides loopback.*\n.*--network none")
    assert condition(netns.path) == before


@pytest.mark.parametrize("path", ["/proc/self/ns/net", f"/proc/{os.getpid()}/ns/net"])
def test_the_hosts_own_namespace_is_refused(gate, path):
    refused(gate, "--netns", path, says="host's own network namespace")


@pytest.mark.parametrize(
    "what, says",
    [
        (["--netns", "/run/netns/there-is-none"], "No such file"),
        (["--netns", "/etc/passwd"], "no network namespace"),
        (["--netns", "/proc/self/ns/mnt"], "no network namespace"),
        (["--netns", "/dev/null"], "no network namespace"),
        (["--pid", "4194303"], "no process 4194303"),
        (["--pid", "-1"], "number from 1"),
        (["--container", "egret-there-is-none"], "no container egret-there-is-none"),
        (["--container", "--latest"], "is no container name"),
    ],
    ids=str,
)
def test_what_is_not_there_is_refused(gate, what, says):
    what = [f"{what[0]}={what[1]}"]
    refused(gate, *what, says=says)
    assert not keepers(gate.home)


@pytest.mark.parametrize(
    "what", [[], ["--netns", "/run/netns/x", "--pid", "1"]], ids=["none", "two"]
)
def test_one_namespace_has_to_be_named(gate, what):
    refused(gate, *what, status=2, says="name one namespace")


NFT_INSTEAD = 'mount --bind "$1" /usr/sbin/nft && shift && exec "$@"'


@pytest.mark.parametrize(
    "script, says",
    [
        (None, "nft is not installed\n.*apt install nftables"),
        ("#!/bin/sh\nexit 0\n", "rules do not hold|behind a gate already"),
        ("#!/bin/sh\necho no such table >&2; exit 1\n", "no such table"),
        ("#!/bin/sh\nexit 1\n", "cannot load"),
    ],
    ids=["missing", "does nothing", "fails", "fails without a word"],
)
def test_a_tool_that_fails_leaves_the_namespace_as_it_was(gate, netns, directory, script, says):
    fake = directory / "nft"
    fake.write_text(script or "")
    fake.chmod(0o755 if script else 0o644)
    before = condition(netns.path)
    within = ["unshare", "--mount", "sh", "-c", NFT_INSTEAD, "sh", str(fake)]
    gate.home.within = within
    refused(gate, "--netns", netns.path, says=says)
    gate.home.within = []
    assert condition(netns.path) == before
    assert gate.audit.records(event="gate", what="attach") == []
    attach(gate, "--netns", netns.path)
    assert curl(gate, netns.path, "http://plain.demo.test/")[0] == 200


def test_rules_that_do_not_hold_are_taken_back(gate, netns, directory):
    real = directory / "real-nft"
    ran("cp", "/usr/sbin/nft", real)
    fake = directory / "nft"
    fake.write_text(f"#!/bin/sh\nif [ $1 = -f ]; then sed 's/counter reject.*/accept/' | {real} -f -\n"
                    f"else exec {real} \"$@\"; fi\n")  # fmt: skip
    fake.chmod(0o755)
    before = condition(netns.path)
    gate.home.within = ["unshare", "--mount", "sh", "-c", NFT_INSTEAD, "sh", str(fake)]
    refused(gate, "--netns", netns.path, says="do not hold")
    gate.home.within = []
    assert condition(netns.path) == before


def test_dry_run_prints_everything_and_does_nothing(gate, netns):
    before = condition(netns.path)
    shown = attach(gate, "--netns", netns.path, "--dry-run").stdout
    for part in (netns.path, "ip route add local", "table inet egret", "redirect to", "/nft",
                 "sandbox web"):  # fmt: skip
        assert part in shown, part
    told = json.loads(attach(gate, "--netns", netns.path, "--dry-run", "--json").stdout)
    assert told["namespace"] == f"netns {netns.path}"
    assert condition(netns.path) == before
    assert attached(gate.home) == []


# --- containers


@pytest.fixture
def podman(directory):
    """podman(arguments…) with a store of its own; the image `egret-e2e` is busybox and nothing else."""
    if not Path("/usr/bin/podman").exists() or not Path("/bin/busybox").exists():
        pytest.skip("NOT CHECKED: needs podman and busybox-static")
    root, store = directory / "root", directory / "storage.conf"
    (root / "bin").mkdir(parents=True)
    ran("cp", "/bin/busybox", root / "bin")
    for name in ("sleep", "wget"):
        (root / "bin" / name).symlink_to("busybox")
    store.write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{directory}/graph"\nrunroot = "{directory}/run"\n'
    )
    environment = {**os.environ, "CONTAINERS_STORAGE_CONF": str(store)}

    def podman(*arguments):
        return ran("podman", "--runtime", "runc", *arguments, env=environment).strip()

    podman.environment = {"CONTAINERS_STORAGE_CONF": str(store)}
    ran("tar", "-C", root, "-cf", directory / "root.tar", ".")
    podman("import", directory / "root.tar", "egret-e2e")
    yield podman
    podman("rm", "--all", "--force", "--time", "0")


LIMITS = ["--cap-drop=all", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"]


def test_a_container_without_network_is_attached_until_it_ends(
    podman, start_gate, config, make_home
):
    gate = start_gate(home=make_home(config, podman.environment))
    container = podman("run", "-d", "--network=none", *LIMITS, "egret-e2e", "/bin/sleep", "600")
    attach(gate, "--container", container)
    fetch = ["/bin/wget", "-q", "-O", "-", "http://plain.demo.test/inside"]
    assert podman("exec", container, *fetch)
    record = gate.audit.one(event="request", path="/inside")
    assert (record["sandbox"], record["capture"]) == ("web", "netns")
    assert gate.audit.one(event="gate", what="attach")["detail"] == f"container {container}"
    podman("kill", container)
    assert gate.audit.one(event="gate", what="detach")["detail"] == f"container {container}"
    refused(gate, "--container", container, says="is not running")


def test_a_container_on_the_hosts_network_is_refused(podman, start_gate, config, make_home):
    gate = start_gate(home=make_home(config, podman.environment))
    container = podman("run", "-d", "--network=host", *LIMITS, "egret-e2e", "/bin/sleep", "600")
    refused(gate, "--container", container, says="host's own network namespace")
