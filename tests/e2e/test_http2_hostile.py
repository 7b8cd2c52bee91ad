"""A client that speaks HTTP/2 to do harm (ATTACKS E01-E04, E09, E10): floods, bombs and stalls. The
connection that does it ends; the gate, its origin and its neighbours hardly notice."""

import json
import socket
import struct

import pytest

from support import bulk, h2_raw
from support.growth import Growth, growth_limit_kib
from support.h2_raw import (
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    HEADERS,
    H2Client,
    frame,
    get,
    literal,
    literals,
    window_update,
)
from support.waiting import wait_until

API = "api.demo.test"
SMALL_GROWTH_KIB = growth_limit_kib(5)
HEAD = literals(get(API))


def served(gate, host=API):
    """Another connection is served as ever."""
    with H2Client(gate, host) as client:
        assert client.ask("/fixed/3").body == b"xxx"


def small_growth(gate, kib=SMALL_GROWTH_KIB):
    return Growth(gate, lambda: served(gate), kib)


def until_cancelled(exchange):
    """No answer; ends with the connection."""
    exchange.stream.read_to_end()


def open_connections(origin):
    return [connection for connection in origin.connections if not connection.closed]


def head_frame(stream, block=HEAD, flags=END_STREAM | END_HEADERS):
    return frame(HEADERS, flags, stream, block)


def streams(count):
    return range(1, 2 * count, 2)


def assert_ended_as_abuse(gate, client, what):
    assert client.until_end() == ENHANCE_YOUR_CALM, what
    client.close()
    gate.audit.one(event="connection", reason="h2_abuse", decision="deny")


def test_rapid_reset_reaches_the_origin_with_next_to_nothing(gate, origin):
    """E01, CVE-2023-44487: in one piece, so that the gate could serve all before it looks."""
    with small_growth(gate):
        client = H2Client(gate)
        client.flood(b"".join(head_frame(s) + h2_raw.rst(s) for s in streams(3000)))
        assert_ended_as_abuse(gate, client, "3000 streams begun and reset")
    assert len(origin.connections) <= 100 and len(origin.requests) <= 100
    served(gate)


def test_rapid_reset_of_requests_that_are_being_served_leaves_none_behind(gate, origin):
    """The origin answers none of them: its connections have to go with the streams."""
    origin.on("/held", until_cancelled)
    client = H2Client(gate)
    held = literals(get(API, "/held"))
    for stream in streams(60):
        client.send(head_frame(stream, held))
    origin.wait_for(lambda o: len(o.requests) == 60)
    client.send(b"".join(h2_raw.rst(stream) for stream in streams(60)))
    gate.audit.wait_for(60, event="response", error="client_gone")
    origin.wait_for(lambda o: all(c.closed for c in o.connections), what="an end of all its work")
    served(gate)
    client.close()


MADE_TO_RESET = {
    "a length that is none": lambda s: head_frame(
        s, literals(get(API, method="POST", fields=[("content-length", "5")])), END_HEADERS
    )
    + frame(h2_raw.DATA, END_STREAM, s, b"toolong"),
    "a window beyond 2^31": lambda s: head_frame(s, flags=END_HEADERS)
    + window_update(s, 0x7FFFFFFF),
    "a field that is forbidden": lambda s: head_frame(s, HEAD + literal("connection", "close")),
    "a window opened by nothing": lambda s: head_frame(s, flags=END_HEADERS) + window_update(s, 0),
}


@pytest.mark.parametrize("primitive", MADE_TO_RESET)
def test_resets_that_the_peer_makes_us_send_end_its_connection(gate, origin, primitive):
    """E02, CVE-2025-8671."""
    client = H2Client(gate)
    make = MADE_TO_RESET[primitive]
    client.flood(b"".join(make(stream) for stream in streams(1500)))
    code = client.until_end()
    client.close()
    # The library itself ends a connection whose windows are nonsense.
    assert code in (ENHANCE_YOUR_CALM, h2_raw.PROTOCOL_ERROR), code
    if code == ENHANCE_YOUR_CALM:
        gate.audit.one(event="connection", reason="h2_abuse", decision="deny")
    assert len(origin.connections) <= 200
    served(gate)


