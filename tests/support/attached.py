"""Namespaces that are put behind a gate by `egret attach`, and clients inside them."""

import json
import os
import subprocess

from support.networks import ran

INSIDE_SECONDS = 30


class Netns:
    """`ip netns add`, under a name of this process's own."""

    made = 0

    def __init__(self):
        Netns.made += 1
        self.name = f"egret-e2e-{os.getpid()}-{Netns.made}"
        ran("ip", "netns", "add", self.name)

    @property
    def path(self):
        return f"/run/netns/{self.name}"

    def delete(self):
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)


def entering(path, *command):
    return ["nsenter", f"--net={path}", "--", *map(str, command)]


def curl(gate, path, url, *options, sandbox="web", enter=entering):
    """(HTTP status or 0, body and error text) of curl inside the namespace at `path`."""
    bundle = gate.home.state / "sandboxes" / sandbox / "ca-bundle.pem"
    options = ["-sS", "-m", "10", "--cacert", str(bundle), "-w", "\n%{http_code}", *options]
    done = subprocess.run(
        enter(path, "curl", *options, url),
        capture_output=True,
        text=True,
        timeout=INSIDE_SECONDS,
    )
    body, _, status = done.stdout.rpartition("\n")
    return int(status or 0), body + done.stderr


def condition(path):
    """All of a namespace that attaching changes."""
    links = json.loads(ran(*entering(path, "ip", "-j", "link")))
    return {
        "up": [link["ifname"] for link in links if "UP" in link["flags"]],
        "routes": ran(*entering(path, "ip", "route", "show", "table", "all")),
        "routes6": ran(*entering(path, "ip", "-6", "route", "show", "table", "all")),
        "rules": ran(*entering(path, "nft", "list", "ruleset")),
        "ipv6": ran(*entering(path, "sysctl", "-n", "net.ipv6.conf.all.disable_ipv6",
                              "net.ipv6.conf.lo.disable_ipv6")),
    }  # fmt: skip


def attached(home):
    return json.loads(home.cli("attach", "--list", "--json", check=0).stdout)


def keepers(home):
    """The pids of the keepers of this state directory."""
    wanted = f"keeper\0{home.state}/control\0".encode()
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                if file.read().endswith(wanted):
                    found.append(int(entry))
        except OSError:
            continue
    return found
