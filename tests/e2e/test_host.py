"""A user of the machine behind the gate, without a namespace: nftables, or iptables-legacy, redirect
what the user sends to the gate and refuse the rest. Each test has a machine of its own."""

import ipaddress
import json
import subprocess

import pytest

from support.dns_client import ASK, address_of
from support.host_mode import AGENT, PORT, STRANGER, Bridges, HostMode, host_config
from support.leak_matrix import assert_nothing_gets_out
from support.networks import Outputs, needs_root
from support.waiting import wait_until
from support.work_matrix import assert_work_succeeds

pytestmark = needs_root

BACKENDS = pytest.mark.parametrize("flags", [(), ("--iptables",)], ids=["nft", "iptables"])
FETCH = ["curl", "-sS", "--max-time", "10"]
# The user's processes may talk to whoever listens on a Unix socket in sight, and to a hypervisor
# (family 40); an io_uring's sockets are the user's, and the rules see them.
NOT_PROMISED = ("abstract socket", "family 40", "io_uring")


def ask(host, *questions):
    return json.loads(host.python(ASK, json.dumps(questions)))


# --- the matrices


@BACKENDS
@pytest.mark.limit(120)
def test_nothing_of_the_user_gets_out(host, host_gate, flags):
    host.apply(*flags)
    run = lambda command: host.run(*command, seconds=100)
    assert_nothing_gets_out(host.world, host.home, run, documented=NOT_PROMISED)
    counts = host.counts()[AGENT]
    assert counts["redirected"] > 30 and counts["refused"] > 50, counts


@BACKENDS
@pytest.mark.limit(120)
def test_what_an_agent_does_all_day_succeeds(
    leak_world, work_world, make_home, start_gate, directory, flags
):
    listen = host_config()["listen"]
    home = make_home(
        {**work_world.config(), "listen": listen}, work_world.environment, [work_world.canary]
    )
    host = HostMode(leak_world, home, directory / "shared")
    start_gate(home=home)
    origins = (work_world.origin, work_world.http2_origin, work_world.git, work_world.websocket)
    with Bridges(host.net.host, [int(origin.pin.rsplit(":", 1)[1]) for origin in origins]):
        host.apply(*flags)
        environment = host.environment()
        assert not [name for name in environment if name.lower().endswith("_proxy")]
        before = host.net.packets()
        run = lambda command: host.run(*command, environment=environment)
        assert_work_succeeds(work_world, home, run)
        assert host.net.packets() == before


def test_the_variables_alone_say_that_they_enforce_nothing(host):
    told = host.home.cli("env", "--sandbox", "web", check=0).stdout
    *exports, last = told.splitlines()
    assert all(line.startswith("export ") for line in exports)
    assert last.startswith("# ") and "enforce nothing" in last
    once = 'eval $1; echo "$EGRET_SANDBOX"'  # unquoted: one line
    assert host.run("sh", "-c", once, "sh", told) == "web\n"


# --- names, and the gate's own port


@BACKENDS
def test_every_resolver_is_the_gate(host, host_gate, flags):
    host.apply(*flags)
    questions = [
        [server, "api.demo.test", kind, tcp]
        for server in ("8.8.8.8", "127.0.0.53", "2001:db8::53", "::1")
        for kind in ("A", "AAAA")
        for tcp in (False, True)
    ]
    synthetic = {"A": "198.18.0.0/15", "AAAA": "fc00::/7"}
    for question, answer in zip(questions, ask(host, *questions)):
        assert address_of(answer) in ipaddress.ip_network(synthetic[question[2]]), question
    assert host.home.audit.one(event="dns")["query"]["name"] == "api.demo.test"
    assert host.home.audit.records(event="connection") == []


