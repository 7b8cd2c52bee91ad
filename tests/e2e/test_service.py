"""The gate as a system service: what a service manager hears from it and gives to it, and the unit
files of sandbox-glue/service. No systemd runs here: its parts that run without one do."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys

import pytest

from support import raw_client, unit_sandbox
from support.clients import curl, curl_status
from support.denial import assert_denied
from support.home import ROOT, SANITIZERS, binary
from support.networks import ran
from support.notify_socket import NotifySocket, credentials_directory, passing_sockets
from support.waiting import wait_until

API = "api.demo.test"
SERVICE = ROOT / "sandbox-glue/service"
UNIT = SERVICE / "egret.service"
WITH_SANITIZER = any(name in os.environ for name in ("EGRET_TIME_FACTOR", *SANITIZERS))


# --- sd_notify


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_the_manager_hears_of_being_ready_reloading_and_stopping(start_gate, demo, directory, kind):
    name = f"@egret-e2e-{os.getpid()}" if kind == "abstract" else str(directory / "notify")
    with NotifySocket(name) as manager:
        gate = start_gate(demo(), {"NOTIFY_SOCKET": name})
        assert manager.wait("READY") == {
            "READY": "1",
            "STATUS": "3 sandboxes, 2 listeners, generation 1",
        }
        os.kill(gate.pid, signal.SIGHUP)
        assert int(manager.wait("RELOADING")["MONOTONIC_USEC"]) > 0
        assert manager.wait("READY")["STATUS"].endswith("generation 2")
        assert manager.silent()
        gate.stop()
        assert manager.wait("STOPPING") == {"STOPPING": "1"}
        assert manager.silent()


def test_a_refused_reload_is_told_and_the_gate_stays_ready(start_gate, demo, directory):
    with NotifySocket(str(directory / "notify")) as manager:
        gate = start_gate(demo(), {"NOTIFY_SOCKET": manager.name})
        manager.wait("READY")
        gate.client_environment()  # before the file is broken
        gate.home.write_config("version: 1\nsandboxes: {web: {rules: [{alow: x.test}]}}\n")
        gate.home.cli("reload", check=2)  # what ExecReload= runs: it fails with the gate's answer
        manager.wait("RELOADING")
        status = manager.wait("READY")["STATUS"]
        assert "reload refused" in status and "alow" in status
        assert curl_status(gate, f"https://{API}/fixed/2") == 200


def test_a_gate_that_cannot_start_never_says_ready(make_home, demo, directory):
    with NotifySocket(str(directory / "notify")) as manager:
        # Its secret is not there.
        home = make_home(demo(secrets=["DEMO_TOKEN"]), {"NOTIFY_SOCKET": manager.name})
        home.cli("serve", check=2)
        assert manager.silent()


def test_no_program_of_the_gate_can_speak_for_it(start_gate, demo, directory, canary):
    """A program named by `exec:` finds neither the manager's socket nor the listeners."""
    seen = directory / "seen"
    tool = directory / "tool"
    tool.write_text(f"#!/bin/sh\nenv > {seen}\nls -l /proc/$$/fd >> {seen}\necho {canary.value}\n")
    tool.chmod(0o700)
    config = demo(secrets=["DEMO_TOKEN"])
    config["secrets"]["DEMO_TOKEN"]["from"] = f"exec:{tool}"
    with NotifySocket(str(directory / "notify")) as manager, listening() as socket_:
        config["listen"] = [entry(socket_)]
        start_gate(config, {"NOTIFY_SOCKET": manager.name}, [canary],
                   wrap=lambda command: passing_sockets([socket_], command))  # fmt: skip
        manager.wait("READY")
    told = seen.read_text()
    assert "NOTIFY_SOCKET" not in told and "LISTEN_" not in told and "socket:" not in told


# --- socket activation


def listening(address="127.0.0.1"):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, 0), family=family)


def entry(listener, sandbox="web"):
    host, port = listener.getsockname()[:2]
    return {"address": f"[{host}]:{port}" if ":" in host else f"{host}:{port}", "sandbox": sandbox}


