"""HTTP/2 requests that say two things at once, or what HTTP/1 cannot carry (ATTACKS D08, E05-E07,
E11, E12, E14): refused with one record each, and the origin, which speaks HTTP/1 here, sees no byte
of them. And what is right arrives right."""

import json

import pytest

from support import bulk, h2_raw
from support.denial import assert_denial_body, assert_denied
from support.h2_raw import PROTOCOL_ERROR, H2Client, get

API = "api.demo.test"
MARK = "smuggled-mark"
CARGO = f" HTTP/1.1\r\nhost: {API}\r\n\r\nGET /{MARK}"


def pseudo(**changes):
    pairs = {"method": "GET", "scheme": "https", "authority": API, "path": f"/{MARK}", **changes}
    return [(f":{name}", value) for name, value in pairs.items()]


def with_field(name, value):
    return [*pseudo(), (name, value)]


# Each with the reasons that its record may give: the library refuses some before we look.
NOT_REQUESTS = {
    "CR LF in a value": (with_field("x-a", f"b\r\nx-{MARK}: c"), "header_invalid"),
    "LF in a value": (with_field("x-a", f"b\nx-{MARK}: c"), "header_invalid"),
    "CR in a value": (with_field("x-a", "b\rc"), "header_invalid"),
    "NUL in a value": (with_field("x-a", "b\0c"), "header_invalid"),
    "a space before a value": (with_field("x-a", " b"), "header_invalid"),
    "a tab behind a value": (with_field("x-a", "b\t"), "header_invalid"),
    "DEL in a value": (with_field("x-a", "b\x7f"), "header_invalid"),
    "a colon in a name": (with_field("x-a: b", "c"), "header_invalid"),
    "a space in a name": (with_field("x a", "c"), "header_invalid"),
    "upper case in a name": (with_field("X-A", "c"), "header_invalid h2_error"),
    "CR LF in a name": (with_field(f"x-a\r\nx-{MARK}", "c"), "header_invalid"),
    "an empty name": (with_field("", "c"), "header_invalid h2_error"),
    "octets over 0x7f in a name": (with_field("x-\xe9", "c"), "header_invalid"),
    "an underscore twin": (with_field("content_length", "3"), "framing_invalid"),
    "a request in the path": (pseudo(path=f"/{MARK}{CARGO}"), "path_noncanonical h2_error"),
    "a space in the path": (pseudo(path=f"/{MARK} x"), "path_noncanonical h2_error"),
    "LF in the path": (pseudo(path=f"/{MARK}\nx"), "path_noncanonical h2_error"),
    "a fragment": (pseudo(path=f"/{MARK}#x"), "path_noncanonical framing_invalid"),
    "an empty path": (pseudo(path=""), "path_noncanonical h2_error"),
    "a path without a slash": (pseudo(path=MARK), "path_noncanonical h2_error framing_invalid"),
    "an absolute path": (pseudo(path=f"https://{API}/{MARK}"), "path_noncanonical h2_error"),
    "* for GET": (pseudo(path="*"), "path_noncanonical h2_error framing_invalid"),
    "a request in the method": (
        pseudo(method=f"GET / HTTP/1.1\r\nx: {MARK}"),
        "framing_invalid h2_error",
    ),
    "a space in the method": (pseudo(method=f"GET /{MARK}"), "framing_invalid h2_error"),
    "an empty method": (pseudo(method=""), "framing_invalid h2_error"),
    "http in TLS": (pseudo(scheme="http"), "scheme_not_allowed"),
    "a URL as scheme": (pseudo(scheme="https://evil.test/?"), "scheme_not_allowed h2_error"),
    "an empty scheme": (pseudo(scheme=""), "scheme_not_allowed h2_error"),
    "connection": (with_field("connection", "close"), "h2_error"),
    "keep-alive": (with_field("keep-alive", "1"), "h2_error"),
    "proxy-connection": (with_field("proxy-connection", "close"), "h2_error"),
    "upgrade": (with_field("upgrade", "h2c"), "h2_error"),
    "transfer-encoding": (with_field("transfer-encoding", "chunked"), "h2_error"),
    "te: gzip": (with_field("te", "gzip"), "h2_error"),
    "two authorities": ([*pseudo(), (":authority", API)], "h2_error"),
    "two paths": ([*pseudo(), (":path", f"/{MARK}2")], "h2_error"),
    "a pseudo-field behind others": (
        [*pseudo()[:3], ("x-a", "b"), (":path", f"/{MARK}")],
        "h2_error",
    ),
    "an unknown pseudo-field": (with_field(":evil", "x"), "h2_error"),
    "a status in a request": (with_field(":status", "200"), "h2_error"),
    "no method": (pseudo()[1:], "h2_error"),
    "no path": (pseudo()[:3], "h2_error"),
    "no scheme": ([p for p in pseudo() if p[0] != ":scheme"], "h2_error scheme_not_allowed"),
    "neither authority nor host": (
        [p for p in pseudo() if p[0] != ":authority"],
        "h2_error host_malformed",
    ),
    "two hosts": ([*pseudo(), ("host", API), ("host", API)], "h2_error authority_mismatch"),
    "lengths that differ": (
        [*pseudo(), ("content-length", "0"), ("content-length", "1")],
        "h2_error framing_invalid",
    ),
    "a signed length": (with_field("content-length", "+5"), "h2_error framing_invalid"),
    "a length without a body": (with_field("content-length", "5"), "h2_error"),
    "a user in the authority": (pseudo(authority=f"me@{API}"), "host_malformed"),
    "a space in the authority": (pseudo(authority=f"{API} x"), "host_malformed h2_error"),
    "a path in the authority": (pseudo(authority=f"{API}/x"), "host_malformed h2_error"),
}


