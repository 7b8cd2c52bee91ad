"""Bad input at start-up: status 2, where it stands (file:line:column), what is wrong and what to
write instead. Nothing is started."""

import os
import re
import socket

import pytest

PLACE = re.compile(r"egret\.yaml:(\d+):(\d+): (.+)")


def faults(done):
    assert done.returncode == 2, f"{done.returncode}: {done.stdout}{done.stderr}"
    return [(int(line), text) for line, _, text in PLACE.findall(done.stdout + done.stderr)]


def marked_line(text):
    """The number of the line that ends in `# here`."""
    return 1 + text[: text.index("# here")].count("\n")


CASES = {
    "unknown key": ("version: 1\nalow: []  # here\n", "alow", None),
    "unknown key in a rule": (
        'version: 1\nsandboxes:\n  web:\n    rules:\n      - alow: "a.demo.test"  # here\n',
        "alow",
        "allow",
    ),
    "null list": ("version: 1\nsandboxes:\n  web:\n    rules:  # here\n", "rules", None),
    "scalar where a list belongs": (
        "version: 1\nsandboxes:\n  web:\n    rules: api.demo.test  # here\n",
        "list",
        None,
    ),
    "wrong type": ("version: 1\nworkers: many  # here\n", "workers", "digits"),
    "negative number": ("version: 1\nworkers: -2  # here\n", "workers", "from 1 to"),
    "unknown version": ("version: 7  # here\n", "version", "version: 1"),
    "upper-case host": (
        "version: 1\nsandboxes:\n  web:\n    rules:\n      - allow: API.Demo.Test  # here\n",
        "API.Demo.Test",
        "api.demo.test",
    ),
    "wildcard above a public suffix": (
        'version: 1\nsandboxes:\n  web:\n    rules:\n      - allow: "*.com"  # here\n',
        "*.com",
        None,
    ),
    "a URL where a host belongs": (
        "version: 1\nsandboxes:\n  web:\n    rules:\n      - allow: https://a.demo.test/  # here\n",
        "https://a.demo.test/",
        "a.demo.test",
    ),
    "unknown profile": (
        "version: 1\nsandboxes:\n  web: {profiles: [githb-read]}  # here\n",
        "githb-read",
        "github-read",
    ),
    "unknown secret": ("version: 1\nsandboxes:\n  web: {secrets: [NOPE]}  # here\n", "NOPE", None),
    "secret without hosts": (
        "version: 1\nsecrets:\n  T:  # here\n    from: env:T\n",
        "hosts",
        None,
    ),
    "duplicate key": ("version: 1\nversion: 1  # here\n", "version", None),
    "bad port": (
        "version: 1\nlisten:\n  - {address: '127.0.0.1:70000', sandbox: web}  # here\n",
        "70000",
        None,
    ),
    "listener of an unknown sandbox": (
        "version: 1\nlisten:\n  - {address: '127.0.0.1:0', sandbox: nope}  # here\n",
        "nope",
        None,
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("verb", ["serve", "config check"])
def test_a_mistake_is_named_with_its_place_and_what_to_write(make_home, case, verb):
    text, names, instead = case
    line = marked_line(text)
    found = faults(make_home(text).cli(verb))
    # A list entry or a block may be placed at its first line or at the value below it.
    told = [message for at, message in found if at in (line, line + 1)]
    assert any(names in message for message in told), found
    if instead:
        assert any(instead in message for message in told), found


@pytest.mark.parametrize("verb", ["serve", "run", "check", "env", "config check"])
def test_broken_yaml_is_named_with_its_place_by_every_verb(make_home, verb):
    home = make_home("version: 1\nsandboxes:\n  web: {rules: [\n")
    arguments = {"run": ["--", "true"], "check": ["https://a.demo.test/"]}.get(verb, [])
    found = faults(home.cli(verb, *arguments))
    assert found and 1 <= found[0][0] <= 4


def test_all_mistakes_are_reported_at_once(make_home):
    home = make_home("version: 1\nalow: 1\nworkers: many\nsandboxes:\n  web: {profiles: [nope]}\n")
    assert {line for line, _ in faults(home.cli("config check"))} >= {2, 3, 5}


def test_a_good_file_passes_and_its_effective_policy_can_be_shown(make_home, demo):
    home = make_home(demo())
    home.cli("config check", check=0)
    shown = home.cli("config show", check=0).stdout
    assert "api.demo.test" in shown and re.search(r"egret\.yaml:\d+", shown)


def test_a_file_that_is_not_there_is_named(make_home):
    home = make_home("version: 1\n")
    home.config_file.unlink()
    done = home.cli("serve")
    assert done.returncode == 2 and str(home.config_file) in done.stderr


def test_a_secret_that_cannot_be_resolved_is_named(make_home, demo):
    done = make_home(demo(secrets=["DEMO_TOKEN"])).cli("serve")
    assert done.returncode == 2
    assert "DEMO_TOKEN" in done.stderr and "DEMO_REAL" in done.stderr


@pytest.mark.parametrize(
    "content, mode",
    [
        (None, 0o600),
        ("", 0o600),
        ("ghp_0123456789abcdef", 0o644),
        ("two\nlines-of-secret", 0o600),
    ],
)
def test_a_secret_file_that_cannot_be_used_is_named_and_not_shown(
    make_home, demo, directory, content, mode
):
    file = directory / "token"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    config = demo(secrets=["DEMO_TOKEN"])
    config["secrets"]["DEMO_TOKEN"]["from"] = f"file:{file}"
    done = make_home(config).cli("serve")
    assert done.returncode == 2
    assert "DEMO_TOKEN" in done.stderr and str(file) in done.stderr
    assert not content or content.split("\n")[-1] not in done.stderr


def test_a_port_in_use_is_named(make_home, demo):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        config = demo()
        config["listen"] = [{"address": address, "sandbox": "web"}]
        done = make_home(config).cli("serve")
    assert done.returncode == 2
    assert address in done.stderr and "in use" in done.stderr.lower()


@pytest.mark.parametrize("content", [None, "not a certificate\n"])
def test_an_unreadable_ca_is_named(make_home, demo, directory, content):
    file = directory / "corp-root.pem"
    if content:
        file.write_text(content)
    config = demo()
    config["origins"]["ca_files"] = [str(file)]
    done = make_home(config).cli("serve")
    assert done.returncode == 2 and str(file) in done.stderr


def test_an_audit_file_that_cannot_be_opened_is_named(make_home, demo, directory):
    link = directory / "audit.jsonl"
    link.symlink_to(directory / "elsewhere.jsonl")
    done = make_home(demo(audit={"file": str(link)})).cli("serve")
    assert done.returncode == 2 and str(link) in done.stderr
    assert not (directory / "elsewhere.jsonl").exists()


def test_a_config_that_others_can_write_is_refused(make_home, demo):
    home = make_home(demo())
    os.chmod(home.config_file, 0o666)
    done = home.cli("serve")
    assert done.returncode == 2 and str(home.config_file) in done.stderr


def test_a_ca_key_that_others_can_read_is_refused(start_gate, demo):
    gate = start_gate(demo())
    gate.stop()
    keys = [path for path in gate.home.state.rglob("*.key")]
    assert keys
    keys[0].chmod(0o644)
    done = gate.home.cli("serve")
    assert done.returncode == 2 and str(keys[0]) in done.stderr


def test_every_verb_has_help_with_an_example(make_home):
    home = make_home()
    for flag in ("--help", "--version"):
        assert home.cli(flag, check=0).stdout
    for verb in "run serve check env ca audit config status reload".split():
        assert f"egret {verb}" in home.cli(verb, "--help", check=0).stdout
