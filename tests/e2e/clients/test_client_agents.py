"""Coding agents from npm inside a sandbox, against a fake API of their provider on loopback that
streams: they know the placeholder only, the API gets the real key."""

import os
import subprocess
from pathlib import Path

import pytest

from support import model_api
from support.canary import Canary
from support.home import ROOT
from support.nginx import Http2Origin

# Outside the project's own files; kept, because it is most of a gigabyte.
INSTALLED = Path(os.environ.get("EGRET_AGENTS", ROOT / "build/clients/agents"))
PACKAGES = {
    "claude": "@anthropic-ai/claude-code@2.1.330",
    "codex": "@openai/codex@0.169.0",
    "gemini": "@google/gemini-cli@0.61.0",
}
ASK = "Say something."

# Its own sandbox would be a second one inside this.
CODEX = f"""
  export CODEX_HOME="$OWN" CODEX_API_KEY="$OPENAI_API_KEY"
  "$AGENTS/codex" exec --skip-git-repo-check -s danger-full-access "{ASK}"
"""

AFTERWARDS = """
  status=$?
  env
  cat /proc/*/environ /proc/*/cmdline 2>/dev/null
  exit $status
"""


@pytest.fixture(scope="module")
def agents():
    """The folder with their programs, installed the first time."""
    marker = INSTALLED / "installed.txt"
    wanted = "\n".join(PACKAGES.values())
    if not marker.exists() or marker.read_text() != wanted:
        INSTALLED.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--prefix", ".", *PACKAGES.values()],
            cwd=INSTALLED,
            check=True,
            timeout=300,
        )
        marker.write_text(wanted)
    return INSTALLED / "node_modules/.bin"


# Codex asks its API for a WebSocket first.
SOCKET = """
    location = /v1/responses {{
      if ($request_method = GET) {{ rewrite .* /socket; }}
      proxy_pass http://127.0.0.1:{origin};
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_buffering off;
    }}
    location = /socket {{
      internal;
      proxy_pass https://127.0.0.1:{socket}/v1/responses;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }}
"""


@pytest.fixture
def openai_socket(authority):
    with model_api.OpenaiSocket(authority, "api.openai.com") as running:
        yield running


@pytest.fixture
def run_agent(make_home, directory, authority, origin, openai_socket, agents, request):
    """run_agent(profile, variable, canary, script): the script finds the agents in $AGENTS and a
    folder of its own in $OWN."""
    names = model_api.HOSTS
    socket = SOCKET.format(origin=origin.port, socket=openai_socket.port)
    more = socket if request.node.get_closest_marker("with_socket") else ""
    with Http2Origin(directory / "api", authority, origin, *names, more=more) as front:
        model_api.serve(origin)

        def run(profile, variable, canary, script):
            config = {
                "version": 1,
                "origins": {
                    "ca_files": [str(authority.ca_file)],
                    "resolve": {name: front.pin for name in names},
                },
            }
            home = make_home(config, {variable: canary.value}, [canary])
            own = home.directory / "own"
            own.mkdir()
            (own / "tmp").mkdir()
            environment = {"AGENTS": str(agents), "OWN": str(own), "TERM": "xterm-256color"}
            flags = ["--profile", profile, "--secret", variable, "--rw", INSTALLED, "--rw", own]
            done = home.run("sh", "-c", script + AFTERWARDS, flags=flags, seconds=120,
                            environment=environment)  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert f"{variable}=" in done.stdout
            for path in (path for path in own.rglob("*") if path.is_file()):
                canary.assert_absent(**{str(path): path.read_bytes()})
            return home, done.stdout

        yield run


def keys_presented(origin, field):
    """The values of this field at the requests that carried it."""
    return {request.get(field) for request in origin.requests if request.get(field)}


@pytest.mark.limit(400)
def test_claude_code(run_agent, origin):
    canary = Canary("sk-ant-api03-", 108)
    script = f"""
      export CLAUDE_CONFIG_DIR="$OWN"
      "$AGENTS/claude" -p "{ASK}"
    """
    _, said = run_agent("anthropic", "ANTHROPIC_API_KEY", canary, script)
    assert model_api.ANSWER in said
    assert "POST /v1/messages?beta=true" in origin.targets()
    assert keys_presented(origin, "x-api-key") == {canary.value}


@pytest.mark.limit(400)
def test_codex(run_agent, origin):
    canary = Canary("sk-proj-", 164)
    _, said = run_agent("openai", "OPENAI_API_KEY", canary, CODEX)
    assert model_api.ANSWER in said
    assert "POST /v1/responses" in origin.targets()
    assert keys_presented(origin, "authorization") == {f"Bearer {canary.value}"}


@pytest.mark.limit(400)
@pytest.mark.with_socket
def test_codex_over_a_websocket(run_agent, origin, openai_socket):
    canary = Canary("sk-proj-", 164)
    _, said = run_agent("openai", "OPENAI_API_KEY", canary, CODEX)
    assert model_api.ANSWER in said
    assert len(openai_socket.messages) >= 1
    fields = {name.lower(): value for name, value in openai_socket.handshakes[0][1]}
    assert fields["authorization"] == f"Bearer {canary.value}"
    assert "POST /v1/responses" not in origin.targets()


@pytest.mark.limit(400)
def test_gemini_cli(run_agent, origin):
    node = subprocess.run(["node", "-p", "process.versions.node"], capture_output=True, text=True)
    if int(node.stdout.split(".")[0]) < 20:
        pytest.skip(f"NOT CHECKED: Gemini CLI needs node 20, this is {node.stdout.strip()}")
    canary = Canary("AIza", 39)
    # A model of one's own choice: else it first asks another model which one to take.
    script = f"""
      export HOME="$OWN"
      "$AGENTS/gemini" --skip-trust -m gemini-2.5-flash -p "{ASK}"
    """
    _, said = run_agent("google-ai", "GEMINI_API_KEY", canary, script)
    assert model_api.ANSWER in said
    assert any(target.endswith(":streamGenerateContent?alt=sse") for target in origin.targets())
    assert keys_presented(origin, "x-goog-api-key") == {canary.value}
