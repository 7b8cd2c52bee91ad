"""What an HTTP/2 peer can make the gate hold: at most 256 KiB a stream and 4 MiB a connection, whatever
it does (ATTACKS E09)."""

import pytest

from support import bulk, h2_raw
from support.growth import Growth, growth_limit_kib
from support.h2_origin import H2Origin
from support.h2_raw import H2Client, get

API = "api.demo.test"
CONNECTION_KIB = growth_limit_kib(4)
STREAM_KIB = CONNECTION_KIB // 16


@pytest.fixture
def h2_origin(authority):
    """Takes no byte of any body."""
    with H2Origin(authority, first=h2_raw.settings({h2_raw.WINDOW: 0})) as origin:
        yield origin


@pytest.fixture
def searching_gate(start_gate, demo, canary, h2_origin):
    """Bodies are searched in both directions, so that there are copies of what is on its way."""
    config = demo(secrets=["DEMO_TOKEN"], places=["header", "body"], pins={API: h2_origin.pin})
    return start_gate(config, {"DEMO_REAL": canary.value}, [canary])


def fill(client, streams, piece):
    """Sends on each stream in turn until the windows are shut."""
    sent, open_ones = 0, list(streams)
    while open_ones:
        for stream in list(open_ones):
            octets = min(client.room(stream), len(piece))
            if octets <= 0:
                open_ones.remove(stream)
                continue
            client.data(stream, piece[:octets], end=False)
            sent += octets
        client.sync()  # what the gate has opened meanwhile
    return sent


# Frames that make strings grow in the dearest way, and ordinary ones.
@pytest.mark.parametrize("octets", [1021, 15 * 1024 + 7, 16384])
def test_uploads_that_the_origin_does_not_take(searching_gate, h2_origin, octets):
    with H2Client(searching_gate) as client:
        streams = [client.open(get(API, "/up", "POST"), end=False) for _ in range(100)]
        h2_origin.wait_for(lambda o: len(o.requests) == 100)
        client.sync()
        with Growth(searching_gate, kib=CONNECTION_KIB):
            sent = fill(client, streams, b"u" * octets)
            assert sent > 1024 * 1024, "the windows are useful"


@pytest.mark.parametrize("direction", ["up", "down"])
def test_one_stream_that_is_not_taken(searching_gate, h2_origin, direction):
    held = []
    h2_origin.on("/big", held.append, early=True)
    first = h2_raw.settings({h2_raw.WINDOW: 0 if direction == "down" else 65535})
    with H2Client(searching_gate, first=first) as client:
        stream = client.open(get(API, "/big", "POST"), end=False)
        h2_origin.wait_for(lambda o: held)
        with Growth(searching_gate, kib=STREAM_KIB + 256):
            if direction == "up":
                assert fill(client, [stream], b"u" * 16384) >= 65535
            else:
                answer_all(held)
                client.wait(stream, lambda message: message.heads)
                h2_origin.wait_for(lambda o: sent_down(o) >= 128 * 1024)
                client.sync()


def answer_all(exchanges):
    """Each with 2 MiB, as far as the gate opens its windows."""
    for exchange in exchanges:
        exchange.connection.post(lambda e=exchange: e.respond(200, bulk.blocks(2)))


def sent_down(origin):
    return sum(out.sent for c in origin.connections for out in list(c.sending.values()))


def test_answers_that_the_client_does_not_take(searching_gate, h2_origin):
    held = []
    h2_origin.on("/big", held.append, early=True)
    first = h2_raw.settings({h2_raw.WINDOW: 0})
    with H2Client(searching_gate, first=first) as client:
        streams = [client.open(get(API, "/big")) for _ in range(32)]
        h2_origin.wait_for(lambda o: len(held) == 32)
        client.sync()
        with Growth(searching_gate, kib=CONNECTION_KIB):
            answer_all(held)
            for stream in streams:
                client.wait(stream, lambda message: message.heads)
            h2_origin.wait_for(lambda o: sent_down(o) > 1024 * 1024)
            client.sync()
    assert len(h2_origin.connections) == 1
