"""An origin that speaks HTTP/2 to do harm, or just badly (ATTACKS E15): the client is never told
that half a message is whole, a request is never acted on twice, and the gate stays small."""

import contextlib
import struct

import pytest

from support import bulk, h2_raw, raw_client
from support.h2_origin import H2Origin
from support.h2_raw import (
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PUSH_PROMISE,
    REFUSED_STREAM,
    H2Client,
    frame,
    get,
    literal,
    literals,
)
from support.http1 import Closed, read_head

from test_http2_hostile import CHEAP, small_growth

API = "api.demo.test"
OK = literals([(":status", "200")])


@pytest.fixture
def h2_origin(authority):
    with H2Origin(authority) as origin:
        yield origin


@pytest.fixture
def h2_gate(start_gate, demo, h2_origin):
    """api.demo.test speaks HTTP/2, its neighbours HTTP/1."""
    return start_gate(demo(pins={API: h2_origin.pin}))


def head_block(exchange, block, flags=END_HEADERS):
    exchange.send(frame(HEADERS, flags, exchange.stream, block))


def whole(exchange):
    exchange.respond(200, b"whole")


def assert_fine(gate):
    with H2Client(gate) as client:
        assert client.ask("/fine").status == 200


def failed(answer):
    """The client cannot take it for a whole answer of the origin's."""
    return answer.status == 502 or answer.reset is not None


# --- what is no answer


HEADS = {
    f"a status of {status!r}": literals([(":status", status)])
    for status in ("99", "600", "2000", "abc", "", "-20", "0x2", "20")
} | {
    "no status": literals([("x-a", "b")]),
    "two statuses": OK + OK,
    "a method": OK + literal(":method", "GET"),
    "connection": OK + literal("connection", "close"),
    "transfer-encoding": OK + literal("transfer-encoding", "chunked"),
    "upper case": OK + literal("X-A", "b"),
    "CR LF in a value": OK + literal("x-a", "b\r\nset-cookie: evil=1"),
    "NUL in a value": OK + literal("x-a", "b\0"),
    "a space in a name": OK + literal("x a", "b"),
    "lengths that differ": OK + literals([("content-length", "1"), ("content-length", "2")]),
    "an upgrade": literals([(":status", "101")]),
    "too many fields": OK + literals([(f"x-{n}", "1") for n in range(101)]),
    "references to one large field": OK
    + b"\x40"
    + literal("x-bomb", "z" * 4000)[1:]
    + b"\xbe" * 12000,
    "a block that HPACK does not allow": OK + b"\xff\xff\xff\xff\xff\xff",
}


@pytest.mark.limit(60)
def test_a_head_that_is_none_is_the_origins_fault(h2_gate, h2_origin):
    current = []
    h2_origin.on(
        "/bad", lambda exchange: head_block(exchange, current[0], END_STREAM | END_HEADERS)
    )
    with small_growth(h2_gate), H2Client(h2_gate) as client:
        for what, block in HEADS.items():
            current[:] = [block]
            answer = client.ask("/bad")
            assert answer.status == 502, f"{what}: {answer}"
            assert b"z" * 100 not in answer.body and not answer.get("set-cookie"), what
        assert client.ask("/fine").status == 200
    assert len(h2_gate.audit.wait_for(len(HEADS), event="response", status=502)) == len(HEADS)


def test_interim_answers_without_end_are_cut_off(h2_gate, h2_origin):
    def flood(exchange):
        for _ in range(3000):
            exchange.head(103, [("x-filler", "y" * 100)])

    h2_origin.on("/flood", flood)
    with small_growth(h2_gate), H2Client(h2_gate) as client:
        answer = client.ask("/flood")
        assert failed(answer) and len(answer.interim) <= 17
    assert_fine(h2_gate)


def test_what_is_pushed_reaches_nobody(h2_gate, h2_origin):
    def push(exchange):
        block = literals(get(API, "/pushed"))
        payload = struct.pack(">I", 2) + block
        exchange.send(frame(PUSH_PROMISE, END_HEADERS, exchange.stream, payload))
        exchange.send(frame(HEADERS, END_HEADERS, 2, OK))
        exchange.send(frame(h2_raw.DATA, END_STREAM, 2, b"pushed"))
        exchange.respond(200, b"asked for")

    h2_origin.on("/push", push)
    with H2Client(h2_gate) as client:
        answer = client.ask("/push")
        assert failed(answer) or answer.body == b"asked for"
        assert b"pushed" not in answer.body
    settings = [c.peer.peer_settings for c in h2_origin.connections]
    assert all(values[h2_raw.ENABLE_PUSH] == 0 for values in settings)
    assert_fine(h2_gate)


