"""`egret run`: one command behind a gate of its own, without root and without proxy variables."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time

import pytest

from support.denial import assert_denial_body
from support.networks import needs_root
from support.waiting import wait_until

CA_VARIABLES = (
    "SSL_CERT_FILE CURL_CA_BUNDLE REQUESTS_CA_BUNDLE GIT_SSL_CAINFO NODE_EXTRA_CA_CERTS PIP_CERT "
    "AWS_CA_BUNDLE CARGO_HTTP_CAINFO DENO_CERT CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE "
    "NIX_SSL_CERT_FILE GRPC_DEFAULT_SSL_ROOTS_FILE_PATH BUNDLE_SSL_CA_CERT "
    "NPM_CONFIG_CAFILE"
).split()
PROXY_VARIABLES = "http_proxy https_proxy all_proxy no_proxy".split()


@pytest.fixture
def home(make_home, demo):
    return make_home(demo())


def environment_inside(home, **options):
    done = home.run("env", "-0", **options)
    assert done.returncode == 0, done.stderr
    return dict(pair.split("=", 1) for pair in done.stdout.split("\0") if pair)


def test_a_program_that_reads_no_variable_trusts_the_gate_too(home):
    # The system's own bundle is the sandbox's inside.
    done = home.run("env", "-i", "curl", "-sS", "https://api.demo.test/fixed/3")
    assert (done.returncode, done.stdout) == (0, "xxx"), done.stderr


# --- the command


@pytest.mark.parametrize("status", [0, 1, 3, 77, 255])
def test_the_exit_status_is_the_commands_own(home, status):
    assert home.run("sh", "-c", f"exit {status}").returncode == status


def test_a_command_killed_by_a_signal_ends_as_in_a_shell(home):
    assert home.run("sh", "-c", "kill -TERM $$").returncode in (
        128 + signal.SIGTERM,
        -signal.SIGTERM,
    )


def test_a_command_that_does_not_exist_says_so(home):
    done = home.run("no-such-command-anywhere")
    assert done.returncode == 127 and "no-such-command-anywhere" in done.stderr


def test_standard_streams_pass_through(home):
    done = home.run("sh", "-c", "cat; echo to stderr >&2", stdin="first\nsecond\n" * 5000)
    assert done.stdout == "first\nsecond\n" * 5000
    assert "to stderr" in done.stderr


def test_arguments_arrive_as_they_are(home):
    # What looks like a list is one: the argument parser once took such an argument apart.
    odd = ["a b", "", "*", "$HOME", "--config", "'\"", "-x", "ü", '[["x", 1], 2]', "a,b"]
    done = home.run(
        "/usr/bin/python3", "-c", "import sys, json; print(json.dumps(sys.argv[1:]))", *odd
    )
    assert json.loads(done.stdout) == odd


def test_one_summary_line_on_stderr_names_requests_denials_and_the_audit_file(home):
    done = home.run("sh", "-c", "curl -s http://api.demo.test/ http://evil.example/")
    lines = [line for line in done.stderr.splitlines() if str(home.audit.path) in line]
    assert len(lines) == 1, done.stderr
    assert re.search(r"\b2\b.*request", lines[0]) and re.search(r"\b1\b.*deni", lines[0]), lines[0]


def test_signals_reach_the_command(home):
    script = "trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    process = subprocess.Popen(
        home.command("run", "--sandbox", "web", "--", "sh", "-c", script),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        cwd=home.work, env=home.environment,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "caught\n"
        assert process.wait(10) == 5
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_nothing_of_the_sandbox_outlives_a_killed_egret(home):
    marker = 10_000_000 + os.getpid()  # seconds that no other process sleeps
    process = subprocess.Popen(
        home.command("run", "--sandbox", "web", "--", "sh", "-c", f"echo ready; sleep {marker}"),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        cwd=home.work, env=home.environment,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    process.kill()
    process.wait()
    process.stdout.close()
    wait_until(lambda: not processes_named(f"sleep\x00{marker}\x00"), what="the end of the command")


def processes_named(command_line):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                if file.read() == command_line:
                    found.append(int(pid))
        except OSError:
            continue
    return found


def test_a_command_that_does_nothing_is_quick(home):
    home.run("true")
    start = time.monotonic()
    assert home.run("true").returncode == 0
    taken = time.monotonic() - start
    print(f"egret run -- true: {taken * 1000:.0f} ms", file=sys.stderr)
    assert taken < float(os.environ.get("EGRET_TIME_FACTOR", "1"))


def test_a_terminal_passes_through(home):
    """script(1) gives it a terminal; inside, standard input must be one too."""
    command = shlex.join(
        home.command("run", "--sandbox", "web", "--", "sh", "-c", "test -t 0 && echo is-a-terminal")
    )
    done = subprocess.run(
        ["script", "-qec", command, "/dev/null"], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=30, cwd=home.work, env=home.environment,
    )  # fmt: skip
    # Before it, script(1) may have echoed the end of its own input.
    assert "is-a-terminal" in done.stdout, done.stdout


# --- its environment


def test_no_proxy_variable_is_set_and_the_ca_is_named_everywhere(home):
    inside = environment_inside(home, environment={"https_proxy": "http://127.0.0.1:9"})
    assert not [name for name in inside if name.lower() in PROXY_VARIABLES]
    missing = [name for name in CA_VARIABLES if name not in inside]
    assert not missing
    assert inside["EGRET_SANDBOX"] == "web"
    readable = home.run("sh", "-c", 'head -c 27 "$SSL_CERT_FILE"')
    assert readable.stdout == "-----BEGIN CERTIFICATE-----"


def test_the_command_sees_only_the_placeholder(make_home, demo, origin, canary):
    environment = {"DEMO_REAL": canary.value, "DEMO_TOKEN": canary.value}
    home = make_home(demo(secrets=["DEMO_TOKEN"]), environment, [canary])
    script = 'echo "$DEMO_TOKEN"; curl -s -H "Authorization: Bearer $DEMO_TOKEN" '
    done = home.run("sh", "-c", script + "https://api.demo.test/fixed/2")
    placeholder, body = done.stdout.split("\n")
    assert placeholder.startswith("ghp_egret") and body == "xx"
    assert origin.requests[0].get("authorization") == f"Bearer {canary.value}"
    # /proc of this and every other process in reach, and all files that can be read, are clean too.
    look = home.run("sh", "-c", "env; cat /proc/*/environ /proc/*/cmdline 2>/dev/null; true")
    assert canary.value not in look.stdout


def test_env_and_run_name_the_same_placeholder(make_home, demo, canary):
    config = demo(secrets=["DEMO_TOKEN"])
    config["listen"][0]["address"] = "127.0.0.1:3128"  # named, never opened
    home = make_home(config, {"DEMO_REAL": canary.value}, [canary])
    inside = home.run("sh", "-c", 'printf %s "$DEMO_TOKEN"').stdout
    assert inside == home.client_environment()["DEMO_TOKEN"]


# --- its network


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_curl_works_transparently(home, origin, scheme):
    done = home.run("curl", "-sS", f"{scheme}://api.demo.test/x")
    assert json.loads(done.stdout)["target"] == "/x"
    record = home.audit.one(event="request", path="/x")
    assert (record["capture"], record["sandbox"], record["decision"]) == ("netns", "web", "allow")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_denied_host_answers_403_in_words(home, origin, scheme):
    done = home.run("curl", "-sS", "-w", "\n%{http_code}", f"{scheme}://evil.example/")
    body, status = done.stdout.rsplit("\n", 1)
    assert status == "403", done.stderr
    assert_denial_body(body, "host_not_allowed", "evil.example", 443 if scheme == "https" else 80)
    origin.assert_untouched()


def test_without_any_configuration_everything_is_denied(make_home, origin):
    home = make_home()
    done = home.run("curl", "-sS", "-w", "%{http_code}", "-o", "/dev/null",
                    "https://api.github.com/", flags=())  # fmt: skip
    assert done.stdout == "403", done.stderr


def test_allow_on_the_command_line_opens_a_host(make_home, demo, authority):
    config = demo()
    config["sandboxes"] = {"web": {"profiles": ["strict"]}}
    config["listen"] = config["listen"][:1]
    home = make_home(config)
    ask = ("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "https://api.demo.test/")
    assert home.run(*ask).stdout == "403"
    flags = ("--sandbox", "web", "--allow", "api.demo.test")
    assert home.run(*ask, flags=flags).stdout == "200"


DIAL_ADDRESSES = """
import socket, sys
hosts, ports = sys.argv[1].split(), sys.argv[2].split()
for address in ("198.51.100.7", "2001:db8::7"):
    for port in ports:
        for host in hosts or [f"[{address}]" if ":" in address else address]:
            try:
                with socket.create_connection((address, port), 5) as sock:
                    sock.settimeout(5)
                    sock.sendall(f"GET / HTTP/1.1\\r\\nHost: {host}\\r\\n\\r\\n".encode())
                    answer = sock.recv(4096)
                print(address, port, answer[:12])
            except OSError as error:
                print(address, port, type(error).__name__)
