"""What a stream may become, and where HTTP/2 is spoken at all (ATTACKS C14, E08, E13): CONNECT,
WebSocket over a stream (RFC 8441), HTTP/2 without TLS."""

import ssl

import pytest

from support import h2_raw, raw_client
from support.h2_raw import (
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    PROTOCOL_ERROR,
    H2Client,
    frame,
    get,
    literals,
)
from support.http1 import read_response
from support.pki import client_context
from support.websocket_origin import WebSocketOrigin

API = "api.demo.test"
MARK = "smuggled-mark"


def test_connect_in_a_stream_is_refused(gate, origin):
    pairs = [(":method", "CONNECT"), (":authority", f"{API}:443")]
    with H2Client(gate) as client:
        answer = client.wait(client.open(pairs, end=False))
        assert answer.status == 405, answer
        evil = client.wait(client.open([pairs[0], (":authority", "evil.test:443")], end=False))
        assert evil.status in (405, 421)
    origin.assert_untouched()
    assert len(gate.audit.wait_for(2, event="request", decision="deny")) == 2


@pytest.mark.parametrize(
    "protocol", ["connect-udp", "connect-ip", "webtransport", "WebSocket2", ""]
)
def test_an_extended_connect_for_anything_but_websocket_is_refused(gate, origin, protocol):
    with H2Client(gate) as client:
        answer = client.wait(
            client.open(get(API, "/x", "CONNECT", [])[:4] + [(":protocol", protocol)], end=False)
        )
        assert answer.reset is not None or answer.status in (400, 405, 501), answer
    origin.assert_untouched()
    gate.audit.one(event="request", decision="deny")


def test_protocol_without_connect_is_no_request(gate, origin):
    with H2Client(gate) as client:
        answer = client.wait(client.open([*get(API), (":protocol", "websocket")]))
        assert answer.reset == PROTOCOL_ERROR or answer.status == 400
    origin.assert_untouched()
    gate.audit.one(event="request", decision="deny")


PRIOR_KNOWLEDGE = PREFACE + h2_raw.settings() + frame(
    HEADERS, END_STREAM | END_HEADERS, 1, literals(get(API, f"/{MARK}"))
)  # fmt: skip


@pytest.mark.parametrize("where", ["plain port", "CONNECT to 80", "TLS without ALPN"])
def test_the_preface_is_refused_where_http2_was_not_agreed_on(gate, origin, where):
    if where == "plain port":
        stream = raw_client.dial(gate.address())
    elif where == "CONNECT to 80":
        stream, response = raw_client.connect(gate.address(), "plain.demo.test:80")
        assert response.status == 200
    else:
        stream = raw_client.tunnel(gate.address(), API, gate.ca_file())
    with stream:
        stream.send(PRIOR_KNOWLEDGE)
        said = stream.read_to_end()
    assert said == b"" or said.split()[1] in (b"400", b"405", b"505"), said
    origin.assert_untouched()
    assert gate.audit.wait_for(decision="deny")


def test_an_upgrade_to_h2c_is_refused(gate, origin):
    fields = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"]
    with raw_client.dial(gate.address()) as stream:
        target = f"http://plain.demo.test/{MARK}"
        stream.send(raw_client.request_bytes("GET", "plain.demo.test", target, fields))
        stream.send(PRIOR_KNOWLEDGE)
        assert read_response(stream).status == 400
        assert stream.at_end()
    origin.assert_untouched()
    gate.audit.one(event="request", reason="upgrade_denied")


ALPN = {
    "h2": (["h2"], "h2"),
    "both": (["http/1.1", "h2"], "h2"),
    "http/1.1": (["http/1.1"], "http/1.1"),
    "h3 first": (["h3", "http/1.1"], "http/1.1"),
    "nothing": ([], None),
    "nothing that we speak": (["h3", "spdy/3.1", "acme-tls/1", "h2c", "http/1.0"], None),
}


@pytest.mark.parametrize("offer", ALPN)
def test_only_what_was_agreed_on_is_spoken(gate, offer):
    """C14."""
    offered, expected = ALPN[offer]
    context = client_context(gate.ca_file())
    if offered:
        context.set_alpn_protocols(offered)
    stream, _ = raw_client.connect(gate.address(), f"{API}:443")
    with stream:
        try:
            raw_client.start_tls(stream, API, None, context)
        except ssl.SSLError:
            assert offer == "nothing that we speak"
            return
        assert stream.sock.selected_alpn_protocol() == expected
        if expected != "h2":
            assert raw_client.ask(stream, "GET", API, "/fixed/1").body == b"x"


def test_a_websocket_over_a_stream_beside_ordinary_ones(start_gate, demo, authority):
    """RFC 8441: the origin sees an upgrade as ever."""
    host = "ws.demo.test"
    with WebSocketOrigin(authority) as websockets:
        gate = start_gate(demo(pins={host: f"127.0.0.1:{websockets.port}"}))
        with H2Client(gate, host) as client:
            pseudo_fields = [*get(host, "/x", "CONNECT"), (":protocol", "websocket")]
            stream = client.open([*pseudo_fields, ("sec-websocket-version", "13")], end=False)
            answer = client.wait(stream, lambda message: message.heads)
            assert (answer.status, client.peer_settings[8]) == (200, 1)
            assert (
                not {"upgrade", "connection", "sec-websocket-accept"} & dict(answer.fields).keys()
            )
            for number in range(5):
                client.data(stream, b"\x81\x85\0\0\0\0hello", end=False)
                octets = 7 * (number + 1)
                assert (
                    client.wait(stream, lambda m, n=octets: m.body_bytes >= n).body_bytes == octets
                )
            assert answer.body == b"\x81\x05hello" * 5
            client.data(stream, b"\x88\x82\0\0\0\0\x03\xe8", end=False)  # close, 1000
            closed = client.wait(stream, lambda m: m.body.endswith(b"\x88\x02\x03\xe8"))
            assert closed.body == b"\x81\x05hello" * 5 + b"\x88\x02\x03\xe8"
        assert websockets.messages == ["hello"] * 5
    record = gate.audit.one(event="request", path="/x")
    assert gate.audit.response_to(record)["frames"] == {"up": 6, "down": 6}


def test_a_websocket_that_breaks_its_framing_ends_its_stream_only(start_gate, demo, authority):
    host = "ws.demo.test"
    with WebSocketOrigin(authority) as websockets:
        gate = start_gate(demo(pins={host: f"127.0.0.1:{websockets.port}"}))
        with H2Client(gate, host) as client:
            opened = []
            for _ in range(2):
                pseudo_fields = [*get(host, "/x", "CONNECT"), (":protocol", "websocket")]
                opened.append(
                    client.open([*pseudo_fields, ("sec-websocket-version", "13")], end=False)
                )
            for stream in opened:
                assert client.wait(stream, lambda message: message.heads).status == 200
            client.data(opened[0], b"\x81\x05hello", end=False)  # not masked
            client.wait(opened[0])
            client.data(opened[1], b"\x81\x85\0\0\0\0hello", end=False)
            assert client.wait(opened[1], lambda m: m.body_bytes >= 7).body == b"\x81\x05hello"
        assert websockets.messages == ["hello"]
