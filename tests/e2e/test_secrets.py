"""Placeholders and real secrets: the origin alone sees the real value, at its declared place."""

import base64
import json
import os
import stat

import pytest

from support import raw_client
from support.canary import Canary
from support.clients import curl, python
from support.denial import assert_denied

API = "api.demo.test"


def placeholder_of(gate, sandbox="web", name="DEMO_TOKEN"):
    return gate.home.client_environment(sandbox)[name]


def in_tunnel(gate, fields, host=API, target="/", method="GET", body=b"", sandbox="web"):
    with raw_client.tunnel(gate.address(sandbox), host, gate.ca_file(sandbox)) as stream:
        answer = raw_client.ask(stream, method, host, target, fields, body)
    gate.home.assert_no_canary(head=answer.head.raw, body=answer.body)
    return answer


def test_a_client_gets_only_a_placeholder_of_the_same_shape(secret_gate, canary):
    environment = secret_gate.home.client_environment()
    token = environment["DEMO_TOKEN"]
    assert token.startswith("ghp_egret") and len(token) == len(canary.value)
    assert environment["DEMO_TOKEN"] == placeholder_of(secret_gate), "minted once"
    assert placeholder_of(secret_gate, "other") != token, "each sandbox has its own"
    secret_gate.home.assert_no_canary(environment=json.dumps(environment))


@pytest.mark.parametrize(
    "field, shape",
    [
        ("Authorization", "Bearer {}"),
        ("Authorization", "token {}"),
        ("X-Api-Key", "{}"),
        ("Private-Token", "{}"),
    ],
)
def test_the_origin_receives_the_real_token(secret_gate, origin, canary, field, shape):
    token = placeholder_of(secret_gate)
    assert (
        in_tunnel(secret_gate, [f"{field}: {shape.format(token)}"], target="/fixed/2").body == b"xx"
    )
    (request,) = origin.requests
    assert request.head.all(field) == [shape.format(canary.value)]
    record = secret_gate.audit.one(event="request", decision="allow")
    assert record["secrets"] == [
        {"name": "DEMO_TOKEN", "in": f"header:{field.lower()}", "count": 1}
    ]


def test_a_placeholder_inside_basic_credentials_is_substituted(secret_gate, origin, canary):
    token = placeholder_of(secret_gate)
    curl(secret_gate, "-u", f"x-access-token:{token}", f"https://{API}/fixed/1")
    kind, value = origin.requests[0].get("authorization").split(" ")
    assert kind == "Basic"
    assert base64.b64decode(value).decode() == f"x-access-token:{canary.value}"


def test_a_basic_challenge_reaches_the_client(secret_gate):
    answer = in_tunnel(secret_gate, [], target="/basic")
    assert answer.status == 401 and answer.get("www-authenticate") == 'Basic realm="demo"'


def test_curl_and_python_send_the_real_token_without_knowing_it(secret_gate, origin, canary):
    token = placeholder_of(secret_gate)
    curl(secret_gate, "-H", f"Authorization: Bearer {token}", f"https://{API}/fixed/1")
    python(
        secret_gate,
        "import os, requests; requests.get('https://api.demo.test/fixed/1',"
        " headers={'Authorization': 'Bearer ' + os.environ['DEMO_TOKEN']}).raise_for_status()",
    )
    assert [r.get("authorization") for r in origin.requests] == [f"Bearer {canary.value}"] * 2


WRONG_PLACES = [
    ("a header of no credential", dict(fields=["X-Note: {}"])),
    ("user-agent", dict(fields=["User-Agent: demo/{}"])),
    ("cookie", dict(fields=["Cookie: session={}"])),
    ("a header's name", dict(fields=["{}: x"])),
    ("query", dict(target="/x?token={}")),
    ("path", dict(target="/x/{}")),
    ("body", dict(method="POST", fields=["Content-Length: 40"], body="{}")),
    (
        "chunked body",
        dict(method="POST", fields=["Transfer-Encoding: chunked"], body="28\r\n{}\r\n0\r\n\r\n"),
    ),
]


@pytest.mark.parametrize("ask", [ask for _, ask in WRONG_PLACES], ids=[i for i, _ in WRONG_PLACES])
@pytest.mark.parametrize("host", [API, "other.demo.test"])
def test_a_placeholder_in_the_wrong_place_is_refused_at_any_host(secret_gate, origin, ask, host):
    token = placeholder_of(secret_gate)
    fill = lambda text: text.replace("{}", token)
    answer = in_tunnel(
        secret_gate,
        [fill(field) for field in ask.get("fields", [])],
        host=host,
        target=fill(ask.get("target", "/")),
        method=ask.get("method", "GET"),
        body=fill(ask.get("body", "")).encode(),
    )
    assert answer.status in (400, 403)
    record = secret_gate.audit.one(event="request", host=host)
    if record["decision"] == "deny":
        assert record["reason"] in ("secret_location", "secret_scope", "header_invalid")
    else:  # a body is seen after the head has left; the exchange must end there, and say so
        assert secret_gate.audit.response_to(record)["error"] in ("secret_location", "secret_scope")
    assert token.encode() not in b"".join(bytes(c.received) for c in origin.connections)


