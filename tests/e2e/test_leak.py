"""The leak matrix: everything a command inside the sandbox can try gets nowhere, and the host's
neighbour, to which the default route leads, counts no packet."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from support.networks import LeakNet, Outputs, needs_root

CANARY = "canary-7f3a"
ATTEMPTS = Path(__file__).with_name("leak_attempts.py")

# Runs beside the gate: services that listen on the host's loopback and on an abstract socket.
HOST_SERVICES = f"""
import socket, threading
def serve(server):
    while True:
        peer, _ = server.accept()
        peer.sendall(b"{CANARY}")
        peer.close()
four = socket.create_server(("127.0.0.1", 0))
port = four.getsockname()[1]
six = socket.create_server(("::1", port), family=socket.AF_INET6)
abstract = socket.socket(socket.AF_UNIX)
abstract.bind("\\0egret-e2e-abstract")
abstract.listen()
for server in (four, six, abstract):
    threading.Thread(target=serve, args=(server,)).start()
print(port, flush=True)
"""


@pytest.fixture
def leak_net():
    with LeakNet() as net:
        yield net


@pytest.fixture
def host_services(leak_net):
    command = leak_net.host.entering("/usr/bin/python3", "-c", HOST_SERVICES)
    with Outputs(command) as running:
        from support.waiting import wait_until

        wait_until(lambda: running.lines, what="the host's services")
        running.port = int(running.lines[0])
        yield running


def given(leak_net, port):
    return json.dumps(
        {
            "v4": leak_net.V4,
            "v6": leak_net.V6,
            "host_v4": leak_net.HOST_V4,
            "host_v6": leak_net.HOST_V6,
            "loopback_port": port,
            "abstract": "egret-e2e-abstract",
            "canary": CANARY,
        }
    )


def ran_on_host(leak_net, command, home=None):
    done = subprocess.run(
        leak_net.host.entering(*command), capture_output=True, text=True, timeout=60,
        cwd=home and home.work, env=home and home.environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_root
@pytest.mark.limit(120)
def test_without_a_sandbox_the_same_attempts_do_get_out(leak_net, host_services):
    """The control: the counters count, the services answer. Else the next test shows nothing."""
    command = ["/usr/bin/python3", ATTEMPTS, given(leak_net, host_services.port)]
    told = json.loads(ran_on_host(leak_net, command))
    assert leak_net.packets() > 50
    for name in ("host loopback 127.0.0.1", "host loopback ::1", "abstract socket"):
        assert told[name] == "REACHED", told[name]
    assert told[f"raw 1 {leak_net.V4}"] == "sent"


@needs_root
@pytest.mark.limit(120)
def test_nothing_gets_out_of_the_sandbox(leak_net, host_services, make_home):
    home = make_home()
    shutil.copy(ATTEMPTS, home.work)
    command = ["/usr/bin/python3", ATTEMPTS.name, given(leak_net, host_services.port)]
    before = leak_net.packets()
    told = json.loads(ran_on_host(leak_net, home.command("run", "--", *command), home))
    print(json.dumps(told, indent=1))
    assert leak_net.packets() - before == 0
    assert {name: got for name, got in told.items() if "REACHED" in got} == {}
    for name, got in told.items():
        if name.startswith(("raw", "packet", "sctp", "icmp")):
            assert got.startswith("refused"), f"{name}: {got}"
    assert len(told) > 120, "some attempts did not report"
    home.audit.wait_for(decision="deny", reason="host_ip_literal")


@needs_root
@pytest.mark.limit(60)
def test_when_the_gate_dies_nothing_leaves(leak_net, make_home):
    """kill -9 of egret while the command runs: its connections end, and no route appears."""
    home = make_home()
    script = f"""
import socket, sys, time
print("ready", flush=True)
sys.stdin.readline()
for _ in range(20):
    for address in ("{leak_net.V4}", "{leak_net.V6}"):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            try:
                sock.sendto(b"out", (address, 9999))
            except OSError:
                pass
        try:
            socket.create_connection((address, 443), 0.2).close()
        except OSError:
            pass
    time.sleep(0.05)
"""
    command = leak_net.host.entering(*home.command("run", "--", "/usr/bin/python3", "-c", script))
    with Outputs(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
                 cwd=home.work, env=home.environment) as running:  # fmt: skip
        running.wait_line("ready")
        before = leak_net.packets()
        running.process.kill()
        running.process.wait()
        try:
            running.process.stdin.write("go\n")
            running.process.stdin.close()
        except BrokenPipeError:
            pass  # the command is gone with its gate, which is what we want
        running._reader.join(10)
    assert leak_net.packets() - before == 0
