"""Placeholders in request bodies become values where `in: [body]` says so, and are refused everywhere
else; whatever the body is coded in, and as a stream."""

import functools
import hashlib
import json
import random
import threading
import zlib
from urllib.parse import parse_qs

import pytest

from support import bulk, raw_client
from support.canary import Canary
from support.clients import BIG_LIMIT_S, curl, run_curl
from support.codings import CODINGS, bomb, decode, encode
from support.growth import Growth
from support.http1 import read_head

API = "api.demo.test"
OTHER = "other.demo.test"


@pytest.fixture
def body_gate(start_gate, demo, canary):
    """A gate whose sandbox `web` may use DEMO_TOKEN in bodies for api.demo.test."""
    config = demo(secrets=["DEMO_TOKEN"], places=["body", "header"])
    return start_gate(config, {"DEMO_REAL": canary.value}, [canary])


def placeholder_of(gate):
    return gate.home.client_environment()["DEMO_TOKEN"]


def post(gate, body, fields=(), host=API, target="/up", method="POST", framing=None):
    framing = framing or f"Content-Length: {len(body)}"
    with raw_client.tunnel(gate.address(), host, gate.ca_file()) as stream:
        answer = raw_client.ask(stream, method, host, target, [framing, *fields], body)
    gate.home.assert_no_canary(head=answer.head.raw, body=answer.body)
    return answer


def response_error(gate, path):
    return gate.audit.response_to(gate.audit.one(event="request", path=path)).get("error")


# --- requests


