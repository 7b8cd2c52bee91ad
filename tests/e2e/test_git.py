"""git over HTTPS with a token in Basic authentication, against git-http-backend behind nginx."""

import base64
import os

import pytest

from support.git_origin import GitOrigin, git

HOST = "git.demo.test"


@pytest.fixture
def git_origin(directory, authority, canary):
    with GitOrigin(directory / "git", authority, canary.value, name=HOST) as running:
        yield running


@pytest.fixture
def git_config(demo, git_origin):
    config = demo(secrets=["DEMO_TOKEN"], pins={HOST: git_origin.pin})
    config["secrets"]["DEMO_TOKEN"]["hosts"] = [HOST]
    return config


def change_and_push(clone, environment):
    # Incompressible and larger than http.postBuffer: the push is chunked, after an empty probe.
    (clone / "new.bin").write_bytes(os.urandom(3_000_000))
    git("add", ".", cwd=clone)
    git("commit", "-qm", "second", cwd=clone)
    git("push", "origin", "main", cwd=clone, environment=environment, seconds=40)


def test_clone_and_push_with_a_placeholder_as_the_password(
    start_gate, git_config, git_origin, directory, canary
):
    gate = start_gate(git_config, {"DEMO_REAL": canary.value}, [canary])
    environment = gate.client_environment()
    url = f"https://x-access-token:{environment['DEMO_TOKEN']}@{HOST}/demo.git"
    done = git("clone", url, "clone", cwd=directory, environment=environment)
    gate.home.assert_no_canary(stdout=done.stdout, stderr=done.stderr)
    assert (directory / "clone" / "readme.txt").read_text().startswith("hello from the git origin")
    change_and_push(directory / "clone", environment)
    assert git_origin.log_of() == ["second", "first"]

    real = base64.b64encode(f"x-access-token:{canary.value}".encode()).decode()
    log = git_origin.access_log().splitlines()
    assert any(f'x-access-token "Basic {real}"' in line for line in log)
    assert environment["DEMO_TOKEN"] not in (directory / "clone" / ".git" / "FETCH_HEAD").name
    used = [r for r in gate.audit.records(event="request", host=HOST) if r.get("secrets")]
    assert used and all(r["secrets"][0]["in"] == "header:authorization" for r in used)


def test_git_asks_without_credentials_first_and_the_challenge_gets_through(
    start_gate, git_config, git_origin, directory, canary
):
    gate = start_gate(git_config, {"DEMO_REAL": canary.value}, [canary])
    environment = gate.client_environment()
    helper = "!f() { echo username=x-access-token; echo password=$DEMO_TOKEN; }; f"
    git("-c", f"credential.helper={helper}", "clone", f"https://{HOST}/demo.git", "clone",
        cwd=directory, environment=environment)  # fmt: skip
    statuses = [line.split()[2] for line in git_origin.access_log().splitlines()]
    assert statuses[0] == "401" and "200" in statuses


def test_the_real_token_of_the_attacker_does_not_pass(
    start_gate, git_config, git_origin, directory, canary
):
    gate = start_gate(git_config, {"DEMO_REAL": canary.value}, [canary])
    environment = gate.client_environment()
    url = f"https://x-access-token:attackers-own-token@{HOST}/demo.git"
    done = git("clone", url, "clone", cwd=directory, environment=environment, check=False)
    assert done.returncode != 0
    gate.audit.wait_for(event="request", decision="deny", reason="foreign_credential")


def test_clone_and_push_inside_a_sandbox_with_no_proxy_variables(
    make_home, git_config, git_origin, canary
):
    home = make_home(git_config, {"DEMO_REAL": canary.value}, [canary])
    script = f"""
      set -e
      env | grep -i _proxy= && exit 9
      export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
      git clone -q "https://x-access-token:$DEMO_TOKEN@{HOST}/demo.git" clone
      cd clone
      echo more > more.txt
      git add . ; git commit -qm second
      git push -q origin HEAD:main
    """
    done = home.run("sh", "-c", script, seconds=50)
    assert done.returncode == 0, done.stderr
    assert git_origin.log_of() == ["second", "first"]