def test_a_placeholder_at_another_host_is_refused(secret_gate, origin):
    token = placeholder_of(secret_gate)
    answer = in_tunnel(secret_gate, [f"Authorization: Bearer {token}"], host="other.demo.test")
    assert_denied(answer, "secret_scope", "other.demo.test", 443)
    secret_gate.audit.one(event="request", decision="deny", reason="secret_scope")
    assert not origin.requests


def test_a_placeholder_over_plain_http_is_refused(secret_gate, origin):
    token = placeholder_of(secret_gate)
    raw = f"GET http://{API}/ HTTP/1.1\r\nHost: {API}\r\nAuthorization: Bearer {token}\r\n\r\n"
    answer = raw_client.send_raw(secret_gate.address(), raw.encode())
    assert_denied(answer, "secret_insecure", API, 80)
    origin.assert_untouched()


def test_the_placeholder_of_another_sandbox_is_refused_with_an_alarm(secret_gate, origin):
    foreign = placeholder_of(secret_gate, "other")
    answer = in_tunnel(secret_gate, [f"Authorization: Bearer {foreign}"])
    assert_denied(answer, "secret_scope", API, 443)
    record = secret_gate.audit.one(event="request", decision="deny", reason="secret_scope")
    assert record["alarm"]
    assert not origin.requests


def test_a_placeholder_that_was_never_minted_is_refused_with_an_alarm(secret_gate, origin):
    invented = "ghp_egret" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p"
    answer = in_tunnel(secret_gate, [f"Authorization: Bearer {invented}"])
    assert_denied(answer, "secret_scope", API, 443)
    assert secret_gate.audit.one(event="request", decision="deny")["alarm"]
    assert not origin.requests


@pytest.mark.parametrize(
    "fields",
    [
        ["Authorization: Bearer attackers-own-key"],
        ["X-Api-Key: attackers-own-key"],
        ["Authorization: Basic " + base64.b64encode(b"me:attackers-own-key").decode()],
    ],
)
def test_a_foreign_credential_at_a_host_with_a_grant_is_refused(secret_gate, origin, fields):
    assert_denied(in_tunnel(secret_gate, fields), "foreign_credential", API, 443)
    assert not origin.requests


@pytest.mark.parametrize("pair", ["{}:ghp_TheAttackersOwn", "ghp_TheAttackersOwn:{}"])
def test_neither_half_of_basic_credentials_carries_a_foreign_one(secret_gate, origin, pair):
    pair = pair.format(placeholder_of(secret_gate)).encode()
    fields = ["Authorization: Basic " + base64.b64encode(pair).decode()]
    assert_denied(in_tunnel(secret_gate, fields), "foreign_credential", API, 443)
    assert not origin.requests


@pytest.mark.parametrize("name", ["key", "KEY", "%6Bey", "access_token", "access%5Ftoken", "token"])
def test_a_foreign_credential_in_the_query_is_refused(secret_gate, origin, name):
    answer = in_tunnel(secret_gate, [], target=f"/x?a=1&{name}=attackers-own-key")
    assert_denied(answer, "foreign_credential", API, 443)
    assert not origin.requests


def test_an_answer_that_may_hold_the_secret_is_asked_for_whole_and_readable(secret_gate, origin):
    """In a coding that the gate cannot read, or in ranges shorter than the secret, an echo would
    pass unseen."""
    token = placeholder_of(secret_gate)
    shy = ["Accept-Encoding: gzip;q=0.9, compress", "Range: bytes=0-3", 'If-Range: "tag"']
    in_tunnel(secret_gate, [f"Authorization: Bearer {token}", *shy])
    in_tunnel(secret_gate, shy, host="other.demo.test")
    in_tunnel(secret_gate, ["Accept-Encoding: compress"])
    in_tunnel(secret_gate, [])
    with_grant, without, *neither = origin.requests
    assert with_grant.head.all("accept-encoding") == ["gzip;q=0.9"]
    assert with_grant.get("range") is None and with_grant.get("if-range") is None
    assert without.get("accept-encoding") == "gzip;q=0.9, compress"
    assert without.get("range") == "bytes=0-3"
    assert [request.get("accept-encoding") for request in neither] == ["identity", "identity"]


def test_a_foreign_credential_elsewhere_is_nobodys_business(secret_gate, origin):
    answer = in_tunnel(secret_gate, ["Authorization: Bearer mine"], host="other.demo.test")
    assert answer.status == 200
    assert origin.requests[0].get("authorization") == "Bearer mine"


