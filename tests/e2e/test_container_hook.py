"""The hook for container runtimes: `podman run --annotation egret.sandbox=web --network none` is
gated without any wrapper, or does not start at all."""

import json
import subprocess
import tempfile
from pathlib import Path

import pytest

from support.containers import IMAGE, RootfulPodman, RootlessPodman, needs_podman
from support.denial import assert_denial_body
from support.home import binary
from support.leak_matrix import assert_nothing_gets_out
from support.root_filesystem import write_tar
from support.waiting import wait_until
from support.work_matrix import assert_work_succeeds

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
def hooked_gate(start_gate, podman, directory):
    """Starts a gate that serves what the hook attaches, and nothing else."""

    def start(config, *more, **options):
        del config["listen"]
        config["state"] = str(directory / "state")  # a hook has no environment to find it by
        gate = start_gate(config, *more, **options)
        gate.home.state = directory / "state"
        gate.home.audit.path = gate.home.state / "audit.jsonl"
        gate.home.environment.update(podman.environment)
        podman.add_hook(gate.home.config_file)
        return gate

    return start


@pytest.fixture
def gate(hooked_gate, demo):
    return hooked_gate(demo())


def podman_run(gate, *command, flags=("--network", "none"), sandbox="web"):
    bundle = gate.home.state / "sandboxes" / "web" / "ca-bundle.pem"
    annotation = ["--annotation", f"egret.sandbox={sandbox}"] if sandbox else []
    mount = ["--volume", f"{bundle}:{BUNDLE}:ro"] if bundle.exists() else []
    return ["podman", "run", "--rm", *LIMITS, *annotation, *mount, *flags, IMAGE, *command]


def run(podman, gate, *command, **options):
    return subprocess.run(podman_run(gate, *command, **options), env=gate.home.environment,
                          capture_output=True, text=True, timeout=30)  # fmt: skip


def test_nothing_gets_out_of_an_annotated_container(hooked_gate, leak_world, demo, make_home):
    gate = hooked_gate(demo(), wrap=lambda command: (leak_world.net.host.entering(*command), {}))
    run_inside = lambda command: leak_world.ran(podman_run(gate, *command), gate.home)
    # podman's own profile lets root inside make such sockets; loopback is all that they see, and
    # a hypervisor (40).
    own = ["packet", "family 17", "family 40", "family 44"]
    assert_nothing_gets_out(leak_world, gate.home, run_inside, documented=own, other=make_home())


def test_everyday_work_succeeds_in_an_annotated_container(podman, hooked_gate, work_world, canary):
    gate = hooked_gate(work_world.config(), work_world.environment, [canary])
    told = json.loads(gate.home.cli("env", "--sandbox", "web", "--json", check=0).stdout)
    flags = ["--network", "none", "--env", f"SSL_CERT_FILE={BUNDLE}",
             "--env", f"DEMO_TOKEN={told['DEMO_TOKEN']}"]  # fmt: skip

    def run_inside(command):
        done = run(podman, gate, *command, flags=flags)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert_work_succeeds(work_world, gate.home, run_inside)


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