@BACKENDS
def test_nobody_else_asks_in_the_sandboxs_name(host, host_gate, flags):
    """Directly, at the port to which the user's DNS is redirected."""
    host.apply(*flags)
    direct = ASK.replace("(server, 53)", f"(server, {PORT})").replace("settimeout(5)", "settimeout(1)")
    for address in ("127.0.0.1", "::1"):
        for uid in (AGENT, STRANGER, 0):
            question = json.dumps([[address, "smuggled.demo.test", "A", False]])
            host.python(direct, question, uid=uid, status=1)
    assert host.home.audit.records(event="dns") == []


@BACKENDS
def test_a_connection_that_was_not_redirected_is_refused_as_a_loop(host, host_gate, flags):
    host.apply(*flags)
    for address in ("127.0.0.1", "::1"):
        for uid in (AGENT, STRANGER, 0):
            assert "HTTP" not in host.connect(address, PORT, uid=uid)
    host.home.audit.wait_for(6, event="connection", decision="deny", reason="loop")


def test_without_any_rules_it_is_a_loop_too(host, host_gate):
    """The kernel may not even know an original destination then."""
    for address in ("127.0.0.1", "::1"):
        assert "HTTP" not in host.connect(address, PORT)
    host.home.audit.wait_for(2, event="connection", decision="deny", reason="loop")


def test_each_user_is_its_own_sandbox_and_no_others(host, start_gate):
    users = {"web": (AGENT, PORT), "other": (STRANGER, PORT + 1)}
    listen = [
        {"redirect": f"127.0.0.1:{port}", "sandbox": name} for name, (_, port) in users.items()
    ]
    sandboxes = {name: {"rules": [{"allow": f"{name}.demo.test"}]} for name in users}
    host.home.write_config({**host_config(sandboxes=sandboxes), "listen": listen})
    start_gate(home=host.home)
    for name, (uid, _) in users.items():
        host.apply("--sandbox", name, user=uid)
    for name, (uid, _) in users.items():
        question = json.dumps([["8.8.8.8", f"{name}.demo.test", "A"]])
        host.python(ASK, question, uid=uid)
        assert f'"sandbox":"{name}"' in host.run(*FETCH, f"http://{host.net.V4}/", uid=uid)
    for uid, port in ((AGENT, PORT + 1), (STRANGER, PORT)):
        assert host.connect("127.0.0.1", port, uid=uid).startswith("refused")
        assert host.send("127.0.0.1", port, uid=uid).startswith("refused")
    names = host.home.audit.records(event="dns")
    assert {(r["sandbox"], r["query"]["name"], r["decision"]) for r in names} == {
        (name, f"{name}.demo.test", "allow") for name in users
    }
    assert host.home.audit.records(reason="loop") == []


# --- ways past the redirection

BOUND = """
import itertools, socket
addresses = ("198.51.100.9", "203.0.113.1", "127.0.0.1", "2001:db8:77::9", "::1", "fe80::1%out")
for address, port, kind in itertools.product(addresses, (53, 80), (1, 2)):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"out")
        sock.settimeout(0.1)
        try:
            sock.connect((address, port))
            sock.send(b"out")
        except OSError:
            pass
"""


@BACKENDS
def test_a_socket_bound_to_a_device_leads_nowhere(host, host_gate, flags):
    """Redirected to loopback, its packets would be sent out by the device."""
    host.apply(*flags)
    before = host.net.packets()
    host.python(BOUND)
    assert host.net.packets() == before
    host.python(BOUND, uid=STRANGER)
    wait_until(lambda: host.net.packets() > before, what="another user's packets")


# --- loopback


@BACKENDS
def test_loopback_is_closed_but_for_the_ports_named(host, host_gate, flags):
    host.apply(*flags)
    assert host.connect("127.0.0.1", host.world.port).startswith("refused")
    host.apply(*flags, "--loopback-port", host.world.port, "--loopback-port", "4000-4010")
    assert "canary" in host.connect("127.0.0.1", host.world.port)
    assert "canary" in host.connect("::1", host.world.port)
    serve = (
        "import socket, sys; server = socket.create_server(('127.0.0.1', int(sys.argv[1])));"
        "print('ready', flush=True); server.accept()[0].sendall(b'hello'); server.accept()"
    )
    # The user's own server, for itself and for others; and one at a port that was not named.
    for uid, port, outcome in [(AGENT, 4005, "hello"), (STRANGER, 4005, "hello"),
                               (STRANGER, 4011, "refused")]:  # fmt: skip
        with Outputs(host.entering("/usr/bin/python3", "-c", serve, str(port))) as server:
            server.wait_line("ready")
            assert outcome in host.connect("127.0.0.1", port, uid=uid)