@pytest.mark.parametrize("what", NOT_REQUESTS)
def test_what_is_no_request_is_refused_and_recorded_once(shared, what):
    """E05, E06, E11, E14: also with an innocent stream beside it."""
    gate, origin = shared
    pairs, reasons = NOT_REQUESTS[what]
    before = len(gate.audit.records(event="request", decision="deny"))
    requests_before = len(origin.requests)
    with H2Client(gate) as client:
        answer = client.wait(client.open(pairs, raw=True))
        if answer.reset is None:
            assert 400 <= answer.status < 500, answer
            assert json.loads(answer.body)["reason"] in reasons.split()
        else:
            assert answer.reset == PROTOCOL_ERROR
        assert client.ask("/fixed/2").body == b"xx", "the connection goes on"
    denied = gate.audit.wait_for(before + 1, event="request", decision="deny")
    assert len(denied) == before + 1
    assert denied[-1]["reason"] in reasons.split(), denied[-1]
    assert len(origin.requests) == requests_before + 1
    assert MARK.encode() not in b"".join(bytes(c.received) for c in origin.connections)


@pytest.fixture(scope="module")
def shared(authority, tmp_path_factory):
    """One gate and one origin for the rows above, which leave no trace of each other."""
    from support.demo_config import demo_config
    from support.gate import Gate
    from support.home import Home
    from support.origin import Origin

    with Origin(authority) as origin:
        gate = Gate(Home(tmp_path_factory.mktemp("h2"), demo_config(authority, origin)))
        try:
            yield gate.start(), origin
        finally:
            gate.stop()


# --- whose request it is (E06, E17)


def test_every_stream_of_a_connection_is_decided_by_its_own_authority(gate, origin):
    with H2Client(gate) as client:
        allowed = client.open(get(API, "/fixed/1"))
        other = client.open(get("other.demo.test", "/fixed/1"))  # allowed, but not here
        evil = client.open(get("evil.test", "/fixed/1"))
        host_differs = client.open(get(API, "/fixed/1", fields=[("host", "other.demo.test")]))
        host_only = client.open(
            [(":method", "GET"), (":scheme", "https"), (":path", "/fixed/4"), ("host", API)]
        )
        port_differs = client.open(get(f"{API}:8443", "/fixed/1"))
        same = client.open(get(f"{API}:443", "/fixed/5", fields=[("host", f"{API}:443")]))
        assert client.wait(allowed).body == b"x"
        for stream in (other, evil, host_differs, port_differs):
            answer = client.wait(stream)
            assert answer.status == 421
            assert_denial_body(answer.body, "authority_mismatch")
        assert client.wait(host_only).body == b"xxxx"
        assert client.wait(same).body == b"xxxxx"
    assert sorted(r.get("host") for r in origin.requests) == [API] * 3
    assert len(gate.audit.wait_for(4, reason="authority_mismatch")) == 4


def test_allowed_and_denied_streams_of_one_connection_do_not_mix(gate, origin):
    host = "read.demo.test"
    with H2Client(gate, host) as client:
        pairs = []
        for number in range(40):
            fine = client.open(get(host, f"/public/fixed/{number}"))
            denied = client.open(get(host, f"/private/{number}"))
            pairs.append((fine, denied))
        for fine, denied in pairs:
            assert client.wait(fine).status == 200
            assert_denied(client.wait(denied), "path_not_allowed", host)
    assert not [r for r in origin.requests if "private" in r.target]
    assert len(gate.audit.wait_for(40, event="request", decision="deny")) == 40