def test_streams_beyond_the_limit_end_the_connection(gate, origin):
    client = H2Client(gate)
    open_head = literals(get(API, "/up", "POST"))
    for first in range(0, 2000, 50):
        some = streams(first + 50)[first:]
        client.flood(b"".join(head_frame(s, open_head, END_HEADERS) for s in some))
    assert_ended_as_abuse(gate, client, "2000 streams at once")
    assert len(origin.requests) <= 100
    served(gate)


@pytest.mark.parametrize("ends", [False, True], ids=["without an end", "with an end"])
@pytest.mark.parametrize("reset_first", [False, True], ids=["open", "reset"])
def test_a_flood_of_continuations_ends_the_connection(gate, origin, ends, reset_first):
    """E03."""
    one = literals([("x-filler", "y" * 1000)] * 16)
    with small_growth(gate):
        client = H2Client(gate)
        data = b""
        if reset_first:
            data += head_frame(1, flags=END_HEADERS) + h2_raw.rst(1)
        stream = 3 if reset_first else 1
        data += head_frame(stream, flags=END_STREAM)
        data += frame(CONTINUATION, 0, stream, one) * 50
        if ends:
            data += frame(CONTINUATION, END_HEADERS, stream, one)
        client.flood(data)
        assert client.until_end() in (ENHANCE_YOUR_CALM, h2_raw.PROTOCOL_ERROR)
        client.close()
    assert "y" * 100 not in str([r.head.raw for r in origin.requests])
    gate.audit.wait_for(event="connection", decision="deny")


def bomb_of_references():
    """One large field in the table, then references to it: 16 KiB that stand for 49 MB."""
    return HEAD + b"\x40" + literal("x-bomb", "z" * 4000)[1:] + b"\xbe" * 12000