def test_a_secret_may_allow_foreign_credentials(start_gate, demo, origin, canary):
    config = demo(secrets=["DEMO_TOKEN"])
    config["secrets"]["DEMO_TOKEN"]["foreign"] = "allow"
    gate = start_gate(config, {"DEMO_REAL": canary.value}, [canary])
    assert in_tunnel(gate, ["Authorization: Bearer mine"]).status == 200
    assert origin.requests[0].get("authorization") == "Bearer mine"


def test_a_second_credential_beside_the_placeholder_is_refused(secret_gate, origin):
    token = placeholder_of(secret_gate)
    answer = in_tunnel(secret_gate, [f"Authorization: Bearer {token}", "Authorization: Bearer x"])
    assert answer.status in (400, 403)
    assert not origin.requests


@pytest.mark.parametrize("path", ["/reflect/body", "/reflect/header", "/reflect/location"])
def test_what_the_origin_echoes_is_redacted(secret_gate, canary, path):
    token = placeholder_of(secret_gate)
    answer = in_tunnel(secret_gate, [f"Authorization: Bearer {token}"], target=path)
    record = secret_gate.audit.one(event="request", path=path)
    assert secret_gate.audit.response_to(record)["redactions"] == 1
    assert answer.status in (200, 302)


def test_an_echo_is_redacted_wherever_it_is_split(secret_gate):
    token = placeholder_of(secret_gate)
    with raw_client.tunnel(secret_gate.address(), API, secret_gate.ca_file()) as stream:
        for size in range(1, 48):
            fields = [f"Authorization: Bearer {token}"]
            answer = raw_client.ask(stream, "GET", API, f"/reflect/chunks/{size}", fields)
            secret_gate.home.assert_no_canary(body=answer.body)
            assert answer.body.startswith(b"start [") and answer.body.endswith(b"] end")


@pytest.mark.parametrize(
    "places, ask",
    [
        (["header:x-demo-key"], dict(fields=["X-Demo-Key: {}"])),
        (["query:key"], dict(target="/x?a=1&key={}&b=2")),
        (["path"], dict(target="/bot{}/send")),
        (["body"], dict(method="POST", fields=["Content-Length: 48"], body="token=[{}]")),
    ],
    ids=["header", "query", "path", "body"],
)
def test_declared_places_are_substituted(start_gate, demo, origin, canary, places, ask):
    gate = start_gate(
        demo(secrets=["DEMO_TOKEN"], places=places), {"DEMO_REAL": canary.value}, [canary]
    )
    fill = lambda text: text.replace("{}", placeholder_of(gate))
    in_tunnel(
        gate,
        [fill(field) for field in ask.get("fields", [])],
        target=fill(ask.get("target", "/")),
        method=ask.get("method", "GET"),
        body=fill(ask.get("body", "")).encode(),
    )
    (request,) = origin.requests
    seen = request.head.raw + request.body
    assert seen.count(canary.value.encode()) == 1
    assert fill("{}").encode() not in seen
    path = gate.audit.one(event="request")["request"]["path"]
    assert canary.value not in path and "?" not in path


def test_every_source_of_a_secret_works(start_gate, demo, origin, directory):
    canaries = [Canary(), Canary(prefix="sk-"), Canary(prefix="", length=30)]
    file = directory / "token"
    file.write_text(canaries[1].value + "\n")
    file.chmod(0o600)
    script = directory / "print-token"
    script.write_text(f"#!/bin/sh\nprintf %s '{canaries[2].value}'\n")
    script.chmod(0o700)
    config = demo(secrets=["A", "B", "C"])
    for name, source in zip("ABC", ["env:REAL_A", f"file:{file}", f"exec:{script}"]):
        config["secrets"][name]["from"] = source
    gate = start_gate(config, {"REAL_A": canaries[0].value}, canaries)
    for name, canary in zip("ABC", canaries):
        token = placeholder_of(gate, name=name)
        assert in_tunnel(gate, [f"X-Api-Key: {token}"], target="/fixed/1").status == 200
        assert origin.requests[-1].get("x-api-key") == canary.value


def test_the_real_value_is_nowhere_in_the_gates_reach_of_others(secret_gate, canary):
    token = placeholder_of(secret_gate)
    in_tunnel(secret_gate, [f"Authorization: Bearer {token}"], target="/fixed/1")
    command_line = open(f"/proc/{secret_gate.pid}/cmdline", "rb").read()
    secret_gate.home.assert_no_canary(command_line=command_line)
    for path in secret_gate.home.state.rglob("*"):
        mode = stat.S_IMODE(os.lstat(path).st_mode)
        assert mode & 0o077 == 0 or path.suffix in (
            ".pem",
            ".crt",
            ".p12",
            ".jks",
        ), f"{path} is open to others ({mode:o})"
    limits = open(f"/proc/{secret_gate.pid}/limits").read()
    core = next(line for line in limits.split("\n") if line.startswith("Max core file size"))
    assert core.split()[4] == "0", "no core dumps"