@BACKENDS
def test_an_open_port_is_no_way_to_the_others(host, host_gate, flags):
    """Only replies leave from it: it may not be bound to reach what was not opened."""
    host.apply(*flags, "--loopback-port", "4000")
    assert host.connect("127.0.0.1", host.world.port, source=4000).startswith("refused")


# --- the gate comes and goes


def test_without_a_gate_the_rules_hold_and_say_so(host):
    assert "no gate answers there yet" in host.apply().stderr
    before = host.net.packets()
    for address in (host.net.V4, host.net.V6):
        assert "refused" in host.connect(address, 443)
        assert "refused" in host.send(address, 443)
    assert host.net.packets() == before


@BACKENDS
def test_when_the_gate_dies_nothing_leaves_and_when_it_is_back_it_serves(host, host_gate, flags):
    assert "no gate" not in host.apply(*flags).stderr
    before = host.net.packets()
    assert "403" in host.connect(host.net.V4, 80)
    host_gate.kill()
    for address in (host.net.V4, host.net.V6):
        for port in (53, 80, 443):
            assert "refused" in host.connect(address, port)
    host_gate.start()
    assert "403" in host.connect(host.net.V6, 80)
    assert host.net.packets() == before


def test_a_reload_changes_what_the_user_may(host, host_gate):
    host.apply()
    fetch = [*FETCH, "-o", "/tmp/body", "-w", "%{http_code}", "http://api.demo.test/"]
    host.home.write_config(host_config(sandboxes={"web": {"rules": []}}))
    host.home.cli("reload", check=0)
    assert host.run(*fetch) == "403"
    host.home.write_config(host_config(origins={"resolve": {"api.demo.test": "127.0.0.1:9"}}))
    host.home.cli("reload", check=0)
    assert host.run(*fetch) == "502"  # nobody listens there


def test_a_gate_on_a_free_port_is_asked_for_it(host, start_gate):
    host.home.write_config(host_config(port=0))
    assert "port 0" in host.apply(status=2).stderr
    start_gate(home=host.home)
    host.apply()
    assert "403" in host.connect(host.net.V4, 80)
    assert "403" in host.connect(host.net.V6, 80)


@pytest.mark.parametrize("version", ["V4", "V6"])
def test_what_was_open_before_is_ended(host, version):
    """Else what a process writes before it closes would leave when no rule knows whose it is."""
    address = getattr(host.net, version)
    listen = """
import socket
server = socket.create_server(("::", 443), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
peer = server.accept()[0]
while True:
    print(peer.recv(100), flush=True)
"""
    hold = f"""
import socket, sys
sock = socket.create_connection(("{address}", 443), 5)
sock.send(b"before")
sys.stdin.readline()
try:
    sock.send(b"after")
    print("sent", flush=True)
except OSError:
    print("ended", flush=True)
"""
    # It takes every address for its own; here its answers have to come back.
    host.net.neighbour.ran("ip", "-6", "route", "del", "local", "::/0", "dev", "leak")
    with Outputs(host.net.neighbour.entering("/usr/bin/python3", "-c", listen)) as server:
        server.wait_line("ready")
        hold = host.entering("/usr/bin/python3", "-c", hold)
        with Outputs(hold, stdin=subprocess.PIPE) as client:
            server.wait_line("b'before'")
            assert "1 open connections" in host.apply().stderr
            client.process.stdin.write("\n")
            client.process.stdin.close()
            client.wait_line("ended")
        assert "b'after'" not in server.lines