BOMBS = {
    "references to one large field": (bomb_of_references(), 431),
    "references to one small field": (HEAD + b"\xa0" * 16000, 431),
    "too many fields": (HEAD + literals([(f"x-{n}", "1") for n in range(101)]), 431),
    "cookie crumbs": (HEAD + literals([("cookie", f"a{n}=1") for n in range(101)]), 431),
    "one field of 16 KiB": (HEAD + literal("x-long", "z" * 16000), 431),
    "a path of 9 KiB": (literals(get(API, "/" + "p" * 9000)), 414),
    "a method of 300 octets": (literals(get(API, method="M" * 300)), 501),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_head_that_is_too_much_is_refused_and_stored_nowhere(gate, origin, bomb):
    """E04: also 30 of them at once, held by a window that stays shut."""
    block, status = BOMBS[bomb]
    with small_growth(gate):
        client = H2Client(gate, first=h2_raw.settings({h2_raw.WINDOW: 0}))
        first, rest = block[:16384], block[16384:]
        for stream in streams(30):
            ends = 0 if rest else END_HEADERS
            client.send(frame(HEADERS, END_STREAM | ends, stream, first))
            if rest:
                client.send(frame(CONTINUATION, END_HEADERS, stream, rest))
        answer = client.wait(59, lambda message: message.over or message.heads)
        assert answer.status == status or answer.reset is not None, answer
        client.close()
        denied = gate.audit.wait_for(30, event="request", decision="deny")
        assert len(denied) == 30 and {d["status"] for d in denied} == {status}
    origin.wait_for(lambda o: len(o.requests) == 1)  # that of Growth
    served(gate)


def test_small_heads_of_many_streams_fit_in_little_memory(gate, origin):
    """Heads of 8 KiB that are allowed, 100 at once: bounded by streams times the head limit."""
    fields = [(f"x-filler-{n}", "y" * 1000) for n in range(8)]
    with small_growth(gate, 8 * SMALL_GROWTH_KIB):
        with H2Client(gate) as client:
            for _ in range(99):
                client.open(get(API, "/held", fields=fields))
            origin.wait_for(lambda o: len(o.requests) == 100)
            assert client.ask("/fixed/2").body == b"xx"
    origin.release.set()


CHEAP = {
    "PING": frame(h2_raw.PING, 0, 0, b"12345678"),
    "SETTINGS": h2_raw.settings({h2_raw.WINDOW: 65535}),
    "empty DATA": frame(h2_raw.DATA, 0, 1),
    "PRIORITY": frame(h2_raw.PRIORITY, 0, 1, struct.pack(">IB", 0, 15)),
    "a type that nobody knows": frame(0xFA, 0, 0, b"?"),
    "SETTINGS of unknown keys": h2_raw.settings({0xF000 + n: n for n in range(30)}),
}


@pytest.mark.parametrize("kind", CHEAP)
def test_a_flood_of_frames_that_carry_nothing_ends_the_connection(gate, kind):
    """E10."""
    with small_growth(gate):
        client = H2Client(gate)
        client.answers = False
        client.send(head_frame(1, literals(get(API, "/up", "POST")), END_HEADERS))
        client.flood(CHEAP[kind] * 5000)
        assert_ended_as_abuse(gate, client, kind)
    served(gate)


def test_updates_of_the_table_size_without_end_are_no_request(gate, origin):
    client = H2Client(gate)
    client.flood(b"".join(head_frame(s, b"\x20" * 3000 + HEAD) for s in streams(20)))
    client.flood(frame(h2_raw.PING, 0, 0, b"12345678"))
    client.until_end(or_else=lambda: client.counts.get(h2_raw.PING))
    client.close()
    served(gate)


BROKEN_FRAMING = {
    "DATA on no stream": frame(h2_raw.DATA, 0, 0, b"x"),
    "HEADERS on no stream": head_frame(0),
    "an even stream": head_frame(2),
    "a frame of 16385 octets": frame(h2_raw.DATA, 0, 1, b"x" * 16385),
    "CONTINUATION of nothing": frame(CONTINUATION, END_HEADERS, 1, HEAD),
    "another frame amid a head": head_frame(1, flags=0) + frame(h2_raw.PING, payload=b"12345678"),
    "another stream amid a head": head_frame(1, flags=0) + frame(CONTINUATION, 0, 3, HEAD),
    "RST_STREAM of an idle stream": h2_raw.rst(7),
    "WINDOW_UPDATE of an idle stream": window_update(7, 1),
    "WINDOW_UPDATE by nothing": window_update(0, 0),
    "a connection window beyond 2^31": window_update(0, 0x7FFFFFFF),
    "an initial window beyond 2^31": h2_raw.settings({h2_raw.WINDOW: 1 << 31}),
    "SETTINGS of seven octets": frame(h2_raw.SETTINGS, payload=b"1234567"),
    "an ACK that says something": frame(h2_raw.SETTINGS, h2_raw.ACK, 0, b"123456"),
    "PING of seven octets": frame(h2_raw.PING, payload=b"1234567"),
    "more padding than there is": frame(HEADERS, 13, 1, b"\xff" + HEAD),
    "a push from a client": frame(h2_raw.PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + HEAD),
    "a block that HPACK does not allow": head_frame(1, b"\xff\xff\xff\xff\xff\xff"),
    "HTTP/1 behind the preface": b"GET / HTTP/1.1\r\nhost: api.demo.test\r\n\r\n",
}


def test_what_breaks_the_framing_ends_the_connection_with_one_record(gate):
    """E17, C14."""
    for number, (what, octets) in enumerate(BROKEN_FRAMING.items(), 1):
        client = H2Client(gate)
        client.flood(octets)
        assert client.until_end() not in (None, 0), what
        client.close()
        found = gate.audit.wait_for(number, event="connection", reason="h2_error")
        assert len(found) == number, what
    served(gate)


# --- stalls (E09)


def test_a_window_that_stays_shut_holds_little_and_nobody_else(gate, origin):
    """50 answers of 8 MiB for a client that takes nothing: a few buffers each, not 400 MiB."""
    with small_growth(gate, 24 * 1024 + SMALL_GROWTH_KIB):
        client = H2Client(gate, first=h2_raw.settings({h2_raw.WINDOW: 0}))
        for _ in range(50):
            client.open(get(API, "/down/8"))
        origin.wait_for(lambda o: len(o.requests) == 51)
        for stream in streams(50):
            client.wait(stream, lambda message: message.heads)
        served(gate)
        assert sum(message.body_bytes for message in client.messages.values()) == 0
        client.close()
        gate.audit.wait_for(50, event="response", path=None, error="client_gone")
    origin.wait_for(lambda o: len(open_connections(o)) <= 2)  # served() left one a worker


def test_a_window_of_single_octets_gets_single_octets(gate):
    client = H2Client(gate, first=h2_raw.settings({h2_raw.WINDOW: 0}))
    client.opens_windows = False
    stream = client.open(get(API, "/down/1"))
    client.wait(stream, lambda message: message.heads)
    with small_growth(gate):
        for taken in range(1, 400):
            client.send(window_update(stream, 1))
            message = client.wait(stream, lambda m, taken=taken: m.body_bytes >= taken)
            assert message.body_bytes == taken
    served(gate)
    client.close()
    gate.audit.one(event="response", error="client_gone")


def test_half_open_uploads_hold_little_and_go_with_their_connection(gate, origin):
    """100 uploads that never send a byte."""
    with small_growth(gate, 2 * SMALL_GROWTH_KIB):
        client = H2Client(gate)
        for _ in range(100):
            client.open(get(API, "/up", "POST"), end=False)
        origin.wait_for(lambda o: len(o.requests) == 101)
        served(gate)
        client.close()
        gate.audit.wait_for(100, event="response", error="client_gone")
    origin.wait_for(lambda o: len(open_connections(o)) <= 2)  # served() left one a worker


def test_a_client_that_only_closes_its_sending_half_lets_go_of_everything(gate, origin):
    client = H2Client(gate)
    for _ in range(20):
        client.open(get(API, "/up", "POST"), end=False)
    origin.wait_for(lambda o: len(o.requests) == 20)
    client.sock.shutdown(socket.SHUT_WR)  # without a close_notify
    gate.audit.wait_for(20, event="response", error="client_gone")
    origin.wait_for(lambda o: all(c.closed for c in o.connections))
    client.close()
    served(gate)


def test_data_without_end_for_a_stream_that_was_given_up_does_not_shut_the_connection(gate):
    """Each upload is reset with its window full: the connection's window has to come back."""
    with H2Client(gate) as client:
        for _ in range(60):  # of 64 KiB: more than the connection's window
            stream = client.open(get(API, "/held", "POST"), end=False)
            client.upload(stream, [b"u" * 65535], end=False)
            client.send(h2_raw.rst(stream))
        stream = client.open(get(API, "/up", "POST"), end=False)
        client.upload(stream, bulk.blocks(1))
        assert json.loads(client.wait(stream).body)["sha256"] == bulk.checksum(1)


def test_a_client_that_vanishes_leaves_nothing_behind(gate, origin):
    origin.on("/held", until_cancelled)
    for _ in range(5):
        client = H2Client(gate)
        for _ in range(20):
            client.open(get(API, "/held"))
        client.sync()
        client.close()
    gate.audit.wait_for(100, event="response", error="client_gone")
    wait_until(lambda: all(c.closed for c in origin.connections), 10, "the end of all work")
    served(gate)
