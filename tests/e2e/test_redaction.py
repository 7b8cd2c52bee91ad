"""Real values in what origins send become placeholders, whatever the body is coded in, and as a
stream."""

import gzip
import io
import json
import threading
import zlib

import pytest

from support import bulk, raw_client
from support.clients import BIG_LIMIT_S, curl
from support.codings import CODINGS, bomb, decode, encode
from support.growth import Growth
from support.http1 import Closed, read_head

API = "api.demo.test"
OTHER = "other.demo.test"


def placeholder_of(gate):
    return gate.home.client_environment()["DEMO_TOKEN"]


def response_error(gate, path):
    return gate.audit.response_to(gate.audit.one(event="request", path=path)).get("error")


def echo_coded(exchange):
    """/coded/CODING: what the client presented, coded, whether it was asked for or not."""
    exchange.read_body()
    request = exchange.request
    coding = request.path.rsplit("/", 1)[-1].replace("+", ", ")
    token = (request.get("authorization") or "").removeprefix("Bearer ")
    body = encode(coding, f"start [{token}] middle [{token}] end".encode())
    exchange.reply(200, body, [("content-encoding", coding), ("etag", '"tag"')])


def ask_coded(gate, coding, offer="gzip, deflate, br, zstd", host=API, method="GET"):
    token = placeholder_of(gate)
    with raw_client.tunnel(gate.address(), host, gate.ca_file()) as stream:
        fields = [f"Accept-Encoding: {offer}"]
        if host == API:
            fields.append(f"Authorization: Bearer {token}")
        target = f"/coded/{coding.replace(', ', '+')}"
        answer = raw_client.ask(stream, method, host, target, fields)
    gate.home.assert_no_canary(head=answer.head.raw, body=answer.body)
    return answer


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("offer", ["gzip, deflate, br, zstd", "identity"])
def test_an_echo_is_redacted_in_every_coding(secret_gate, origin, coding, offer):
    """Also where the origin codes although nobody asked it to."""
    origin.on("/coded", echo_coded)
    token = placeholder_of(secret_gate)
    answer = ask_coded(secret_gate, coding, offer)
    assert answer.status == 200 and answer.get("content-encoding") == coding
    text = decode(coding, answer.body).decode()
    assert text == f"start [{token}] middle [{token}] end"
    assert answer.get("content-length") is None and answer.get("etag") == '"tag"'
    assert secret_gate.audit.one(event="response")["redactions"] == 2


def test_curl_reads_what_was_coded_again(secret_gate, origin):
    origin.on("/coded", echo_coded)
    token = placeholder_of(secret_gate)
    for coding in ("gzip", "deflate", "br", "zstd"):
        url = f"https://{API}/coded/{coding}"
        for version in ("--http1.1", "--http2"):
            bearer = ["-H", f"Authorization: Bearer {token}"]
            done = curl(secret_gate, "--compressed", version, *bearer, url)
            assert done.stdout.decode() == f"start [{token}] middle [{token}] end"


def test_an_answer_without_a_body_keeps_its_fields(secret_gate, origin):
    def no_body(exchange):
        exchange.head(304, [("content-encoding", "compress"), ("etag", '"tag"')])

    origin.on("/coded", echo_coded)
    origin.on("/coded/compress", no_body)
    head = ask_coded(secret_gate, "gzip", method="HEAD")
    assert head.status == 200 and head.get("content-encoding") == "gzip"
    assert head.get("content-length") is not None
    unchanged = ask_coded(secret_gate, "compress")
    assert unchanged.status == 304 and unchanged.get("content-encoding") == "compress"


