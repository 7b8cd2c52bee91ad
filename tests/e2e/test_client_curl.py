"""curl inside a sandbox, every pairing of HTTP versions between it, the gate and the origin."""

import json

import pytest

from support import bulk
from support.denial import assert_denial_body

VERSIONS = {"--http1.1": "1.1", "--http2": "2"}
CLIENT = pytest.mark.parametrize("flag", VERSIONS)
# What stands behind each name, as the recording origin sees it through x-protocol.
ORIGINS = {"api.demo.test": None, "h2.demo.test": "HTTP/2.0"}
ORIGIN = pytest.mark.parametrize("host", ORIGINS)


def curl(home, *arguments, stdin=""):
    done = home.run("curl", "-sS", "--max-time", "20", *arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


@CLIENT
@ORIGIN
def test_each_side_speaks_what_it_can(client_home, origin, flag, host, canary):
    ask = 'curl -sS -w "\\n%{http_version}" "$1" -H "Authorization: Bearer $DEMO_TOKEN" "$2"'
    done = client_home.run("sh", "-c", ask, "sh", flag, f"https://{host}/x?y=z")
    assert done.returncode == 0, done.stderr
    body, version = done.stdout.rsplit("\n", 1)
    assert version == VERSIONS[flag] and json.loads(body)["target"] == "/x?y=z"
    request = origin.requests[0]
    assert request.get("x-protocol") == ORIGINS[host]
    assert request.get("authorization") == f"Bearer {canary.value}"
    record = client_home.audit.one(event="request", path="/x")
    assert record["request"]["version"] == VERSIONS[flag]
    assert record["secrets"] == [{"name": "DEMO_TOKEN", "in": "header:authorization", "count": 1}]


@CLIENT
@ORIGIN
def test_bodies_of_some_mib_arrive_whole_in_both_directions(client_home, origin, flag, host):
    sent = client_home.work / "sent.bin"
    sent.write_bytes(b"".join(bulk.blocks(8)))
    told = json.loads(curl(client_home, flag, "-T", "sent.bin", f"https://{host}/up"))
    assert told == {"sha256": bulk.checksum(8), "bytes": 8 * bulk.MIB}
    curl(client_home, flag, "-o", "got.bin", f"https://{host}/down/8")
    assert client_home.run("cmp", "sent.bin", "got.bin").returncode == 0


def without_length(exchange):
    exchange.head(200, [("transfer-encoding", "chunked")])
    for block in bulk.blocks(4):
        exchange.send(b"%x\r\n%s\r\n" % (len(block), block))
    exchange.send(b"0\r\n\r\n")


@CLIENT
@ORIGIN
def test_nothing_is_lost_or_doubled_at_the_end_of_a_body(client_home, origin, flag, host):
    """A stream that the origin had closed while its last piece was being passed on once gave that
    piece twice."""
    origin.on("/open", without_length)
    url = f"https://{host}/open"
    curl(client_home, flag, *[word for n in range(8) for word in ("-o", f"got{n}", url)])
    expected = b"".join(bulk.blocks(4))
    right = [(client_home.work / f"got{n}").read_bytes() == expected for n in range(8)]
    assert right == [True] * 8


@CLIENT
@ORIGIN
def test_a_body_without_a_length_arrives_whole(client_home, flag, host):
    text = "0123456789" * 50_000
    told = json.loads(curl(client_home, flag, "-T", "-", f"https://{host}/up", stdin=text))
    assert told["bytes"] == len(text)


@CLIENT
@ORIGIN
def test_events_pass_as_they_come(client_home, flag, host):
    text = curl(client_home, flag, "-N", f"https://{host}/ticks/5")
    assert text == "".join(f"data: {number}\n\n" for number in range(5))


@CLIENT
def test_a_refused_host_is_told_in_words(client_home, origin, flag):
    text = curl(client_home, flag, "-w", "\n%{http_code} %{http_version}", "https://evil.example/")
    body, end = text.rsplit("\n", 1)
    assert end == f"403 {VERSIONS[flag]}"
    assert_denial_body(body, "host_not_allowed", "evil.example", 443)
    origin.assert_untouched()


def test_many_requests_at_once_share_one_connection(client_home, origin):
    urls = [f"https://h2.demo.test/fixed/{size}" for size in range(1000, 1050)]
    text = curl(client_home, "--http2", "--parallel", "--parallel-max", "50", *urls)
    assert text == "x" * sum(range(1000, 1050))
    records = client_home.audit.wait_for(50, event="request", host="h2.demo.test")
    assert len({record["connection"] for record in records}) == 1