@pytest.mark.parametrize("coding", ["", *CODINGS])
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_placeholder_is_substituted_behind_every_coding(
    body_gate, origin, canary, coding, framing
):
    text = f"one {placeholder_of(body_gate)} and {placeholder_of(body_gate)} two".encode()
    body = encode(coding, text)
    fields = [f"Content-Encoding: {coding}"] if coding else []
    chunked = None
    if framing == "chunks":
        chunked = "Transfer-Encoding: chunked"
        pieces = [body[at : at + 7] for at in range(0, len(body), 7)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    assert post(body_gate, body, fields, framing=chunked).status == 200
    (request,) = origin.requests
    expected = text.replace(placeholder_of(body_gate).encode(), canary.value.encode())
    assert decode(coding, request.body) == expected
    assert request.get("content-encoding") == (coding or None)
    same_length = framing == "length" and not coding
    assert request.get("content-length") == (str(len(text)) if same_length else None)
    end = body_gate.audit.one(event="response")
    assert {"name": "DEMO_TOKEN", "in": "body", "count": 2} in end.get("secrets", [])


ESCAPED = [
    ("application/json", lambda value: json.dumps(value)[1:-1]),
    ("application/problem+json; charset=utf-8", lambda value: json.dumps(value)[1:-1]),
    (
        "application/x-www-form-urlencoded",
        lambda value: "".join(c if c.isalnum() else f"%{ord(c):02X}" for c in value),
    ),
    ("text/plain", lambda value: value),
    ("multipart/form-data; boundary=b", lambda value: value),
]


@pytest.fixture
def odd_canary():
    """A value that JSON, forms and URLs have to escape."""
    canary = Canary(prefix="")
    canary.value = canary.value[:20] + '"\\&=+/% ' + canary.value[20:]
    return canary


@pytest.mark.parametrize("kind, escape", ESCAPED, ids=[kind for kind, _ in ESCAPED])
def test_a_value_is_escaped_as_the_body_needs_it(
    start_gate, demo, origin, odd_canary, kind, escape
):
    config = demo(secrets=["DEMO_TOKEN"], places=["body"])
    gate = start_gate(config, {"DEMO_REAL": odd_canary.value}, [odd_canary])
    text = f'{{"token":"{placeholder_of(gate)}"}}'
    for coding in ("", "gzip"):
        fields = [f"Content-Type: {kind}", *([f"Content-Encoding: {coding}"] if coding else [])]
        assert post(gate, encode(coding, text.encode()), fields).status == 200
        seen = decode(coding, origin.requests[-1].body).decode()
        assert seen == f'{{"token":"{escape(odd_canary.value)}"}}'


def test_curl_sends_forms_json_and_files_with_the_value(start_gate, demo, origin, odd_canary):
    config = demo(secrets=["DEMO_TOKEN"], places=["body"])
    gate = start_gate(config, {"DEMO_REAL": odd_canary.value}, [odd_canary])
    token = placeholder_of(gate)
    url = f"https://{API}/up"
    curl(gate, "--json", json.dumps({"token": token, "n": 1}), url)
    curl(gate, "--data-urlencode", f"token={token}", "-d", "n=1", url)
    curl(gate, "-F", f"token={token}", "-F", "file=@-;filename=f", url, stdin=token.encode())
    as_json, as_form, as_parts = origin.requests
    assert json.loads(as_json.body) == {"token": odd_canary.value, "n": 1}
    assert parse_qs(as_form.body.decode()) == {"token": [odd_canary.value], "n": ["1"]}
    assert as_parts.body.count(odd_canary.value.encode()) == 2


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("host", [API, OTHER])
def test_a_coding_hides_no_placeholder_from_the_gate(secret_gate, origin, coding, host):
    """Without `in: [body]`, at any host: the request ends before the origin has all of it."""
    body = encode(coding, f"gist: {placeholder_of(secret_gate)} and more".encode())
    answer = post(secret_gate, body, [f"Content-Encoding: {coding}"], host=host)
    assert answer.status == 403
    assert json.loads(answer.body)["reason"] in ("secret_location", "secret_scope")
    assert response_error(secret_gate, "/up") in ("secret_location", "secret_scope")
    assert all(request.body_sha256 is None for request in origin.requests)


def test_where_nothing_is_substituted_a_coded_body_leaves_as_it_came(secret_gate, origin):
    unreadable = [
        ("gzip", b"not gzip at all"),
        ("compress", b"\x1f\x9d\x90"),
        ("aws-chunked", b"x"),
    ]
    bodies = [(coding, encode(coding, b"harmless " * 50)) for coding in CODINGS] + unreadable
    for coding, body in bodies:
        assert post(secret_gate, body, [f"Content-Encoding: {coding}"]).status == 200
        assert origin.requests[-1].body == body
        assert origin.requests[-1].get("content-length") == str(len(body))


@pytest.mark.parametrize("coding", ["compress", "gzip, br, zstd", "aws-chunked, gzip"])
def test_an_unknown_coding_is_refused_where_a_secret_may_be_put_in(body_gate, origin, coding):
    answer = post(body_gate, b"some bytes", [f"Content-Encoding: {coding}"])
    assert answer.status == 415
    assert json.loads(answer.body)["reason"] == "body_unreadable"
    body_gate.audit.one(event="request", decision="deny", reason="body_unreadable")
    assert not origin.requests
    assert post(body_gate, b"bytes", [f"Content-Encoding: {coding}"], host=OTHER).status == 200


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("damage", ["cut", "tail", "plain"])
def test_a_body_that_cannot_be_read_is_refused_and_never_looks_whole(
    body_gate, origin, coding, damage
):
    text = f"x {placeholder_of(body_gate)} y".encode()
    whole = encode(coding, text)
    body = {"cut": whole[:-2], "tail": whole + b"tail", "plain": text}[damage]
    answer = post(body_gate, body, [f"Content-Encoding: {coding}"])
    assert answer.status == 415
    assert json.loads(answer.body)["reason"] == "body_unreadable"
    assert response_error(body_gate, "/up") == "body_unreadable"
    assert all(request.body_sha256 is None for request in origin.requests)


def test_a_coded_request_streams_piece_by_piece(body_gate, origin, canary):
    """The second piece is sent only after the origin has decoded the first."""
    arrived = threading.Event()
    seen = bytearray()

    def decode_pieces(exchange):
        decoder = zlib.decompressobj(31)
        for piece in exchange.body_pieces():
            seen.extend(decoder.decompress(piece))
            if b"\n" in seen:
                arrived.set()
        exchange.reply(200, "done")

    origin.on("/pieces", decode_pieces)
    coder = zlib.compressobj(1, zlib.DEFLATED, 31)
    fields = ["Transfer-Encoding: chunked", "Content-Encoding: gzip"]
    with raw_client.tunnel(body_gate.address(), API, body_gate.ca_file()) as stream:
        stream.send(raw_client.request_bytes("POST", API, "/pieces", fields))
        first = coder.compress(placeholder_of(body_gate).encode() + b"\n")
        first += coder.flush(zlib.Z_SYNC_FLUSH)
        stream.send(b"%x\r\n%s\r\n" % (len(first), first))
        assert arrived.wait(10), "the first piece is held back"
        last = coder.compress(b"end") + coder.flush()
        stream.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(last), last))
        assert read_head(stream).start.split()[1] == "200"
    assert bytes(seen) == canary.value.encode() + b"\nend"


# --- large bodies


class Large:
    """A body with placeholders at random offsets, made and hashed block by block."""

    def __init__(self, mib, count, placeholder, value, seed=20261121):
        self.placeholder, self.value = placeholder.encode(), value.encode()
        places = random.Random(seed)
        self._cuts = [[] for _ in range(mib)]
        for _ in range(count):
            self._cuts[places.randrange(mib)].append(places.randrange(bulk.MIB))
        self._mib = mib
        self.bytes = mib * bulk.MIB + count * len(self.placeholder)

    def blocks(self, word):
        for number, block in enumerate(bulk.blocks(self._mib)):
            at = 0
            pieces = []
            for cut in sorted(self._cuts[number]):
                pieces += [block[at:cut], word]
                at = cut
            yield b"".join([*pieces, block[at:]])

    def sent(self):
        return self.blocks(self.placeholder)

    @functools.cached_property
    def expected(self):
        digest = hashlib.sha256()
        for block in self.blocks(self.value):
            digest.update(block)
        return digest.hexdigest()