def test_an_unreadable_answer_never_passes_where_a_secret_may_be_in_it(secret_gate, origin):
    def compress(exchange):
        exchange.reply(200, b"\x1f\x9d\x90 whatever", [("content-encoding", "compress")])

    origin.on("/coded", compress)
    refused = ask_coded(secret_gate, "x")
    assert refused.status == 502
    assert json.loads(refused.body)["reason"] == "body_unreadable"
    assert "http_response_content_coding" in refused.get("proxy-status")
    passed = ask_coded(secret_gate, "x", host=OTHER)
    assert passed.status == 200 and passed.body == b"\x1f\x9d\x90 whatever"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_corrupt_answer_never_looks_complete(secret_gate, origin, coding):
    """The beginning is read and sent on; then comes nonsense."""
    text = b"".join(b"%d," % number for number in range(100_000))
    body = encode(coding, text)
    sent = threading.Event()

    def corrupt(exchange):
        exchange.head(200, [("content-encoding", coding), ("transfer-encoding", "chunked")])
        half = body[: len(body) * 9 // 10]
        exchange.send(b"%x\r\n%s\r\n" % (len(half), half))
        sent.wait(10)
        exchange.send(b"7\r\ngarbage\r\n0\r\n\r\n")

    origin.on("/coded", corrupt)
    with raw_client.tunnel(secret_gate.address(), API, secret_gate.ca_file()) as stream:
        stream.send(raw_client.request_bytes("GET", API, "/coded/x"))
        assert read_head(stream).start.split()[1] == "200"
        stream.read_some()
        sent.set()
        try:
            while not stream.read_until(b"\r\n").startswith(b"0\r"):
                pass
            raise AssertionError("the answer looks complete")
        except (Closed, OSError):
            pass
    assert response_error(secret_gate, "/coded/x") == "body_unreadable"


def test_coded_events_pass_one_by_one(secret_gate, origin):
    """The origin sends event n+1 only after the client has decoded event n."""

    def events(exchange):
        fields = [("content-type", "text/event-stream"), ("content-encoding", "gzip")]
        exchange.head(200, fields)
        exchange.close_after()
        coder = zlib.compressobj(6, zlib.DEFLATED, 31)
        while (event := exchange.origin.events.get()) is not None:
            event = event.replace(b"TOKEN", exchange.request.get("x-api-key").encode())
            exchange.send(coder.compress(b"data: %s\n\n" % event) + coder.flush(zlib.Z_SYNC_FLUSH))
        exchange.send(coder.flush())

    origin.on("/sse-coded", events)
    token = placeholder_of(secret_gate)
    with raw_client.tunnel(secret_gate.address(), API, secret_gate.ca_file()) as stream:
        fields = ["Accept-Encoding: gzip", f"X-Api-Key: {token}"]
        stream.send(raw_client.request_bytes("GET", API, "/sse-coded", fields))
        assert read_head(stream).get("content-encoding") == "gzip"
        stream.sock.settimeout(5)
        decoder = zlib.decompressobj(31)
        for number in range(40):
            origin.events.put(b"event %d TOKEN" % number)
            text = b""
            while not text.endswith(b"\n\n"):
                size = int(stream.read_until(b"\r\n"), 16)
                text += decoder.decompress(stream.read_exact(size + 2)[:-2])
            assert text == b"data: event %d %s\n\n" % (number, token.encode())
        origin.events.put(None)


@pytest.mark.limit(200)
def test_a_bomb_in_an_answer_is_never_expanded_at_once(secret_gate, origin):
    mib = max(8, bulk.big_mib() // 4)
    body = bomb("gzip", mib)
    assert len(body) < mib * bulk.MIB // 900

    def explode(exchange):
        exchange.reply(200, body, [("content-encoding", "gzip")])

    origin.on("/bomb", explode)
    origin.on("/coded", echo_coded)
    with Growth(secret_gate, lambda: ask_coded(secret_gate, "gzip")):
        with raw_client.tunnel(secret_gate.address(), API, secret_gate.ca_file()) as stream:
            stream.sock.settimeout(BIG_LIMIT_S)
            answer = raw_client.ask(stream, "GET", API, "/bomb", ["Accept-Encoding: gzip"])
    with gzip.GzipFile(fileobj=io.BytesIO(answer.body)) as plain:
        sizes = [len(block) for block in iter(lambda: plain.read(bulk.MIB), b"")]
    assert sum(sizes) == mib * bulk.MIB
