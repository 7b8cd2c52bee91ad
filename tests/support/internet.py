"""A machine for the gate and the internet that it sees, as two network namespaces inside a user
namespace of their own: no root is needed, and public addresses in them lead nowhere else. Sockets
are made inside and handed out (a socket belongs for ever to the namespace in which it was created),
so that servers run in the test's own process."""

import contextlib
import json
import os
import socket
import subprocess

import pytest

from support.networks import ran

# Runs inside: makes the sockets that it is asked for, and ends with the other side.
MAKER = r"""
import json, socket
control = socket.socket(fileno=0)
control.send(b"ready")
while data := control.recv(4096):
    family, kind, protocol, address, port = json.loads(data)
    try:
        with socket.socket(family, kind, protocol) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address, port))
            if kind == socket.SOCK_STREAM:
                sock.listen(1024)
            socket.send_fds(control, [b"made"], [sock.fileno()])
    except OSError as error:
        control.send(str(error).encode())
"""
ENTER = ("nsenter", "--preserve-credentials", "--user", "--mount")


class Side:
    """One network namespace, held by a process that makes sockets in it."""

    def __init__(self, *prefix):
        self._control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self._process = subprocess.Popen(
                [*prefix, "/usr/bin/python3", "-I", "-c", MAKER],
                stdin=other,
                stderr=subprocess.PIPE,
                text=True,
            )
        self._control.settimeout(20)
        if self._control.recv(64) != b"ready":
            why = self._process.communicate(timeout=10)[1].strip()
            pytest.skip(f"NOT CHECKED: no namespaces for an ordinary user here: {why}")

    @property
    def pid(self):
        return self._process.pid

    def entering(self, directory="/"):
        """The beginning of a command line that runs the rest of it in here."""
        return [*ENTER, "--net", f"--target={self.pid}", "--", "env", f"--chdir={directory}"]

    def ran(self, *command):
        return ran(*self.entering(), *command)

    def bound(self, address, port, kind=socket.SOCK_STREAM, protocol=0):
        """A socket bound in here; one for streams listens. `::` takes IPv4 as well."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._control.send(json.dumps([family, kind, protocol, address, port]).encode())
        said, descriptors, _, _ = socket.recv_fds(self._control, 256, 1)
        assert descriptors, f"no socket on {address} port {port}: {said.decode()}"
        os.set_inheritable(descriptors[0], False)
        return socket.socket(fileno=descriptors[0])

    def close(self):
        self._control.close()
        self._process.kill()
        self._process.communicate()


class Internet:
    """`machine`: where the gate runs; its /etc/resolv.conf is `resolv_conf`. `world`: everything
    else; it has the addresses in ALIVE and is silent at SILENT. There is no way to UNREACHABLE."""

    A, B, C = "203.0.112.10", "203.0.112.20", "203.0.112.30"
    SIX = "2a00:112::10"
    PRIVATE, LINK_LOCAL, METADATA = "10.1.2.3", "169.254.7.7", "169.254.169.254"
    UNIQUE_LOCAL = "fd12:3456::10"
    NAT64, SIX_TO_FOUR = "64:ff9b::a01:203", "2002:a01:203::1"  # of PRIVATE
    ALIVE = (A, B, C, SIX, PRIVATE, LINK_LOCAL, METADATA, UNIQUE_LOCAL, NAT64, SIX_TO_FOUR)
    SILENT, SILENT_SIX = "203.0.112.240", "2a00:112:dead::1"
    UNREACHABLE, UNREACHABLE_SIX = "203.0.112.250", "2a00:112:beef::1"
    OWN, OWN_SIX = "203.0.112.1", "2a00:112::1"  # the machine's own

    def __init__(self, directory):
        self.resolv_conf = directory / "resolv.conf"
        self.resolver()

    def resolver(self, *lines):
        """For the next process that reads it. Written in place: it is a mount."""
        self.resolv_conf.write_text("\n".join(["nameserver 127.0.0.1", *lines, ""]))

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.machine = Side("unshare", "--user", "--map-root-user", "--net", "--mount")
            stack.callback(self.machine.close)
            inside = [*ENTER, f"--target={self.machine.pid}", "--", "unshare", "--net"]
            self.world = Side(*inside)
            stack.callback(self.world.close)
            self._wire()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def _wire(self):
        machine, world = self.machine.ran, self.world.ran
        machine("mount", "--bind", self.resolv_conf, "/etc/resolv.conf")
        machine("ip", "link", "add", "out", "type", "veth",
                "peer", "name", "in", "netns", self.world.pid)  # fmt: skip
        for side, device in ((machine, "out"), (world, "in")):
            side("ip", "link", "set", "lo", "up")
            # Neighbours are not found before a link-local address has been taken: one without the
            # wait of seconds for others who might have it.
            side("ip", "link", "set", device, "addrgenmode", "none", "up")
        for side, device, last in ((machine, "out", 1), (world, "in", 2)):
            side("ip", "addr", "add", f"192.0.2.{last}/30", "dev", device)
            side("ip", "addr", "add", f"2001:db8::{last}/64", "dev", device, "nodad")
            side("ip", "addr", "add", f"fe80::{last}/64", "dev", device, "nodad")
        machine("ip", "addr", "add", self.OWN, "dev", "out")
        machine("ip", "addr", "add", self.OWN_SIX, "dev", "out", "nodad")
        machine("ip", "route", "add", "default", "via", "192.0.2.2")
        machine("ip", "route", "add", "default", "via", "2001:db8::2")
        machine("ip", "route", "add", "unreachable", self.UNREACHABLE)
        machine("ip", "route", "add", "unreachable", self.UNREACHABLE_SIX)
        for address in self.ALIVE:
            world("ip", "addr", "add", address, "dev", "lo")
        world("ip", "route", "add", "default", "via", "192.0.2.1")
        world("ip", "route", "add", "default", "via", "2001:db8::1")
        world("ip", "route", "add", "blackhole", self.SILENT)
        world("ip", "route", "add", "blackhole", self.SILENT_SIX)