@pytest.mark.parametrize("kind", CHEAP)
def test_frames_that_carry_nothing_end_the_origins_connection(h2_gate, h2_origin, kind):
    def flood(exchange):
        exchange.connection.peer.answers = False
        exchange.head(200)
        exchange.connection.peer.flood(CHEAP[kind] * 5000)

    h2_origin.on("/flood", flood)
    with small_growth(h2_gate), H2Client(h2_gate) as client:
        assert failed(client.ask("/flood")), kind
        assert client.ask("/fine").status == 200
    h2_origin.wait_for(lambda o: o.connections[-2].over, what="an end of that connection")


# --- SETTINGS


def test_a_huge_table_is_not_made_use_of(start_gate, demo, authority):
    """E15: SETTINGS_HEADER_TABLE_SIZE 4 GiB; ours stays at 4096."""
    first = h2_raw.settings({h2_raw.TABLE_SIZE: 0xFFFFFFFF, h2_raw.FRAME_SIZE: 0xFFFFFF})
    with H2Origin(authority, first) as origin:
        gate = start_gate(demo(pins={API: origin.pin}))
        with small_growth(gate), H2Client(gate) as client:
            for number in range(300):
                client.ask("/x", fields=[(f"x-{number}", "y" * 1000)])
            stream = client.open(get(API, "/up", "POST"), end=False)
            client.upload(stream, bulk.blocks(1))
            assert client.wait(stream).status == 200
        for connection in origin.connections:
            assert connection.peer.decoder.header_table_size <= 4096


NONSENSE_SETTINGS = {
    "a frame size of 100": h2_raw.settings({h2_raw.FRAME_SIZE: 100}),
    "a window beyond 2^31": h2_raw.settings({h2_raw.WINDOW: 1 << 31}),
    "seven octets": frame(h2_raw.SETTINGS, payload=b"1234567"),
    "push": h2_raw.settings({h2_raw.ENABLE_PUSH: 1}),
    "on a stream": frame(h2_raw.SETTINGS, stream=1),
    "no SETTINGS at all": frame(h2_raw.PING, payload=b"12345678"),
    "HTTP/1": b"HTTP/1.1 400 Bad Request\r\n\r\n",
}


def test_nonsense_instead_of_settings_is_the_origins_fault(start_gate, demo, authority):
    with H2Origin(authority) as origin:
        gate = start_gate(demo(pins={API: origin.pin}))
        origin.on("/x", lambda exchange: None)
        for what, first in NONSENSE_SETTINGS.items():
            origin.first = first
            with H2Client(gate) as client:
                assert client.ask("/x").status == 502, what


def test_one_stream_at_once_is_enough_for_everybody(start_gate, demo, authority):
    with H2Origin(authority, h2_raw.settings({h2_raw.STREAMS_MAX: 1})) as origin:
        gate = start_gate(demo(pins={API: origin.pin}))
        with H2Client(gate) as client:
            assert client.ask("/first").status == 200
            held = client.open(get(API, "/held"))
            origin.wait_for(lambda o: len(o.requests) == 2)
            opened = [client.open(get(API, f"/x/{n}")) for n in range(30)]
            assert [client.wait(stream).status for stream in opened] == [200] * 30
            assert not client._message(held).over


def test_a_stream_that_takes_long_does_not_hold_up_one_that_came_with_it(
    start_gate, demo, authority
):
    """Both in one piece, while the only connection has room for one."""
    with H2Origin(authority, h2_raw.settings({h2_raw.STREAMS_MAX: 1})) as origin:
        gate = start_gate(demo(pins={API: origin.pin}))
        with H2Client(gate) as client:
            assert client.ask("/first").status == 200
            pieces = [
                frame(HEADERS, END_STREAM | END_HEADERS, stream, literals(get(API, path)))
                for stream, path in ((3, "/held"), (5, "/x"))
            ]
            client.send(b"".join(pieces))
            assert client.wait(5).status == 200


# --- what may be asked again


def refuse(exchange):
    exchange.reset(REFUSED_STREAM)


def go_before(exchange):
    """None of our streams was looked at."""
    exchange.send(h2_raw.goaway(0))
    exchange.close()


def go_behind(exchange):
    """Perhaps it was."""
    exchange.send(h2_raw.goaway(exchange.stream))
    exchange.close()


def break_off(exchange):
    exchange.reset(h2_raw.CANCEL)


