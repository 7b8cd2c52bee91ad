"""The leak matrix: everything a command inside the sandbox can try gets nowhere, and the host's
neighbour, to which the default route leads, counts no packet."""

import json
import subprocess

import pytest

from support.leak_matrix import assert_nothing_gets_out
from support.networks import Outputs, needs_root


@needs_root
@pytest.mark.limit(120)
def test_without_a_sandbox_the_same_attempts_do_get_out(leak_world):
    """The control: the counters count, the services answer. Else the next test shows nothing."""
    net = leak_world.net
    told = json.loads(leak_world.ran(leak_world.attempts()))
    assert net.packets() > 50
    for name in ("host loopback 127.0.0.1", "host loopback ::1", "abstract socket"):
        assert told[name] == "REACHED", told[name]
    assert told[f"raw 1 {net.V4}"] == "sent"


@needs_root
@pytest.mark.limit(120)
def test_nothing_gets_out_of_the_sandbox(leak_world, make_home):
    home = make_home()

    def run(command):
        return leak_world.ran(home.command("run", "--", *command), home)

    assert_nothing_gets_out(leak_world, home, run)


@needs_root
@pytest.mark.limit(60)
def test_when_the_gate_dies_nothing_leaves(leak_world, make_home):
    """kill -9 of egret while the command runs: its connections end, and no route appears."""
    home, leak_net = make_home(), leak_world.net
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