"""


def test_a_direct_connection_to_an_address_gets_nowhere(home, origin):
    ports = f"22 80 443 8080 {origin.port}"
    done = home.run("/usr/bin/python3", "-c", DIAL_ADDRESSES, "", ports)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 10 and "HTTP/1.1 200" not in done.stdout
    home.audit.wait_for(decision="deny", reason="host_ip_literal")
    origin.assert_untouched()


def test_the_name_decides_where_to_and_never_the_address_that_was_dialled(home, origin):
    done = home.run("/usr/bin/python3", "-c", DIAL_ADDRESSES, "api.demo.test evil.example", "80")
    told = [line.split("HTTP/1.1 ")[1][:3] for line in done.stdout.splitlines()]
    assert told == ["200", "403"] * 2, done.stderr
    for record in home.audit.records(event="request", decision="allow"):
        assert record["target"]["address"] == "127.0.0.1", "where the gate itself found that name"
    assert len(origin.requests) == 2


def test_the_sandboxs_own_loopback_works(home):
    code = """
import socket
for address in ("127.0.0.1", "::1"):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as server:
        with socket.create_connection(server.getsockname()[:2], 5) as client:
            peer, _ = server.accept()
            with peer:
                peer.sendall(b"own")
                print(client.recv(3).decode())