ONCE_MORE = [
    (refuse, "GET", None, 2),
    (refuse, "POST", None, 2),
    (refuse, "POST", b"body", 1),
    (go_before, "GET", None, 2),
    (go_before, "POST", None, 2),
    (go_before, "POST", b"body", 1),
    (go_behind, "POST", None, 1),
    (go_behind, "POST", b"body", 1),
    (break_off, "POST", None, 1),
    (break_off, "POST", b"body", 1),
]


@pytest.mark.parametrize("fault, method, body, times", ONCE_MORE)
def test_only_what_was_surely_not_acted_on_is_asked_again(
    h2_gate, h2_origin, fault, method, body, times
):
    def once(exchange):
        if len([r for r in h2_origin.requests if r.path == "/once"]) == 1:
            fault(exchange)
        else:
            whole(exchange)

    h2_origin.on("/once", once)
    with H2Client(h2_gate) as client:
        assert client.ask("/first").status == 200
        answer = client.ask("/once", method, body=body)
        assert (answer.status, answer.body == b"whole") == (
            (200, True) if times == 2 else (502, False)
        )
        assert client.ask("/last").status == 200
    assert len([r for r in h2_origin.requests if r.path == "/once"]) == times


def test_a_request_is_asked_again_once_and_not_for_ever(h2_gate, h2_origin):
    h2_origin.on("/once", refuse)
    with H2Client(h2_gate) as client:
        assert client.ask("/once").status == 502
    assert len(h2_origin.requests) == 2


def test_goaway_lets_the_streams_that_are_there_end_and_takes_no_new_one(h2_gate, h2_origin):
    def going(exchange):
        exchange.send(h2_raw.goaway(exchange.stream))
        whole(exchange)

    h2_origin.on("/going", going)
    with H2Client(h2_gate) as client:
        assert client.ask("/going").body == b"whole"
        assert client.ask("/next").status == 200
    assert len(h2_origin.connections) == 2
    assert [r.path for r in h2_origin.connections[0].requests] == ["/going"]


def ask_at_once(client, path, count):
    streams = [client.open(get(API, path)) for _ in range(count)]
    return [client.wait(stream).status for stream in streams]


def test_requests_that_come_at_once_share_one_connection(h2_gate, h2_origin):
    """Not one each: the first is still looking up its address when the last one comes."""
    with H2Client(h2_gate) as client:
        assert ask_at_once(client, "/fine", 30) == [200] * 30
    assert len(h2_origin.connections) == 1


def test_requests_that_are_sent_away_at_once_share_the_next_connection(h2_gate, h2_origin):
    arrived = []

    def sent_away(exchange):
        if exchange.connection is not h2_origin.connections[0]:
            return whole(exchange)
        arrived.append(exchange)
        if len(arrived) == 10:
            go_before(exchange)

    h2_origin.on("/busy", sent_away)
    with H2Client(h2_gate) as client:
        assert ask_at_once(client, "/busy", 10) == [200] * 10
    assert len(h2_origin.connections) == 2


def test_readers_that_stop_do_not_hold_up_another_on_the_same_connection(
    start_gate, demo, h2_origin
):
    """Whatever waits for them: the connection's window opens for the one who reads."""
    gate = start_gate({**demo(pins={API: h2_origin.pin}), "workers": 1})
    with contextlib.ExitStack() as stack:
        for _ in range(31):
            stopped = H2Client(gate, first=h2_raw.settings({h2_raw.WINDOW: 0}))
            stack.enter_context(stopped)
            stopped.wait(stopped.open(get(API, "/down/2")), lambda message: message.heads)
        with H2Client(gate) as reader:
            assert reader.ask("/down/8").body_sha256 == bulk.checksum(8)
    assert len(h2_origin.connections) == 1


# --- half a message is no message


def cut_by_reset(exchange):
    exchange.head(200, [("content-length", "100")])
    exchange.send(frame(h2_raw.DATA, 0, exchange.stream, b"0123456789"))
    exchange.reset(2)


def cut_by_reset_without_length(exchange):
    exchange.head(200)
    exchange.send(frame(h2_raw.DATA, 0, exchange.stream, b"0123456789"))
    exchange.reset(0)  # NO_ERROR is an error here: the body has not ended


def cut_by_close(exchange):
    exchange.head(200)
    exchange.send(frame(h2_raw.DATA, 0, exchange.stream, b"0123456789"))
    exchange.close()


def too_short(exchange):
    exchange.head(200, [("content-length", "100")])
    exchange.send(frame(h2_raw.DATA, END_STREAM, exchange.stream, b"0123456789"))


