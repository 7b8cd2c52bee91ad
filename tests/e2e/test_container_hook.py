"""The hook for container runtimes: `podman run --annotation egret.sandbox=web --network none` is
gated without any wrapper, or does not start at all."""

import subprocess
import tempfile
from pathlib import Path

import pytest

from support.containers import IMAGE, RootfulPodman, RootlessPodman, needs_podman
from support.denial import assert_denial_body
from support.home import binary
from support.root_filesystem import write_tar
from support.waiting import wait_until

pytestmark = needs_podman

LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


@pytest.fixture(scope="module")
def podman():
    with tempfile.TemporaryDirectory(prefix="egret-e2e-") as folder:
        with RootfulPodman(Path(folder) / "podman") as running:
            running.import_image(write_tar(Path(folder) / "root.tar"))
            yield running


@pytest.fixture
def gate(start_gate, demo, podman, directory):
    config = demo()
    del config["listen"]
    config["state"] = str(directory / "state")  # a hook has no environment to find it by
    gate = start_gate(config)
    gate.home.state = directory / "state"
    gate.home.audit.path = gate.home.state / "audit.jsonl"
    podman.add_hook(gate.home.config_file)
    return gate


def run(podman, gate, *command, flags=("--network", "none"), sandbox="web"):
    bundle = gate.home.state / "sandboxes" / "web" / "ca-bundle.pem"
    annotation = ["--annotation", f"egret.sandbox={sandbox}"] if sandbox else []
    mount = ["--volume", f"{bundle}:{BUNDLE}:ro"] if bundle.exists() else []
    words = ["podman", "run", "--rm", *LIMITS, *annotation, *mount, *flags, IMAGE, *command]
    return subprocess.run(words, env={**gate.home.environment, **podman.environment},
                          capture_output=True, text=True, timeout=30)  # fmt: skip


def test_an_annotated_container_is_behind_the_gate(podman, gate):
    script = "curl -sS https://api.demo.test/fixed/3; echo; curl -sS https://evil.example/"
    done = run(podman, gate, "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    body, denial = done.stdout.split("\n", 1)
    assert body == "xxx"
    assert_denial_body(denial, "host_not_allowed", "evil.example", 443)
    for host, decision in (("api.demo.test", "allow"), ("evil.example", "deny")):
        record = gate.audit.one(event="request", host=host)
        assert (record["sandbox"], record["capture"]) == ("web", "netns")
        assert record["decision"] == decision
    detail = gate.audit.one(event="gate", what="attach")["detail"]
    assert detail.startswith("container ")
    gate.audit.wait_for(event="gate", what="detach", detail=detail)


def test_a_container_without_the_annotation_is_left_alone(podman, gate):
    done = run(podman, gate, "sh", "-c", "ls /sys/class/net; curl -sS https://api.demo.test/",
               sandbox=None)  # fmt: skip
    assert done.stdout == "lo\n" and done.returncode != 0
    assert gate.audit.records(event="gate", what="attach") == []


@pytest.mark.parametrize(
    "flags, sandbox",
    [(["--network", "none"], "unknown"), (["--network", "host"], "web")],
    ids=["a sandbox that the file does not name", "the host's own network"],
)
def test_a_container_that_cannot_be_gated_does_not_start(podman, gate, flags, sandbox):
    done = run(podman, gate, "sh", "-c", "echo started", flags=flags, sandbox=sandbox)
    assert done.returncode != 0 and done.stdout == "", done.stderr
    assert "hook" in done.stderr
    assert gate.audit.records(event="gate", what="attach") == []


def test_without_a_gate_nothing_starts(podman, gate):
    gate.stop()
    done = run(podman, gate, "sh", "-c", "echo started")
    assert done.returncode != 0 and done.stdout == "", done.stderr
    wait_until(lambda: podman.containers() == [], what="the end of the container")


def test_without_root_a_users_container_is_behind_the_users_gate(directory):
    config = directory / "podman" / "egret.yaml"
    with RootlessPodman(directory / "podman") as podman:
        podman.import_image(write_tar(directory / "root.tar"))
        config.write_text(f"version: 1\nstate: {directory}/podman/state\nsandboxes: {{web: {{}}}}\n")
        config.chmod(0o600)
        podman.add_hook(config)
        podman.own(directory / "podman")
        serve = podman.command(binary(), "serve", "--config", config)
        # Ended with everything else of this user.
        with subprocess.Popen(serve, env=podman.environment, stderr=subprocess.PIPE, text=True,
                              stdin=subprocess.DEVNULL) as gate:  # fmt: skip
            while gate.stderr.readline() != "egret: ready\n":
                assert gate.poll() is None
            denial = podman.ran("podman", "run", "--rm", *LIMITS, "--annotation",
                                "egret.sandbox=web", "--network", "none", IMAGE,
                                "curl", "-sS", "http://evil.example/")  # fmt: skip
            assert_denial_body(denial, "host_not_allowed", "evil.example", 80)
            gate.kill()