# --- bodies (E07)


BROKEN_BODIES = {
    "longer than said": ("5", [b"0123456789"], True),
    "shorter than said": ("50", [b"01234"], True),
    "longer by one piece": ("5", [b"01234", b"5"], True),
    "longer than said, without end": ("5", [b"0123456789"], False),
}


@pytest.mark.parametrize("what", BROKEN_BODIES)
def test_a_body_that_is_not_as_long_as_said_leaves_no_half_request_behind(gate, origin, what):
    length, pieces, ends = BROKEN_BODIES[what]
    with H2Client(gate) as client:
        assert client.ask("/fixed/1").body == b"x"  # a connection that rests in the pool
        stream = client.open(get(API, "/up", "POST", [("content-length", length)]), end=False)
        for number, piece in enumerate(pieces):
            client.data(stream, piece, end=ends and number == len(pieces) - 1)
        assert client.wait(stream).reset == PROTOCOL_ERROR
        for _ in range(3):
            assert client.ask("/fixed/7").body == b"x" * 7
    uploads = [r for r in origin.requests if r.target == "/up"]
    # As many octets as were said may have arrived before the rest showed; never more, and never
    # fewer as a whole.
    assert all(r.body_sha256 is None or r.body == b"01234" for r in uploads)
    assert [r.target for r in origin.requests if r.target != "/up"] == ["/fixed/1"] + [
        "/fixed/7"
    ] * 3


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
def test_a_method_without_a_body_may_have_a_counted_one_only(gate, origin, method):
    """D16: towards HTTP/1 it would be a chunked GET."""
    with H2Client(gate) as client:
        stream = client.open(get(API, "/x", method), end=False)
        client.data(stream, MARK.encode())
        assert client.wait(stream).status == 400
        if method != "HEAD":
            answer = client.ask("/x", method, [("content-length", "4")], body=b"body")
            assert json.loads(answer.body)["body_bytes"] == 4
    assert MARK.encode() not in b"".join(bytes(c.received) for c in origin.connections)
    gate.audit.one(event="request", decision="deny", reason="framing_invalid")


def test_a_body_that_is_given_up_is_not_whole_for_the_origin(gate, origin):
    with H2Client(gate) as client:
        stream = client.open(get(API, "/up", "POST"), end=False)
        client.data(stream, b"first half", end=False)
        origin.wait_for(lambda o: o.requests)
        client.send(h2_raw.rst(stream))
        gate.audit.one(event="response", error="client_gone")
        assert client.ask("/fixed/1").body == b"x"
    origin.wait_for(lambda o: o.connections[0].closed)
    assert origin.requests[0].body_sha256 is None


def test_data_behind_the_end_of_a_stream_reaches_nobody(gate, origin):
    with H2Client(gate) as client:
        stream = client.open(get(API, "/up", "POST"), end=False)
        client.data(stream, b"all", end=True)
        client.data(stream, MARK.encode(), end=True)
        client.until_end(
            or_else=lambda: client.messages.get(stream) and client.messages[stream].over
        )
    assert MARK.encode() not in b"".join(bytes(c.received) for c in origin.connections)


# --- trailers (D08, E12)


FORBIDDEN_TRAILERS = [
    ("authorization", "Bearer x"), ("cookie", "a=b"), ("host", "evil.test"),
    ("content-length", "3"), ("content-type", "text/html"), (":path", f"/{MARK}"),
    ("transfer-encoding", "gzip"), ("connection", "close"), ("x-a", f"b\r\n{MARK}"),
]  # fmt: skip


@pytest.mark.parametrize(
    "trailer", FORBIDDEN_TRAILERS, ids=[name for name, _ in FORBIDDEN_TRAILERS]
)
def test_a_trailer_that_may_not_stand_there_ends_the_request(gate, origin, trailer):
    with H2Client(gate) as client:
        stream = client.open(get(API, "/up", "POST"), end=False)
        client.data(stream, b"body", end=False)
        origin.wait_for(lambda o: o.requests)
        client.head(stream, [trailer], end=True, raw=True)
        answer = client.wait(stream)
        assert answer.reset is not None or answer.status in (400, 403), answer
        assert client.ask("/fixed/1").body == b"x"
    upload = origin.requests[0]
    assert upload.body_sha256 is None, "the origin took it for whole"
    seen = b"".join(bytes(c.received) for c in origin.connections)
    assert trailer[1].encode() not in seen