def too_long(exchange):
    exchange.head(200, [("content-length", "10")])
    exchange.send(frame(h2_raw.DATA, 0, exchange.stream, b"01234"))
    exchange.send(frame(h2_raw.DATA, END_STREAM, exchange.stream, b"0123456789"))


def huge_trailers(exchange):
    exchange.head(200)
    exchange.send(frame(h2_raw.DATA, 0, exchange.stream, b"0123456789"))
    trailers = [(f"x-{n}", "y" * 1000) for n in range(60)]
    exchange.connection.peer.head(exchange.stream, trailers)


def trailers_with_status(exchange):
    exchange.head(200)
    exchange.send(frame(h2_raw.DATA, 0, exchange.stream, b"0123456789"))
    exchange.connection.peer.head(exchange.stream, [(":status", "200"), ("x-a", "b")])


HALVES = [
    cut_by_reset, cut_by_reset_without_length, cut_by_close, too_short, too_long, huge_trailers,
    trailers_with_status,
]  # fmt: skip


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("version", ["h1", "h2"])
def test_half_an_answer_is_never_taken_for_a_whole_one(h2_gate, h2_origin, half, version):
    h2_origin.on("/half", half)
    if version == "h2":
        with H2Client(h2_gate) as client:
            answer = client.ask("/half")
            assert failed(answer), answer
            assert client.ask("/fine").status == 200
    else:
        with raw_client.tunnel(h2_gate.address(), API, h2_gate.ca_file()) as stream:
            try:
                answer = raw_client.ask(stream, "GET", API, "/half")
                assert answer.status == 502, "the answer ended as if it were whole"
            except (Closed, OSError, ValueError):
                pass
    assert_fine(h2_gate)
    assert "error" in h2_gate.audit.response_to(h2_gate.audit.one(event="request", path="/half"))


def test_data_behind_the_end_belongs_to_nobody(h2_gate, h2_origin):
    def more(exchange):
        exchange.respond(200, b"all")
        exchange.send(frame(h2_raw.DATA, END_STREAM, exchange.stream, b"and more"))

    h2_origin.on("/more", more)
    with H2Client(h2_gate) as client:
        answer = client.ask("/more")
        assert failed(answer) or answer.body == b"all"
        assert client.ask("/fine").status == 200


# --- stalls and cancels


def test_an_origin_that_takes_nothing_holds_nobody_else_up(start_gate, demo, authority):
    with H2Origin(authority, h2_raw.settings({h2_raw.WINDOW: 0})) as origin:
        gate = start_gate(demo(pins={API: origin.pin}))
        with small_growth(gate), H2Client(gate) as client:
            stuck = [client.open(get(API, "/up", "POST"), end=False) for _ in range(20)]
            for stream in stuck:
                client.data(stream, b"u" * 60_000, end=False)
            origin.wait_for(lambda o: len([r for r in o.requests if r.path == "/up"]) == 20)
            assert client.ask("/fine").status == 200
            for stream in stuck:
                client.send(h2_raw.rst(stream))
            origin.wait_for(lambda o: sum(len(c.resets) for c in o.connections) == 20)
            assert client.ask("/fine").status == 200


@pytest.mark.parametrize("where", ["before the head", "in the body", "in the upload"])
def test_a_stream_that_the_client_cancels_is_cancelled_and_its_neighbours_go_on(
    h2_gate, h2_origin, where
):
    path = "/down/64" if where == "in the body" else "/held"
    with H2Client(h2_gate) as client:
        assert client.ask("/first").status == 200
        neighbour = client.open(get(API, "/down/4"))
        ends = where != "in the upload"
        stream = client.open(get(API, path, "GET" if ends else "POST"), end=ends)
        if not ends:
            client.data(stream, b"half", end=False)
        h2_origin.wait_for(lambda o: [r for r in o.requests if r.path == path])
        if where == "in the body":
            client.wait(stream, lambda message: message.body_bytes)
        client.send(h2_raw.rst(stream))
        assert client.wait(neighbour).body_sha256 == bulk.checksum(4)
        request = next(r for r in h2_origin.requests if r.path == path)
        h2_origin.wait_for(lambda o: request.message.reset is not None)
        assert client.ask("/fine").status == 200
    h2_gate.audit.one(event="response", error="client_gone")


def test_the_head_of_a_slow_answer_is_there_before_its_body(h2_gate, h2_origin):
    h2_origin.on("/slow", lambda exchange: exchange.head(200, [("x-first", "1")]))
    with raw_client.tunnel(h2_gate.address(), API, h2_gate.ca_file()) as stream:
        stream.send(raw_client.request_bytes("GET", API, "/slow"))
        assert read_head(stream).get("x-first") == "1"
