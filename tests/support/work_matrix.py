"""The work matrix, the same for every kind of sandbox: what an agent does all day succeeds inside,
with nothing configured but what Egret sets.

A test gives `run`, which runs a command line inside its sandbox and returns what it printed. All
rows run in one sandbox, by a POSIX shell, so that a sandbox that is slow to start starts once."""

import contextlib
import json
import re

from support.denial import assert_denial_body
from support.git_origin import GitOrigin
from support.websocket_origin import WebSocketOrigin

# A WebSocket client of the standard library alone: one masked text message, and the echo of it.
WEBSOCKET = """
import base64, os, socket, ssl, struct
host = "ws.demo.test"
key = base64.b64encode(os.urandom(16)).decode()
raw = socket.create_connection((host, 443), 10)
sock = ssl.create_default_context().wrap_socket(raw, server_hostname=host)
sock.sendall(f"GET /chat HTTP/1.1\\r\\nHost: {host}\\r\\nConnection: Upgrade\\r\\n"
             f"Upgrade: websocket\\r\\nSec-WebSocket-Version: 13\\r\\n"
             f"Sec-WebSocket-Key: {key}\\r\\n\\r\\n".encode())
stream = sock.makefile("rb")
print(stream.readline().decode().strip())
while stream.readline() != b"\\r\\n":
    pass
text, mask = b"hello from inside", os.urandom(4)
masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(text))
sock.sendall(struct.pack("!BB", 0x81, 0x80 | len(text)) + mask + masked)
head = stream.read(2)
print(stream.read(head[1]).decode())
"""

CURL = "curl -sS --max-time 20"
ROWS = {
    "curl": f"{CURL} --http1.1 -w '\\n%{{http_code}} %{{http_version}}' https://api.demo.test/h1",
    "h2": f"{CURL} --http2 -w '\\n%{{http_code}} %{{http_version}}' https://h2.demo.test/h2",
    "git": "cd /tmp && git clone -q https://x-access-token:$DEMO_TOKEN@git.demo.test/demo.git demo "
           "&& git -C demo log --format=%s && head -n 1 demo/readme.txt",
    "websocket": f"python3 -c '{WEBSOCKET}'",
    "secret": f'{CURL} -H "Authorization: Bearer $DEMO_TOKEN" https://api.demo.test/fixed/3; '
              "echo; echo $DEMO_TOKEN",
    "denial": f"{CURL} -w '\\n%{{http_code}}' https://evil.example/",
}  # fmt: skip


class WorkWorld:
    """The origins of the rows, on the test's own loopback, and a config that opens them."""

    def __init__(self, directory, authority, origin, http2_origin, demo, canary):
        self.authority, self.origin, self.http2_origin = authority, origin, http2_origin
        self.canary, self._demo, self._directory = canary, demo, directory

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            git = GitOrigin(self._directory / "git", self.authority, self.canary.value)
            self.git = stack.enter_context(git)
            self.websocket = stack.enter_context(WebSocketOrigin(self.authority))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def config(self):
        """For make_home(config, environment, [canary]): the sandbox is `web`."""
        pins = {"h2.demo.test": self.http2_origin.pin, "git.demo.test": self.git.pin,
                "ws.demo.test": self.websocket.pin}  # fmt: skip
        config = self._demo(secrets=["DEMO_TOKEN"], pins=pins, rules=[{"allow": "h2.demo.test"}])
        config["secrets"]["DEMO_TOKEN"]["hosts"] = ["api.demo.test", "git.demo.test"]
        return config

    @property
    def environment(self):
        return {"DEMO_REAL": self.canary.value}


def script(rows):
    """Shell text that runs the rows one after the other and says where each begins and ends."""
    return "".join(
        f"echo '=== {name}'; ( {text}\n) 2>&1; echo; echo \"--- $?\"\n"
        for name, text in rows.items()
    )


def printed(output):
    """What each row printed, by name. Fails for a row that failed."""
    found = re.findall(r"^=== (\S+)\n(.*?)\n--- (\d+)$", output, re.M | re.S)
    failed = {name: text for name, text, status in found if status != "0"}
    assert not failed, json.dumps(failed, indent=1)
    return {name: text.strip("\n").split("\n") for name, text, _ in found}


def assert_work_succeeds(world, home, run, rows=ROWS):
    """`home` has world.config(); `rows` may be fewer, or written for other programs (with their
    last line as in ROWS), where these are not inside."""
    told = printed(run(["sh", "-c", script(rows)]))
    assert set(told) == set(rows)
    checks = {"curl": _curl, "h2": _h2, "git": _git, "websocket": _websocket,
              "secret": _secret, "denial": _denial}  # fmt: skip
    for name in rows:
        checks[name](world, home, told[name])


def _curl(world, home, lines):
    assert lines[-1] == "200 1.1", lines
    assert [r.tls for r in world.origin.requests if r.path == "/h1"] == [True]
    home.audit.one(event="request", path="/h1")


def _h2(world, _, lines):
    assert lines[-1] == "200 2", lines
    request = next(r for r in world.origin.requests if r.path == "/h2")
    assert request.get("x-protocol") == "HTTP/2.0"


def _git(world, _, lines):
    assert lines[-2:] == ["first", "hello from the git origin"]
    assert "x-access-token" in world.git.access_log()


def _websocket(world, _, lines):
    assert lines[-2:] == ["HTTP/1.1 101 Switching Protocols", "hello from inside"]
    assert world.websocket.messages == ["hello from inside"]


def _secret(world, home, lines):
    placeholder = lines[-1]
    assert lines[0] == "xxx" and "egret" in placeholder and placeholder != world.canary.value
    request = next(r for r in world.origin.requests if r.path == "/fixed/3")
    assert request.get("authorization") == f"Bearer {world.canary.value}"
    record = home.audit.one(event="request", path="/fixed/3")
    assert record["secrets"] == [{"name": "DEMO_TOKEN", "in": "header:authorization", "count": 1}]


def _denial(_, home, lines):
    assert lines[-1] == "403", lines
    assert_denial_body("\n".join(lines[:-1]), "host_not_allowed", "evil.example", 443)
    home.audit.wait_for(event="request", decision="deny", host="evil.example")
