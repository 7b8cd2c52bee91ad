"""./dev demo: the real `egret run` against an HTTPS origin of the demo's own, in half a screen.
Every line is checked before it is printed; the exit status is 1 if one does not hold."""

import json
import re
import secrets
import string
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from support.origin import Origin  # noqa: E402
from support.pki import TestAuthority  # noqa: E402

CONFIG = """\
version: 1
state: {directory}/state
audit: {{file: {directory}/state/audit.jsonl}}
origins:
  ca_files: [{ca_file}]
  resolve: {{api.demo.test: "{pin}"}}
secrets:
  DEMO_TOKEN: {{from: "env:DEMO_TOKEN", hosts: [api.demo.test]}}
sandboxes:
  demo: {{rules: [{{allow: api.demo.test}}], secrets: [DEMO_TOKEN]}}
"""


class Demo:
    def __init__(self, egret, directory, origin, authority):
        self._egret = egret
        self._origin = origin
        self._directory = directory
        self._work = directory / "work"
        self._work.mkdir()
        self._config = directory / "egret.yaml"
        self._config.write_text(
            CONFIG.format(directory=directory, ca_file=authority.ca_file, pin=origin.pin)
        )
        letters = string.ascii_letters + string.digits
        self._token = "ghp_" + "".join(secrets.choice(letters) for _ in range(36))
        self._failed = 0

    def run(self):
        print("$ egret run --sandbox demo -- sh agent.sh   # may reach api.demo.test and nothing else")
        agent = ["sh", "-c", (HERE / "agent.sh").read_text(), "agent", self._origin.pin]
        done = self._cli("run", "--sandbox", "demo", "--quiet", "--", *agent)
        if done.returncode != 0:
            sys.stderr.write(done.stderr)
            return done.returncode
        self._placeholder()
        self._injected()
        self._denied()
        self._addresses()
        print("\n$ egret audit show --sandbox demo")
        self._records(done)
        print()
        return 1 if self._failed else 0

    def _placeholder(self):
        inside = self._left("environment")
        entries = (line.partition("=") for line in inside.splitlines())
        seen = next((value for name, _, value in entries if name == "DEMO_TOKEN"), "")
        good = re.fullmatch(r"ghp_egret[0-9A-Za-z]+", seen) and self._token not in inside
        self._line(good, "the command's DEMO_TOKEN", seen, "only a placeholder")

    def _injected(self):
        requests = self._origin.requests
        got = requests[0].get("authorization", "") if len(requests) == 1 else ""
        echo = self._left("allowed.body")  # the origin answers with what it received
        good = got == f"Bearer {self._token}" and requests[0].tls
        good = good and self._left("allowed.status") == "200" and '"sni": "api.demo.test"' in echo
        good = good and self._token not in echo
        got = got.removeprefix("Bearer ")
        self._line(good, "GET https://api.demo.test/me", got, "the origin got the real token")

    def _denied(self):
        status = self._left("denied.status")
        try:
            answer = json.loads(self._left("denied.body"))
        except ValueError:
            answer = {}
        hint = answer.get("hint", "").split(" or ")[-1]
        good = status == "403" and answer.get("reason") == "host_not_allowed"
        good = good and answer.get("host") == "evil.example" and "--allow evil.example" in hint
        outcome = f"{status} {answer.get('reason')}"
        self._line(good, "GET https://evil.example/", outcome, f"hint: {hint}")

    def _addresses(self):
        result = self._left("address.result").strip()
        good = result == "closed, 0 bytes came back"
        self._line(good, "TCP to 192.0.2.10:5432", result, "no way out but the gate")
        refused = "Couldn't connect" in self._left("loopback.result")
        good = refused and len(self._origin.connections) == 1
        outcome = "refused" if refused else "connected"
        what = f"TCP to {self._origin.pin}"
        self._line(good, what, outcome, "the host's loopback is not there")

    def _records(self, done):
        shown = self._cli("audit show", "--sandbox", "demo").stdout
        for line in shown.splitlines():
            print(" ", line.partition("T")[2] or line)
        path = self._directory / "state/audit.jsonl"
        records = [json.loads(line) for line in path.read_text().splitlines()]
        asked = {
            (r["target"]["host"], r["decision"], r["reason"]): r
            for r in records
            if r["event"] in ("request", "connection") and "decision" in r
        }
        allowed = asked.get(("api.demo.test", "allow", "rule"), {})
        good = [secret["name"] for secret in allowed.get("secrets", [])] == ["DEMO_TOKEN"]
        good = good and ("evil.example", "deny", "host_not_allowed") in asked
        good = good and ("192.0.2.10", "deny", "host_ip_literal") in asked
        good = good and self._cli("audit verify").returncode == 0
        everything = path.read_text() + shown + done.stdout + done.stderr
        self._line(good and self._token not in everything, "records", f"{len(records)}, chain intact",
                   "and no real token in them")

    def _line(self, good, what, outcome, meaning):
        self._failed += not good
        print(f"  {'ok  ' if good else 'FAIL'} {what:<30} {outcome:<41} {meaning}")

    def _left(self, name):
        path = self._work / name
        return path.read_text(errors="replace") if path.exists() else ""

    def _cli(self, verb, *arguments):
        return subprocess.run(
            [self._egret, *verb.split(), "--config", self._config, *arguments],
            cwd=self._work,
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": str(self._directory),
                "LANG": "C.UTF-8",
                "DEMO_TOKEN": self._token,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )


def main():
    egret = str(Path(sys.argv[1]).resolve())
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="egret-demo-") as name:
        authority = TestAuthority(name)
        with Origin(authority) as origin:
            status = Demo(egret, Path(name), origin, authority).run()
    print(f"{'all of it held' if status == 0 else 'NOT all of it held'} "
          f"({time.monotonic() - started:.1f} s; nothing is left behind)")
    return status


if __name__ == "__main__":
    sys.exit(main())
