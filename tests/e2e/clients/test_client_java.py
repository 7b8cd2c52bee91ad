"""Java's HttpClient inside a sandbox: HTTP/1.1, HTTP/2, WebSocket, and the trust store that Egret
names in JAVA_TOOL_OPTIONS."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from support.denial import assert_denial_body
from support.websocket_origin import WebSocketOrigin

VERSION = pytest.mark.parametrize("version", ["HTTP_1_1", "HTTP_2"])
HOSTS = pytest.mark.parametrize("host", ["api.demo.test", "h2.demo.test"])
JAVA = "/usr/lib/jvm/java-17-openjdk-amd64/bin"


def tool(name):
    return f"{JAVA}/{name}" if Path(JAVA, name).exists() else name


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    out = tmp_path_factory.mktemp("classes")
    source = Path(__file__).with_name("Client.java")
    subprocess.run([tool("javac"), "-d", str(out), str(source)], check=True, timeout=60)
    return out


@pytest.fixture
def java(client_home, compiled):
    return lambda *arguments, home=client_home: ran(home, compiled, *arguments)


def ran(home, compiled, *arguments):
    shutil.copytree(compiled, home.work / "classes")
    done = home.run(tool("java"), "-cp", "classes", "Client", *arguments, seconds=40)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@HOSTS
@VERSION
def test_each_version_reaches_an_allowed_host(java, origin, canary, host, version):
    first, body = java("get", version, f"https://{host}/x")
    assert first == f"{version} 200" and json.loads(body)["target"] == "/x"
    assert origin.requests[0].get("authorization") == f"Bearer {canary.value}"


@VERSION
def test_a_refused_host_is_told_in_words(java, origin, version):
    first, *body = java("get", version, "https://evil.example/")
    assert first == f"{version} 403"
    assert_denial_body("".join(body), "host_not_allowed", "evil.example", 443)
    origin.assert_untouched()


def test_plain_http_works_where_java_is_told_not_to_ask_for_http2(java):
    first, body = java("get", "HTTP_1_1", "http://plain.demo.test/x")
    assert first == "HTTP_1_1 200" and json.loads(body)["tls"] is False


def test_the_upgrade_to_http2_without_tls_is_refused_in_words(java, origin):
    """Java asks for h2c over plain HTTP unless it is told HTTP_1_1."""
    first, *body = java("get", "HTTP_2", "http://plain.demo.test/x")
    assert first == "HTTP_1_1 400"
    told = json.loads("".join(body))
    assert told["reason"] == "upgrade_denied" and "use https" in told["hint"]
    origin.assert_untouched()


@HOSTS
@VERSION
def test_bodies_and_events_pass_both_ways(java, host, version):
    up, down, *events = java("bodies", version, f"https://{host}")
    assert json.loads(up)["bytes"] == 3 << 20 and int(down) == 3 << 20
    assert events == ["data: 0", "data: 1", "data: 2"]


@HOSTS
def test_many_requests_share_one_connection(java, client_home, host):
    assert java("many", "HTTP_2", f"https://{host}") == [str(sum(range(50)))]
    records = client_home.audit.wait_for(51, event="request", host=host)
    assert len({record["connection"] for record in records}) == 1


@VERSION
def test_websocket(java, make_home, demo, authority, canary, version):
    with WebSocketOrigin(authority) as server:
        config = demo(secrets=["DEMO_TOKEN"], pins={"ws.demo.test": server.pin})
        home = make_home(config, {"DEMO_REAL": canary.value}, [canary])
        said = java("websocket", version, "wss://ws.demo.test/", home=home)
    assert said == ["in two pieces", "binary 100000", "closed 4001 as asked"]
