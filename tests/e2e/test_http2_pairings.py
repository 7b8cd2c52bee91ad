"""Every pairing of HTTP versions, client's and origin's: the same bodies, statuses, trailers and
checksums, many at once, in little memory."""

import functools
import hashlib
import json

import pytest

from support import bulk, h2_raw, raw_client
from support.h2_origin import H2Origin
from support.h2_raw import H2Client, frame, get, window_update
from support.http1 import read_head
from support.pki import client_context

from test_streaming import growth_limit_kib

API = "api.demo.test"
BIG_MIB = min(64, bulk.big_mib())


class Http1Client:
    """One request after the other, over one connection; answers as those of H2Client."""

    def __init__(self, gate):
        stream, _ = raw_client.connect(gate.address(), f"{API}:443")
        self.stream = raw_client.start_tls(stream, API, None, context_for(gate.ca_file()))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()

    def ask(self, path="/", method="GET", fields=(), body=None):
        lines = [f"{name}: {value}" for name, value in fields]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        return raw_client.ask(self.stream, method, API, path, lines, body or b"")

    def upload(self, path, mib):
        fields = [f"Content-Length: {mib * bulk.MIB}"]
        self.stream.send(raw_client.request_bytes("POST", API, path, fields))
        for block in bulk.blocks(mib):
            self.stream.send(block)
        return raw_client.read_response(self.stream, "POST")

    def send_trailers(self, path, body, trailers):
        self.stream.send(
            raw_client.request_bytes("POST", API, path, ["Transfer-Encoding: chunked"])
        )
        lines = "".join(f"{name}: {value}\r\n" for name, value in trailers)
        self.stream.send(b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(body), body, lines.encode()))
        return raw_client.read_response(self.stream, "POST")

    def begin(self, path):
        """Sends a request and reads nothing but its head."""
        self.stream.send(raw_client.request_bytes("GET", API, path))
        read_head(self.stream)


class Http2Client(H2Client):
    def upload(self, path, mib):
        stream = self.open(get(API, path, "POST"), end=False)
        super().upload(stream, bulk.blocks(mib))
        return self.wait(stream)

    def send_trailers(self, path, body, trailers):
        stream = self.open(get(API, path, "POST"), end=False)
        self.data(stream, body, end=False)
        self.head(stream, trailers)
        return self.wait(stream)

    def ask(self, path="/", method="GET", fields=(), body=None):
        stream = self.open(get(API, path, method, fields), end=body is None)
        if body is not None:
            super().upload(stream, [body])
        return self.wait(stream)

    def begin(self, path):
        self.opens_windows = False
        self.wait(self.open(get(API, path)), lambda message: message.heads)


@functools.lru_cache(maxsize=4)
def context_for(ca_file):
    return client_context(ca_file)


CLIENTS = {"h1": Http1Client, "h2": Http2Client}


@pytest.fixture(params=["h1-h1", "h1-h2", "h2-h1", "h2-h2"])
def pairing(request, start_gate, demo, authority, origin):
    """(make a client, the gate, the origin)"""
    client, server = request.param.split("-")
    if server == "h1":
        gate = start_gate(demo())
        yield (lambda: CLIENTS[client](gate)), gate, origin
    else:
        with H2Origin(authority) as h2_origin:
            gate = start_gate(demo(pins={API: h2_origin.pin}))
            yield (lambda: CLIENTS[client](gate)), gate, h2_origin


def digest_of(answer):
    """Of an answer of either client's."""
    known = getattr(answer, "body_sha256", None)
    return known or hashlib.sha256(answer.body).hexdigest()


def test_statuses_bodies_and_trailers_are_the_same(pairing):
    make, gate, _ = pairing
    with make() as client:
        for code in (200, 204, 304, 404, 500):
            body = b"" if code in (204, 304) else f"status {code}\n".encode()
            answer = client.ask(f"/status/{code}")
            assert (answer.status, answer.body) == (code, body)
        assert client.ask("/fixed/0").body == b""
        assert client.ask("/fixed/100000").body == b"x" * 100_000
        answer = client.ask("/chunked", fields=[("te", "trailers")])
        assert (answer.body, answer.trailers) == (b"one,two,three", [("x-checksum", "123")])
        head = client.ask("/fixed/0", "HEAD")
        assert (head.status, head.body) == (200, b"")
        told = json.loads(client.ask("/up", "PUT", body=b"u" * 1000).body)
        assert told == {"bytes": 1000, "sha256": hashlib.sha256(b"u" * 1000).hexdigest()}
        assert json.loads(client.ask("/up", "POST", body=b"").body)["bytes"] == 0
        told = json.loads(client.send_trailers("/echo", b"body", [("x-sum", "9")]).body)
        assert told["trailers"] == [["x-sum", "9"]] and told["body_bytes"] == 4
    records = gate.audit.wait_for(12, event="response")
    assert all("error" not in record for record in records), records