"""
    assert home.run("/usr/bin/python3", "-c", code).stdout.split() == ["own", "own"]


# --- its files


def test_the_current_directory_is_writable_and_the_rest_is_not(home):
    outside = home.directory / "beside.txt"
    (home.directory / "home" / "private.txt").write_text("of the user")
    script = f"""
      echo inside > written.txt
      echo x > {outside} 2>/dev/null  # its own /tmp, where this is no file of the host's
      echo x > /usr/egret-e2e 2>/dev/null && echo wrote-usr
      cat "$HOME/private.txt" 2>/dev/null && echo read-home
      echo x > /tmp/ok && cat /tmp/ok
    """
    done = home.run("sh", "-c", script)
    assert done.stdout.split() == ["x"], done.stdout
    assert (home.work / "written.txt").read_text() == "inside\n"
    assert not outside.exists()


def test_rw_opens_one_more_path(home):
    extra = home.directory / "home" / "extra"
    extra.mkdir()
    flags = ("--sandbox", "web", "--rw", str(extra))
    assert home.run("sh", "-c", f"echo x > {extra}/file", flags=flags).returncode == 0
    assert (extra / "file").read_text() == "x\n"


def test_egrets_own_files_are_out_of_reach(make_home, demo, directory, canary):
    file = directory / "real-token"
    file.write_text(canary.value)
    file.chmod(0o600)
    config = demo(secrets=["DEMO_TOKEN"])
    config["secrets"]["DEMO_TOKEN"]["from"] = f"file:{file}"
    home = make_home(config, canaries=[canary])
    script = f"cat {file} {home.state}/audit.jsonl {home.config_file}; ls -a {home.state}; true"
    done = home.run("sh", "-c", script)
    assert "listen:" not in done.stdout and "gate" not in done.stdout
    assert "ca" not in [name.split(".")[0] for name in done.stdout.split()]


def test_no_descriptor_capability_or_socket_is_inherited(home):
    agent = home.directory / "home" / "agent.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(agent))
        server.listen()
        code = f"""