def test_sockets_of_the_manager_serve_the_entries_of_their_addresses(start_gate, demo, directory):
    """In any order, beside a listener that the gate opens itself; each is its own sandbox."""
    path = str(directory / "web.sock")
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(path)
    unix.listen()
    with listening() as four, listening("::1") as six, unix:
        config = demo()
        config["listen"] = [entry(four, "web"), entry(six, "other"), {"unix": path, "sandbox": "web"},
                            {"address": "127.0.0.1:0", "sandbox": "other"}]  # fmt: skip
        gate = start_gate(config, wrap=lambda command: passing_sockets([unix, six, four], command))
        asked = {
            "/four": (four.getsockname(), "web"),
            "/six": (six.getsockname()[:2], "other"),
            "/unix": (path, "web"),
            "/own": (gate.address("other"), "other"),
        }
        for target, (address, sandbox) in asked.items():
            answer = raw_client.get_in_tunnel(address, API, gate.ca_file(sandbox), target)
            assert answer.status == 200
            assert gate.audit.one(event="request", path=target)["sandbox"] == sandbox
        gate.stop()
        assert os.path.exists(path), "the manager's socket file is the manager's"


def test_a_connection_made_before_the_gate_runs_is_served(start_gate, demo):
    with listening() as listener:
        config = demo()
        config["listen"] = [entry(listener)]
        early = socket.create_connection(listener.getsockname())
        gate = start_gate(config, wrap=lambda command: passing_sockets([listener], command))
        with early:
            early.settimeout(10)
            early.sendall(f"CONNECT {API}:443 HTTP/1.1\r\nHost: {API}:443\r\n\r\n".encode())
            assert early.recv(100).startswith(b"HTTP/1.1 200")


def test_a_socket_that_no_entry_names_stops_the_start_and_names_both(make_home, demo):
    with listening() as listener:
        home = make_home(demo(listen=[{"address": "127.0.0.2:3128", "sandbox": "web"}]))
        command, options = passing_sockets([listener], home.command("serve"))
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=home.work,
                              env=home.environment, **options)  # fmt: skip
    assert done.returncode == 2
    port = listener_port(done.stderr)
    assert f"opened 127.0.0.1:{port}, and no `listen:`" in done.stderr
    assert "127.0.0.2:3128" in done.stderr and str(home.config_file) in done.stderr


def listener_port(text):
    return re.search(r"opened 127\.0\.0\.1:(\d+)", text).group(1)


def test_a_descriptor_that_is_no_listener_stops_the_start(make_home, demo):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        home = make_home(demo())
        command, options = passing_sockets([datagrams], home.command("serve"))
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=home.work,
                              env=home.environment, **options)  # fmt: skip
    assert done.returncode == 2
    assert "descriptor 3 from the service manager is no listening" in done.stderr


def answered(path, ca_file):
    """Nothing while the socket is not there, or not yet listening."""
    try:
        return raw_client.get_in_tunnel(path, API, ca_file)
    except (FileNotFoundError, ConnectionRefusedError):
        return None


@pytest.mark.skipif(
    not shutil.which("systemd-socket-activate"), reason="NOT CHECKED: no systemd-socket-activate"
)
def test_systemds_own_tool_starts_the_gate_at_the_first_connection(make_home, demo, directory):
    path = str(directory / "web.sock")
    home = make_home({**demo(), "listen": [{"unix": path, "sandbox": "web"}]})
    ca_file = directory / "bundle.pem"
    ca_file.write_text(home.cli("ca bundle", "--sandbox", "web", check=0).stdout)
    passed = [f"-E{name}={value}" for name, value in home.environment.items()]
    process = subprocess.Popen(
        ["systemd-socket-activate", f"-l{path}", *passed, *home.command("serve")],
        stderr=subprocess.PIPE, text=True, cwd=home.work, env=home.environment,
    )  # fmt: skip
    try:
        assert wait_until(lambda: answered(path, ca_file), what="the socket").status == 200
    finally:
        process.terminate()
        stderr = process.communicate(timeout=20)[1]
    assert process.returncode == 0, stderr
    assert f"egret: listening on {path} (sandbox web)" in stderr


# --- credentials


def test_a_secret_comes_from_the_services_credentials(start_gate, demo, origin, directory, canary):
    config = demo(secrets=["DEMO_TOKEN"])
    config["secrets"]["DEMO_TOKEN"]["from"] = "credential:demo-token"
    kept = credentials_directory(directory / "credentials", demo_token=canary.value + "\n")
    gate = start_gate(config, {"CREDENTIALS_DIRECTORY": str(kept)}, [canary])
    token = gate.client_environment()["DEMO_TOKEN"]
    assert token.startswith("ghp_egret")
    curl(gate, "-H", f"Authorization: Bearer {token}", f"https://{API}/fixed/2")
    assert origin.requests[-1].head.all("Authorization") == [f"Bearer {canary.value}"]
    assert "credential:demo-token" in gate.home.cli("config show", check=0).stdout


