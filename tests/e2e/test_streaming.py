"""Streams pass as they arrive, of any size, in little memory. EGRET_BIG_MIB sets the size of the
large bodies (default 1024), EGRET_GROWTH_MIB by how much the gate may grow (default 10)."""

import json
import subprocess
import threading
import time

import pytest

from support import bulk, raw_client
from support.clients import BIG_LIMIT_S, run_curl
from support.growth import Growth, growth_limit_kib
from support.http1 import read_head

API = "api.demo.test"


def growth(gate):
    return Growth(gate, lambda: run_curl(gate, f"https://{API}/down/8", "-o", "/dev/null"))


def sha256_of_download(gate, url):
    environment = gate.client_environment()
    script = f'set -o pipefail; curl -sSf --max-time {BIG_LIMIT_S} "{url}" | sha256sum'
    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()[0]


@pytest.mark.limit(200)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_large_download_arrives_whole_in_little_memory(gate, scheme):
    mib = big = bulk.big_mib()
    if scheme == "http":
        mib = max(1, big // 4)
    with growth(gate):
        assert sha256_of_download(gate, f"{scheme}://{API}/down/{mib}") == bulk.checksum(mib)
    record = gate.audit.one(event="request", path=f"/down/{mib}")
    assert gate.audit.response_to(record)["bytes"]["down"] >= mib * bulk.MIB


@pytest.mark.limit(200)
def test_a_large_chunked_upload_arrives_whole_in_little_memory(gate):
    mib = bulk.big_mib()
    with growth(gate):
        told = run_curl(gate, "-T", "-", f"https://{API}/up", feed=bulk.blocks(mib))
    assert json.loads(told) == {"bytes": mib * bulk.MIB, "sha256": bulk.checksum(mib)}


@pytest.mark.limit(120)
def test_a_large_upload_at_a_host_with_a_grant_is_scanned_in_little_memory(secret_gate):
    """The body is watched for placeholders: the same limits hold."""
    mib = max(1, bulk.big_mib() // 4)
    with growth(secret_gate):
        told = run_curl(secret_gate, "-T", "-", f"https://{API}/up", feed=bulk.blocks(mib))
    assert json.loads(told) == {"bytes": mib * bulk.MIB, "sha256": bulk.checksum(mib)}


def test_a_slow_reader_holds_the_origin_back(gate, origin):
    """Back-pressure: with nobody reading, the origin gets stuck after a few buffers."""
    sent = []

    def count(exchange):
        exchange.head(200, [("content-length", 256 * bulk.MIB)])
        for block in bulk.blocks(256):
            exchange.send(block)
            sent.append(len(block))

    origin.on("/count", count)
    run_curl(gate, f"https://{API}/fixed/1")
    before = gate.resident_kib()
    with raw_client.tunnel(gate.address(), API, gate.ca_file()) as stream:
        stream.send(raw_client.request_bytes("GET", API, "/count"))
        read_head(stream)
        quiet_since(lambda: len(sent), seconds=1.0)
        assert len(sent) < 64, "most of the body went somewhere that is not the client"
        assert gate.resident_kib() - before < growth_limit_kib()


def quiet_since(value, seconds):
    """Returns once value() has not changed for so long."""
    deadline = time.monotonic() + 20
    last, since = value(), time.monotonic()
    while time.monotonic() - since < seconds:
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)
        if value() != last:
            last, since = value(), time.monotonic()


@pytest.mark.parametrize("secrets", [False, True], ids=["plain", "redacting"])
def test_each_event_arrives_before_the_next_is_sent(request, origin, secrets):
    """The origin sends event n+1 only after the client has read event n, so one that were held back
    would stop the test."""
    gate = request.getfixturevalue("secret_gate" if secrets else "gate")
    with raw_client.tunnel(gate.address(), API, gate.ca_file()) as stream:
        stream.send(raw_client.request_bytes("GET", API, "/sse", ["Accept: text/event-stream"]))
        stream.sock.settimeout(1)
        assert read_head(stream).get("content-type") == "text/event-stream"
        for number in range(40):
            origin.events.put(b"event %d" % number)
            wanted = b"data: event %d\n\n" % number
            assert wanted in stream.read_until(b"\n\n")
        origin.events.put(None)


def test_events_every_50_ms_reach_the_client_as_they_come(gate):
    """Real time: 20 events in about a second, none later than the next but two."""
    times = []
    with raw_client.tunnel(gate.address(), API, gate.ca_file()) as stream:
        stream.send(raw_client.request_bytes("GET", API, "/ticks/20"))
        read_head(stream)
        for _ in range(20):
            stream.read_until(b"\n\n")
            times.append(time.monotonic())
    assert 0.7 < times[-1] - times[0] < 5, "they came in one lump, or far too late"


def test_a_request_body_streams_before_it_is_complete(gate, origin):
    arrived = threading.Event()

    def note_first_piece(exchange):
        for _ in exchange.body_pieces():
            arrived.set()
        exchange.reply(200, "done")

    origin.on("/pieces", note_first_piece)
    with raw_client.tunnel(gate.address(), API, gate.ca_file()) as stream:
        stream.send(raw_client.request_bytes("POST", API, "/pieces", ["Content-Length: 10"]))
        stream.send(b"01234")
        assert arrived.wait(5), "the gate waits for the whole body"
        stream.send(b"56789")
        assert read_head(stream).start.split()[1] == "200"
    assert origin.requests[0].body == b"0123456789"


def test_a_client_that_goes_away_stops_the_origin(gate, origin):
    ended = threading.Event()

    def endless(exchange):
        try:
            exchange.head(200, [("content-length", 1 << 40)])
            for block in bulk.blocks(1 << 20):
                exchange.send(block)
        finally:
            ended.set()

    origin.on("/endless", endless)
    with raw_client.tunnel(gate.address(), API, gate.ca_file()) as stream:
        stream.send(raw_client.request_bytes("GET", API, "/endless"))
        read_head(stream)
    assert ended.wait(10)
    record = gate.audit.one(event="request", path="/endless")
    assert gate.audit.response_to(record)["error"]