@pytest.mark.parametrize("secrets", [[], ["DEMO_TOKEN"]], ids=["plain", "redacting"])
def test_an_answer_that_is_only_trailers_stays_one(start_gate, demo, authority, canary, secrets):
    """As gRPC servers refuse: its status stands in HEADERS that end the stream."""
    with H2Origin(authority) as origin:
        pairs = [("content-type", "application/grpc"), ("grpc-status", "7")]
        origin.on("/rpc", lambda exchange: exchange.head(200, pairs, end=True))
        config = demo(pins={API: origin.pin}, secrets=secrets)
        gate = start_gate(config, {"DEMO_REAL": canary.value}, [canary])
        with H2Client(gate) as client:
            answer = client.ask("/rpc", "POST", [("te", "trailers")], body=b"\0\0\0\0\0")
        assert answer.get("grpc-status") == "7" and answer.ended_with_head


def test_messages_of_a_stream_pass_one_by_one_in_both_directions(start_gate, demo, authority):
    """As bidirectional gRPC does: each is sent only after the one before was answered."""

    def answer_each(exchange):
        message = exchange.request.message
        exchange.head(200, [("content-type", "application/grpc")])
        peer = exchange.connection.peer
        seen = 0
        heard = peer._on_message

        def hear(stream, what):
            nonlocal seen
            if stream != exchange.stream or what not in ("data", "end"):
                return heard(stream, what)
            if message.body_bytes > seen:
                seen = message.body_bytes
                peer.data(stream, b"%d" % seen, end=False)
            if what == "end":
                peer.head(stream, [("grpc-status", "0")])

        peer._on_message = hear

    with H2Origin(authority) as origin:
        origin.on("/rpc", answer_each, early=True)
        gate = start_gate(demo(pins={API: origin.pin}))
        with H2Client(gate) as client:
            stream = client.open(get(API, "/rpc", "POST", [("te", "trailers")]), end=False)
            for number in range(1, 10):
                client.data(stream, b"m", end=False)
                client.wait(stream, lambda m, n=number: m.body_bytes >= n)
            client.data(stream, b"", end=True)
            answer = client.wait(stream)
            assert answer.body == b"123456789"
            assert answer.trailers == [("grpc-status", "0")]


def test_200_at_once_each_get_their_own(pairing):
    make, gate, _ = pairing
    clients = [make() for _ in range(2)]
    try:
        if isinstance(clients[0], Http2Client):
            opened = [
                (number, client, client.open(get(API, f"/fixed/{number}")))
                for client in clients
                for number in range(1, 101)
            ]
            for number, client, stream in opened:
                assert client.wait(stream).body == b"x" * number
        else:
            clients += [make() for _ in range(48)]
            for wave in range(4):
                for number, client in enumerate(clients):
                    target = f"/fixed/{number + wave}"
                    client.stream.send(raw_client.request_bytes("GET", API, target))
                for number, client in enumerate(clients):
                    assert raw_client.read_response(client.stream).body == b"x" * (number + wave)
    finally:
        for client in clients:
            client.__exit__()
    assert len(gate.audit.wait_for(200, event="response", status=200)) == 200


@pytest.mark.limit(120)
def test_large_bodies_go_both_ways_in_little_memory(pairing):
    make, gate, _ = pairing
    with make() as client:
        client.ask("/down/4")
        client.upload("/up", 4)
        gate.reset_resident_peak()
        before = gate.resident_kib()
        assert digest_of(client.ask(f"/down/{BIG_MIB}")) == bulk.checksum(BIG_MIB)
        told = json.loads(client.upload("/up", BIG_MIB).body)
        assert told == {"bytes": BIG_MIB * bulk.MIB, "sha256": bulk.checksum(BIG_MIB)}
        grown = gate.resident_peak_kib() - before
    assert grown < growth_limit_kib(), f"the gate grew by {grown} KiB"


