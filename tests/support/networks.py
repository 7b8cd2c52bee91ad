"""Network namespaces and small file systems for tests that need root: a host of its own for the
gate, and a neighbour that must never see a packet."""

import contextlib
import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

from support.waiting import wait_until

needs_root = pytest.mark.skipif(
    os.getuid() != 0, reason="NOT CHECKED: needs root for namespaces, counters or a file system"
)


def ran(*command, **options):
    return subprocess.run(
        list(map(str, command)), check=True, capture_output=True, text=True, timeout=30, **options
    ).stdout


class TinyDisk:
    """A tmpfs of a few KiB that a test can fill and free again."""

    def __init__(self, path, kib):
        self.path = Path(path)
        self._kib = kib

    def __enter__(self):
        self.path.mkdir()
        ran("mount", "-t", "tmpfs", "-o", f"size={self._kib}k,mode=700", "egret-e2e", self.path)
        return self

    def __exit__(self, *_):
        ran("umount", "-l", self.path)

    def fill(self):
        with open(self.path / "filler", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 4096)
            except OSError:
                return

    def free(self):
        (self.path / "filler").unlink()


class Namespace:
    """A network namespace, held open by a process of its own."""

    def __init__(self):
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "600"])
        mine = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(f"{self.proc}/ns/net") != mine, what="the namespace")
        wait_until(lambda: open(f"{self.proc}/comm").read() == "sleep\n", what="its holder")
        self.ran("ip", "link", "set", "lo", "up")

    @property
    def proc(self):
        return f"/proc/{self._holder.pid}"

    @property
    def pid(self):
        return self._holder.pid

    def entering(self, *command):
        """The command line that runs `command` in it."""
        return ["nsenter", f"--net={self.proc}/ns/net", "--", *map(str, command)]

    def ran(self, *command, **options):
        return ran(*self.entering(*command), **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._holder.kill()
        self._holder.wait()


COUNTERS = """
table inet seen {
  counter v4 {}
  counter v6 {}
  chain arrived {
    type filter hook prerouting priority -300; policy accept;
    meta nfproto ipv4 counter name v4
    icmpv6 type {
      nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert,
      mld-listener-query, mld-listener-report, mld2-listener-report
    } return
    meta nfproto ipv6 counter name v6
  }
}
table netdev seen {
  counter other {}
  chain arrived {
    type filter hook ingress device "leak" priority -300; policy accept;
    ether type != { ip, ip6, arp } counter name other
  }
}
"""


class LeakNet:
    """`host`: where the gate runs, with a default route to `neighbour`, whose counters see every
    packet that leaves. Neighbour discovery is the kernel's own and not counted."""

    V4, V6 = "203.0.113.1", "2001:db8:113::1"
    HOST_V4, HOST_V6 = "203.0.113.2", "2001:db8:113::2"

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.host = stack.enter_context(Namespace())
            self.neighbour = stack.enter_context(Namespace())
            self._wire()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def _wire(self):
        ran("ip", "link", "add", "out", "netns", self.host.pid, "type", "veth",
            "peer", "name", "leak", "netns", self.neighbour.pid)  # fmt: skip
        self._address(self.neighbour, "leak", self.V4, self.V6)
        self._address(self.host, "out", self.HOST_V4, self.HOST_V6)
        self.host.ran("ip", "route", "add", "default", "via", self.V4)
        self.host.ran("ip", "-6", "route", "add", "default", "via", self.V6)
        # Whatever comes here is for it: any address that leaks is accepted and counted.
        self.neighbour.ran("ip", "route", "add", "local", "0.0.0.0/0", "dev", "leak")
        self.neighbour.ran("ip", "-6", "route", "add", "local", "::/0", "dev", "leak")
        self.neighbour.ran("nft", "-f", "-", input=COUNTERS)

    @staticmethod
    def _address(namespace, device, v4, v6):
        namespace.ran("ip", "addr", "add", f"{v4}/24", "dev", device)
        namespace.ran("ip", "-6", "addr", "add", f"{v6}/64", "dev", device, "nodad")
        namespace.ran("ip", "link", "set", device, "up")

    def packets(self):
        """Packets that reached the neighbour, all protocols together."""
        listed = json.loads(self.neighbour.ran("nft", "-j", "list", "counters"))["nftables"]
        return sum(item["counter"]["packets"] for item in listed if "counter" in item)


class Outputs:
    """A process whose standard output is read line by line; ended with the test."""

    def __init__(self, command, **options):
        self.lines = []
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait_line(self, text, seconds=10):
        wait_until(lambda: text in self.lines, seconds, f"the line {text!r}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self._reader.join(5)
        self.process.stdout.close()
