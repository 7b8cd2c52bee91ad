"""A user of a machine behind a gate by `egret host`, on the host of a LeakWorld: what a test needs to
act as that user, as another one, and as root."""

import contextlib
import json
import socket
import subprocess
import threading

from support.home import SANITIZER_REPORT, binary
from support.internet import Side
from support.origin import shut

AGENT, STRANGER = 61234, 61235  # nobody has these uids
PORT = 3129  # in a namespace of the test's own


CONNECT = """
import socket, sys
address, port, source = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
try:
    sock = socket.create_connection((address, port), 3, source_address=("", source))
    sock.sendall(b"GET / HTTP/1.1\\r\\nHost: x.test\\r\\n\\r\\n")
    print("got", sock.recv(100))
except OSError as error:
    print("refused", error)
"""
SEND = """
import socket, sys
address, port = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as sock:
    try:
        sock.sendto(b"out", (address, port))
        print("sent")
    except OSError as error:
        print("refused", error)
"""


def host_config(port=PORT, address="127.0.0.1", **top):
    listen = [{"redirect": f"{address}:{port}", "sandbox": "web"}]
    sandboxes = {"web": {"rules": [{"allow": "api.demo.test"}]}}
    return {"version": 1, "listen": listen, "workers": 2, "sandboxes": sandboxes, **top}


class Bridges:
    """Makes servers of the test's own namespace reachable on the host's loopback, port by port."""

    def __init__(self, host, ports):
        self._side = Side(*host.entering())
        self._listeners = [self._side.bound("127.0.0.1", port) for port in ports]
        for listener, port in zip(self._listeners, ports):
            threading.Thread(target=self._serve, args=(listener, port), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for listener in self._listeners:
            shut(listener)
        self._side.close()

    def _serve(self, listener, port):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", port))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=relay, args=(a, b), daemon=True).start()


def relay(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


class HostMode:
    """`home` belongs to the gate, which runs as root on that host. Files for the users are below
    `shared`, which they see as their /tmp."""

    def __init__(self, world, home, shared):
        self.world, self.net, self.home, self.shared = world, world.net, home, shared
        self.shared.mkdir(mode=0o1777)
        self.shared.chmod(0o1777)
        home.within = self.net.host.entering()

    def egret(self, verb, *arguments, status=0, before=(), config=None):
        """`egret host VERB`, as root; what `before` names runs first, in a mount namespace."""
        config = ["--config", str(config or self.home.config_file)] if verb == "apply" else []
        command = [str(binary()), "host", verb, *config, *map(str, arguments)]
        if before:
            command = ["unshare", "--mount", "sh", "-ec", "\n".join([*before, 'exec "$@"']), "sh",
                       *command]  # fmt: skip
        done = subprocess.run(
            self.net.host.entering(*command),
            capture_output=True, text=True, timeout=30, env=self.home.environment,
        )  # fmt: skip
        assert not SANITIZER_REPORT.search(done.stderr), done.stderr
        assert done.returncode == status, f"ended with {done.returncode}: {done.stderr}"
        return done

    def apply(self, *flags, user=AGENT, **options):
        return self.egret("apply", "--user", user, *flags, **options)

    def remove(self, user=AGENT, **options):
        return self.egret("remove", "--user", user, **options)

    def counts(self):
        """{uid: what `egret host show --json` says of it}"""
        return {one["uid"]: one for one in json.loads(self.egret("show", "--json").stdout)}

    def loaded(self):
        """Everything that the three firewalls of the host hold, without what they counted."""
        nft = self.net.host.ran("nft", "--stateless", "list", "ruleset")
        saved = [self.net.host.ran(f"{name}-legacy-save") for name in ("iptables", "ip6tables")]
        lines = "".join([nft, *saved]).splitlines()
        return [line for line in lines if line[:1] not in ("#", ":", "*") and line != "COMMIT"]

    def environment(self):
        """As the agent gets it from `egret env --json --files`."""
        files = self.shared / "trust"
        told = self.home.cli("env", "--json", "--sandbox", "web", "--files", files, check=0).stdout
        return json.loads(told.replace(str(self.shared), "/tmp"))

    def entering(self, *command, uid=AGENT):
        """The command line that runs `command` as this user, with `shared` as its /tmp."""
        mount = 'mount --bind "$1" /tmp; cd /tmp; shift; exec "$@"'
        return self.net.host.entering(
            "unshare", "--mount", "sh", "-ec", mount, "sh", self.shared,
            "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--", *command,
        )  # fmt: skip

    def run(self, *command, uid=AGENT, environment=None, status=0, seconds=60):
        clean = {"PATH": self.home.environment["PATH"], "HOME": "/tmp", "LANG": "C.UTF-8"}
        done = subprocess.run(
            self.entering(*command, uid=uid), capture_output=True, text=True, timeout=seconds,
            env={**clean, **(environment or {})},
        )  # fmt: skip
        if status is not None:
            assert done.returncode == status, f"{done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def connect(self, address, port, source=0, uid=AGENT):
        """`got …` what a request over TCP is answered with, or `refused …`."""
        return self.python(CONNECT, address, port, source, uid=uid)

    def send(self, address, port, uid=AGENT):
        """`sent` or `refused …`, of one datagram."""
        return self.run(*self.sending(address, port), uid=uid)

    def sending(self, address, port):
        return ["/usr/bin/python3", "-c", SEND, address, str(port)]

    def python(self, code, *arguments, uid=AGENT, **options):
        words = ("/usr/bin/python3", "-c", code, *map(str, arguments))
        return self.run(*words, uid=uid, **options)