def test_a_credential_that_is_not_there_stops_the_start_in_words(make_home, demo, directory):
    config = demo(secrets=["DEMO_TOKEN"])
    config["secrets"]["DEMO_TOKEN"]["from"] = "credential:demo-token"
    told = make_home(config).cli("serve", check=2).stderr
    assert "secret DEMO_TOKEN: credential demo-token: $CREDENTIALS_DIRECTORY is not set" in told
    kept = credentials_directory(directory / "credentials", other="x" * 20)
    told = make_home(config, {"CREDENTIALS_DIRECTORY": str(kept)}).cli("serve", check=2).stderr
    assert "look at LoadCredential=demo-token" in told


# --- the unit files


def test_the_unit_is_exposed_less_than_two_of_ten():
    told = ran("systemd-analyze", "security", "--offline=true", "--no-pager", UNIT)
    score = float(re.search(r"exposure level for egret.service: ([\d.]+)", told).group(1))
    assert score < 2.0, told


def test_systemd_finds_no_fault_in_the_units(directory):
    for name in ("egret.service", "egret.socket"):
        text = (SERVICE / name).read_text().replace("/usr/bin/egret", str(binary()))
        (directory / name).write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", "egret.service", "egret.socket"],
                          capture_output=True, text=True, timeout=30, cwd=directory)  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if "egret" in line]
    assert done.returncode == 0 and not ours, done.stderr


def test_the_example_in_etc_fits_the_units(make_home):
    """It is read without errors, and names the sockets and credentials of the unit files."""
    example = ROOT / "config/examples/service.yaml"
    text = example.read_text()
    home = make_home(text)
    assert "ok, 3 sandboxes" in home.cli("config check", check=0).stdout
    shown = home.cli("config show", check=0).stdout
    for where in unit_sandbox.settings(SERVICE / "egret.socket")["ListenStream"]:
        assert re.search(rf"^listen .*{re.escape(where)} ", shown, re.M), shown
    loaded = unit_sandbox.settings(SERVICE / "credentials.conf")["LoadCredential"]
    assert {line.split(":")[0] for line in loaded} == set(re.findall(r"from: credential:(\S+)", text))
    assert "state: /var/lib/egret" in text
    assert unit_sandbox.settings(UNIT)["StateDirectory"] == ["egret"]


@pytest.mark.skipif(WITH_SANITIZER, reason="NOT CHECKED: a sanitizer needs more system calls")
def test_the_gate_does_all_of_its_work_under_the_units_system_call_rules(
    start_gate, demo, origin, directory, canary
):
    config = demo(secrets=["DEMO_TOKEN"])
    config["listen"].append({"unix": str(directory / "web.sock"), "sandbox": "web"})
    config["secrets"]["DEMO_TOKEN"]["from"] = f"exec:/bin/echo {canary.value}"
    launch = [sys.executable, unit_sandbox.__file__, str(UNIT)]
    with NotifySocket(str(directory / "notify")) as manager:
        gate = start_gate(config, {"NOTIFY_SOCKET": manager.name}, [canary],
                          wrap=lambda command: ([*launch, *command], {}))  # fmt: skip
        manager.wait("READY")
        token = gate.client_environment()["DEMO_TOKEN"]
        curl(gate, "-H", f"Authorization: Bearer {token}", f"https://{API}/fixed/2")
        assert origin.requests[-1].head.all("Authorization") == [f"Bearer {canary.value}"]
        sock = raw_client.get_in_tunnel(str(directory / "web.sock"), API, gate.ca_file(), "/fixed/3")
        assert sock.status == 200
        denied = raw_client.get_in_tunnel(gate.address(), "evil.example", gate.ca_file())
        assert_denied(denied, "host_not_allowed", host="evil.example")
        gate.home.cli("reload", check=0)
        manager.wait("RELOADING")
        manager.wait("READY")
    files = gate.home.state / "sandboxes/web"
    assert stat.S_IMODE((files / "ca-bundle.pem").stat().st_mode) == 0o644, "in spite of UMask="