import json, os, socket
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
sock = socket.socket(socket.AF_UNIX)
try:
    sock.connect({str(agent)!r})
    reached = True
except OSError:
    reached = False
sock.close()
print(json.dumps({{
    "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:-1],
    "caps": [status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")],
    "no_new_privs": status["NoNewPrivs"].strip(),
    "agent": reached,
    "agent_variable": os.environ.get("SSH_AUTH_SOCK"),
    "pids": sorted(int(p) for p in os.listdir("/proc") if p.isdigit()),
}}))
"""
        environment = {
            "SSH_AUTH_SOCK": str(agent),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={agent}",
        }
        done = home.run("/usr/bin/python3", "-c", code, environment=environment)
    told = json.loads(done.stdout)
    assert told["fds"] == [0, 1, 2]
    assert {int(value, 16) for value in told["caps"]} == {0}
    assert told["no_new_privs"] == "1"
    assert told["agent"] is False
    assert len(told["pids"]) < 10, "only the sandbox's own processes are visible"


# --- its own errors


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "--"],
        ["run", "--no-such-flag", "--", "true"],
        ["run", "--profile", "no-such-profile", "--", "true"],
        ["run", "--secret", "NO_SUCH", "--", "true"],
        ["run", "--allow", "*.com", "--", "true"],
        ["no-such-verb"],
    ],
)
def test_wrong_usage_is_status_2_with_a_message(make_home, arguments):
    home = make_home()
    done = home.cli(arguments[0], *arguments[1:])
    assert done.returncode == 2
    assert done.stderr.strip()


def test_where_namespaces_are_forbidden_it_ends_with_77_and_names_the_setting(home):
    """Inside a user namespace whose own limit is zero, no further one can be made."""
    command = shlex.join(home.command("run", "--sandbox", "web", "--", "true"))
    script = f"echo 0 > /proc/sys/user/max_user_namespaces && exec {command}"
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", script],
        capture_output=True, text=True, timeout=30, cwd=home.work, env=home.environment,
    )  # fmt: skip
    assert done.returncode == 77, done.stderr
    assert "user_namespaces" in done.stderr or "userns" in done.stderr


@needs_root
def test_it_runs_where_the_process_namespace_has_few_processes(home):
    """As in a container: bubblewrap looks for its child by a number that means nothing outside."""
    command = shlex.join(home.command("run", "--sandbox", "web", "--", "echo", "inside"))
    script = f"for i in $(seq 60); do /bin/true; done; {command}"
    done = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", script],
        capture_output=True, text=True, timeout=30, cwd=home.work, env=home.environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "inside\n"


# Mounts and unmounts for as long as it lives, where the host passes that on to everybody.
FLICKER = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
paths = [os.fsencode(sys.argv[1]) + b"/%d" % n for n in range(300)]
for path in paths:
    os.mkdir(path)
print("ready", flush=True)
while True:
    for path in paths:
        libc.mount(b"egret-e2e", path, b"tmpfs", 0, b"size=4k")
    for path in paths:
        libc.umount2(path, 2)
"""


@needs_root
def test_mounts_that_come_and_go_on_the_host_do_not_disturb_a_start(make_home, directory):
    """As on any machine with containers: there every mount is shared."""
    home = make_home()
    folder = directory / "mounts"
    folder.mkdir()
    runs = " && ".join([shlex.join(map(str, home.command("run", "--quiet", "--", "true")))] * 12)
    script = f"""
mount --make-rshared /
/usr/bin/python3 -c '{FLICKER}' {folder} > {directory}/ready &
flicker=$!
while ! [ -s {directory}/ready ]; do sleep 0.05; done
{runs}
status=$?
kill $flicker
exit $status
"""
    done = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
                          cwd=home.work, env=home.environment, capture_output=True, text=True,
                          timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stderr