def test_trailers_go_both_ways(gate, origin):
    with H2Client(gate) as client:
        stream = client.open(get(API, "/echo", "POST"), end=False)
        client.data(stream, b"body", end=False)
        client.head(stream, [("x-checksum", "abc"), ("grpc-status", "0")], end=True)
        told = json.loads(client.wait(stream).body)
        assert told["trailers"] == [["x-checksum", "abc"], ["grpc-status", "0"]]
        answer = client.ask("/chunked")
        assert (answer.body, answer.trailers) == (b"one,two,three", [("x-checksum", "123")])


# --- and what is right


def test_an_ordinary_request_is_translated(gate, origin):
    fields = [
        ("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3; d=4"), ("te", "trailers"),
        ("x-twice", "1"), ("x-twice", "2"), ("x-empty", ""), ("x-high", "\xe9"),
        ("accept", "*/*"), ("via", "2 me"), ("x-forwarded-host", "evil.test"),
    ]  # fmt: skip
    with H2Client(gate) as client:
        assert client.ask("/a%2Fb?c=d&e", "PUT", fields, body=b"body").status == 200
    seen = origin.requests[0]
    assert seen.head.start == "PUT /a%2Fb?c=d&e HTTP/1.1"
    assert seen.head.all("host") == [API]
    assert seen.head.all("cookie") == ["a=1; b=2; c=3; d=4"]
    assert seen.head.all("te") == ["trailers"]
    assert seen.head.all("x-twice") == ["1", "2"] and seen.head.all("x-empty") == [""]
    assert seen.head.all("x-high") == ["\u00c3\u00a9"] or seen.head.all("x-high") == ["\xe9"]
    assert not seen.head.all("via") and not seen.head.all("x-forwarded-host")
    assert seen.body == b"body"


@pytest.mark.parametrize("code", [204, 304, 404, 500])
def test_every_status_comes_back_with_the_body_that_it_has(gate, code):
    with H2Client(gate) as client:
        answer = client.ask(f"/status/{code}")
        body = b"" if code in (204, 304) else f"status {code}\n".encode()
        assert (answer.status, answer.body) == (code, body)
        assert answer.ended_with_head == (code in (204, 304))
        assert client.ask("/fixed/1").body == b"x"


def test_head_has_a_length_and_no_body(gate):
    with H2Client(gate) as client:
        answer = client.ask("/fixed/10", "HEAD")
        assert (answer.status, answer.get("content-length"), answer.body) == (200, "10", b"")
        assert client.ask("/fixed/10").body == b"x" * 10


def test_no_field_of_a_connection_comes_back(gate, origin):
    def odd(exchange):
        own = [
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("alt-svc", "h3"),
        ]
        exchange.reply(200, b"odd", [*own, ("X-Upper", "Kept")])

    origin.on("/odd", odd)
    with H2Client(gate) as client:
        answer = client.ask("/odd")
    names = [name for name, _ in answer.fields]
    assert names == [name.lower() for name in names]
    assert not {"connection", "keep-alive", "alt-svc", "x-hop", "transfer-encoding"} & set(names)
    assert answer.get("x-upper") == "Kept"


def test_interim_answers_are_passed_on(gate, origin):
    def hints(exchange):
        exchange.send(b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n")
        exchange.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        exchange.reply(200, b"done")

    origin.on("/hints", hints)
    with H2Client(gate) as client:
        answer = client.ask("/hints")
    assert (answer.interim, answer.status, answer.body) == ([103, 102], 200, b"done")


def test_an_expectation_is_met_before_the_body(gate):
    with H2Client(gate) as client:
        fields = [("expect", "100-continue"), ("content-length", "4")]
        stream = client.open(get(API, "/up", "PUT", fields), end=False)
        assert client.wait(stream, lambda message: message.heads).interim == [100]
        client.data(stream, b"data")
        assert json.loads(client.wait(stream).body)["bytes"] == 4


def test_an_answer_before_the_request_is_whole_ends_only_that_stream(gate, origin):
    def early(exchange):
        exchange.reply(413, b"too much")
        exchange.close_after()

    origin.on("/early", early)
    with H2Client(gate) as client:
        stream = client.open(get(API, "/early", "POST"), end=False)
        client.upload(stream, [b"u" * 200_000], end=False)
        answer = client.wait(stream)
        assert (answer.status, answer.body) == (413, b"too much")
        assert client.ask("/fixed/1").body == b"x"


def test_many_streams_at_once_each_get_their_own(gate):
    with H2Client(gate) as client:
        opened = [(n, client.open(get(API, f"/fixed/{n}"))) for n in range(1, 100)]
        for number, stream in opened:
            assert client.wait(stream).body == b"x" * number
        answer = client.ask("/down/2")
        assert answer.body_sha256 == bulk.checksum(2)