def in_random_writes(blocks, seed=7):
    sizes = random.Random(seed)
    for block in blocks:
        rest = memoryview(block)
        while rest:
            size = sizes.choice([1, 100, 5000, 70000, 300000, 1 << 20])
            size = sizes.randint(1, size)
            yield bytes(rest[:size])
            rest = rest[size:]


def send_large(gate, pieces, fields, target="/up"):
    """Sends pieces as they come; with chunks unless the fields tell the length."""
    chunked = not any(field.startswith("Content-Length") for field in fields)
    with raw_client.tunnel(gate.address(), API, gate.ca_file()) as stream:
        stream.sock.settimeout(BIG_LIMIT_S)
        fields = [*fields, *(["Transfer-Encoding: chunked"] if chunked else [])]
        stream.send(raw_client.request_bytes("POST", API, target, fields))
        for piece in pieces:
            stream.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            stream.send(b"0\r\n\r\n")
        answer = raw_client.read_response(stream)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def warm(gate, fields=(), coding=""):
    return lambda: post(gate, encode(coding, b"warm" * 300000), fields)


@pytest.mark.limit(300)
@pytest.mark.parametrize("length", [40, 61], ids=["same length", "longer"])
def test_ten_thousand_placeholders_in_a_large_body_in_little_memory(
    start_gate, demo, origin, length
):
    canary = Canary(prefix="ghp_" if length == 40 else "", length=length)
    config = demo(secrets=["DEMO_TOKEN"], places=["body"])
    gate = start_gate(config, {"DEMO_REAL": canary.value}, [canary])
    mib = max(1, bulk.big_mib() // 8)
    large = Large(mib, 10_000, placeholder_of(gate), canary.value)
    fields = [f"Content-Length: {large.bytes}"] if length == 40 else []
    with Growth(gate, warm(gate)):
        told = send_large(gate, in_random_writes(large.sent()), fields)
    assert told["sha256"] == large.expected
    kept = origin.requests[-1].get("content-length")
    assert kept == (str(large.bytes) if length == 40 else None)
    end = gate.audit.wait_for(count=2, event="response")[-1]
    assert end["secrets"] == [{"name": "DEMO_TOKEN", "in": "body", "count": 10_000}]


@pytest.mark.limit(300)
def test_ten_thousand_placeholders_in_a_large_body_over_http2(start_gate, demo, origin):
    canary = Canary(prefix="", length=61)
    config = demo(secrets=["DEMO_TOKEN"], places=["body"])
    gate = start_gate(config, {"DEMO_REAL": canary.value}, [canary])
    large = Large(max(1, bulk.big_mib() // 16), 10_000, placeholder_of(gate), canary.value)
    flags = ["--http2", "-w", " over %{http_version}", "-T", "-", f"https://{API}/up"]
    with Growth(gate, lambda: run_curl(gate, *flags, feed=[b"warm" * 300_000])):
        told = run_curl(gate, *flags, feed=in_random_writes(large.sent()))
    answer, version = told.decode().split(" over ")
    assert version == "2"
    assert json.loads(answer)["sha256"] == large.expected


@pytest.mark.limit(300)
def test_ten_thousand_placeholders_in_a_large_gzip_body_in_little_memory(body_gate, origin, canary):
    mib = max(1, bulk.big_mib() // 64)
    large = Large(mib, 10_000, placeholder_of(body_gate), canary.value)
    digest = hashlib.sha256()

    def decoding_up(exchange):
        decoder = zlib.decompressobj(31)
        for piece in exchange.body_pieces():
            digest.update(decoder.decompress(piece))
        exchange.reply(200, json.dumps({"whole": decoder.eof}))

    def coded():
        coder = zlib.compressobj(1, zlib.DEFLATED, 31)
        for block in large.sent():
            yield coder.compress(block)
        yield coder.flush()

    origin.on("/decoding", decoding_up)
    fields = ["Content-Encoding: gzip"]
    pieces = in_random_writes(filter(None, coded()))
    with Growth(body_gate, warm(body_gate, fields, "gzip")):
        told = send_large(body_gate, pieces, fields, "/decoding")
    assert told == {"whole": True}
    assert digest.hexdigest() == large.expected


# --- bombs


@pytest.mark.limit(200)
def test_a_bomb_in_a_request_is_never_expanded_at_once(body_gate, origin):
    mib = max(8, bulk.big_mib() // 4)
    fields = ["Content-Encoding: gzip"]
    with Growth(body_gate, warm(body_gate, fields, "gzip")):
        assert post(body_gate, bomb("gzip", mib), fields).status == 200
    assert origin.requests[-1].body_bytes < mib * bulk.MIB // 50


def test_what_expands_beyond_all_honesty_is_refused(body_gate):
    """One coding upon another: a million bytes out of one."""
    body = encode("gzip", bomb("zstd", 128))
    answer = post(body_gate, body, ["Content-Encoding: zstd, gzip"])
    assert answer.status == 415
    assert "expands too far" in json.loads(answer.body)["hint"]
