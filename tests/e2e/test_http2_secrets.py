"""Secrets in HTTP/2 heads towards an origin (ATTACKS E16): literal and never indexed, so that no
table, no later block and no intermediary keeps them."""

import base64

import hpack
import pytest

from support.h2_origin import H2Origin
from support.h2_raw import H2Client

API = "api.demo.test"


@pytest.fixture
def h2_origin(authority):
    with H2Origin(authority) as origin:
        yield origin


@pytest.mark.parametrize("place", ["header", "basic", "header:x-token", "query:key", "path"])
def test_a_secret_is_never_put_into_the_compression_table(
    start_gate, demo, canary, h2_origin, place
):
    places = ["header"] if place == "basic" else [place]
    config = demo(secrets=["DEMO_TOKEN"], places=places, pins={API: h2_origin.pin})
    gate = start_gate(config, {"DEMO_REAL": canary.value}, [canary])
    placeholder = gate.client_environment()["DEMO_TOKEN"]
    path, fields = "/x", []
    if place == "header":
        fields = [("authorization", f"Bearer {placeholder}")]
    elif place == "basic":
        login = base64.b64encode(f"me:{placeholder}".encode()).decode()
        fields = [("authorization", f"Basic {login}")]
    elif place == "header:x-token":
        fields = [("x-token", placeholder)]
    elif place == "query:key":
        path = f"/x?key={placeholder}&a=b"
    else:
        path = f"/bot{placeholder}/x"
    with H2Client(gate) as client:
        for _ in range(3):
            assert client.ask(path, fields=fields).status == 200
    requests = h2_origin.requests
    assert len(requests) == 3
    for request in requests:
        carriers = [pair for pair in request.message.heads[0] if carries(pair, canary.value)]
        assert len(carriers) == 1, "the origin got the secret, once"
        assert isinstance(carriers[0], hpack.NeverIndexedHeaderTuple), carriers[0][0]
    tables = [c.peer.decoder.header_table for c in h2_origin.connections]
    entries = [entry for table in tables for entry in table.dynamic_entries]
    assert not any(carries((n.decode(), v.decode()), canary.value) for n, v in entries)


def carries(pair, secret):
    secret = secret.decode() if isinstance(secret, bytes) else secret
    value = pair[1]
    if value.startswith("Basic "):
        value = base64.b64decode(value[6:]).decode()
    return secret in value


def test_credentials_without_a_grant_stay_out_of_the_table_too(start_gate, demo, h2_origin):
    gate = start_gate(demo(pins={API: h2_origin.pin}))
    fields = [("authorization", "Bearer own"), ("x-api-key", "own"), ("x-plain", "plain")]
    with H2Client(gate) as client:
        client.ask("/x", fields=fields)
    kinds = {
        name: type(pair) for pair in h2_origin.requests[0].message.heads[0] for name in pair[:1]
    }
    assert kinds["authorization"] is kinds["x-api-key"] is hpack.NeverIndexedHeaderTuple
    assert kinds["x-plain"] is hpack.HeaderTuple