def test_a_reader_that_stops_holds_a_fast_origin_back(pairing):
    """Nobody reads 10 answers of 64 MiB; another client is served meanwhile."""
    make, gate, _ = pairing
    with make() as client:
        client.ask("/down/4")
    before = gate.resident_kib()
    stopped = [make() for _ in range(10)]
    try:
        for client in stopped:
            client.begin("/down/64")
        with make() as client:
            assert digest_of(client.ask("/down/4")) == bulk.checksum(4)
        assert gate.resident_kib() - before < 2 * growth_limit_kib()
    finally:
        for client in stopped:
            client.__exit__()
    gate.audit.wait_for(10, event="response", error="client_gone")


def test_what_came_with_the_end_of_a_stream_is_not_handed_out_twice(start_gate, demo, authority):
    """The stream ends while its first piece still waits for the client's window."""

    def first_piece(exchange):
        exchange.head(200)
        exchange.send(frame(h2_raw.DATA, 0, exchange.stream, b"a" * 10_000))

    with H2Origin(authority) as origin:
        origin.on("/two", first_piece)
        gate = start_gate(demo(pins={API: origin.pin}))
        with H2Client(gate, first=h2_raw.settings({h2_raw.WINDOW: 5_000})) as client:
            stream = client.open(get(API, "/two"))
            client.opens_windows = False
            client.wait(stream, lambda message: message.body_bytes == 5_000)
            connection = origin.connections[0]
            pings = connection.peer.counts.get(h2_raw.PING, 0)
            rest = frame(h2_raw.DATA, h2_raw.END_STREAM, 1, b"b" * 10_000)
            behind = frame(h2_raw.PING, payload=b"in order")
            connection.post(lambda: connection.peer.send(rest + behind))
            origin.wait_for(lambda _: connection.peer.counts.get(h2_raw.PING, 0) > pings)
            client.send(window_update(stream, 100_000))
            assert client.wait(stream).body == b"a" * 10_000 + b"b" * 10_000


def test_cancelling_one_stream_of_many_leaves_the_others_alone(start_gate, demo, authority):
    with H2Origin(authority) as origin:
        gate = start_gate(demo(pins={API: origin.pin}))
        with H2Client(gate) as client:
            opened = [client.open(get(API, "/down/2")) for _ in range(20)]
            for stream in opened[::2]:
                client.send(h2_raw.rst(stream))
            for stream in opened[1::2]:
                assert client.wait(stream).body_sha256 == bulk.checksum(2)


def test_a_reload_ends_the_streams_that_are_no_longer_allowed(start_gate, demo, authority):
    """The connection goes on; what it asks for now is decided by the new policy (A20)."""
    with H2Origin(authority) as origin:
        config = demo(pins={API: origin.pin})
        gate = start_gate(config)
        with H2Client(gate) as client:
            held = client.open(get(API, "/held"))
            origin.wait_for(lambda o: o.requests)
            gate.home.write_config({**config, "sandboxes": without_api(config["sandboxes"])})
            gate.home.cli("reload", check=0)
            assert client.wait(held).status in (403, None)
            origin.wait_for(lambda o: any(c.resets for c in o.connections))
            assert client.ask("/fine").status == 403
        assert [r.path for r in origin.requests] == ["/held"]


def without_api(sandboxes):
    kept = lambda rules: [rule for rule in rules if rule.get("allow") != API]
    return {name: {**box, "rules": kept(box["rules"])} for name, box in sandboxes.items()}


def test_a_gate_that_is_told_to_stop_ends_its_connections(start_gate, demo, authority):
    """With streams that nobody answers, on both sides."""
    with H2Origin(authority) as origin:
        gate = start_gate(demo(pins={API: origin.pin}))
        with H2Client(gate) as client:
            assert client.ask("/fine").status == 200
            client.open(get(API, "/held"))
            client.open(get(API, "/held", "POST"), end=False)
            origin.wait_for(lambda o: len(o.requests) == 3)
            gate.stop()
            client.until_end()
        origin.wait_for(lambda o: all(c.over for c in o.connections))
