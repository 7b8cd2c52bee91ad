"""Python's httpx with HTTP/2 and aiohttp inside a sandbox; requests: test_python_clients.py."""

import json
import textwrap

import pytest

from support.denial import assert_denial_body
from support.websocket_origin import WebSocketOrigin

HTTPX = """
    import httpx, json, os, sys
    url, http2 = sys.argv[1], sys.argv[2] == "h2"
    # httpx takes its authorities from certifi unless it is told of others.
    with httpx.Client(http2=http2, verify=os.environ["SSL_CERT_FILE"], timeout=20) as client:
        head = {"authorization": "Bearer " + os.environ["DEMO_TOKEN"]}
        answer = client.get(url, headers=head if "demo.test" in url else {})
        print(json.dumps([answer.http_version, answer.status_code, answer.text]))
"""
HTTPX_BODIES = """
    import httpx, json, os, sys
    def pieces():
        for _ in range(100):
            yield b"0123456789" * 1000
    with httpx.Client(http2=True, verify=os.environ["SSL_CERT_FILE"], timeout=20) as client:
        up = client.post(sys.argv[1] + "/up", content=pieces()).json()["bytes"]
        with client.stream("GET", sys.argv[1] + "/down/4") as answer:
            down = sum(len(piece) for piece in answer.iter_bytes())
        with client.stream("GET", sys.argv[1] + "/ticks/3") as answer:
            events = [line for line in answer.iter_lines() if line.strip()]
    print(json.dumps([up, down, [line.strip() for line in events]]))
"""
HTTPX_AT_ONCE = """
    import asyncio, httpx, os, sys
    async def main():
        limits = httpx.Limits(max_connections=1)
        async with httpx.AsyncClient(
            http2=True, verify=os.environ["SSL_CERT_FILE"], timeout=20, limits=limits
        ) as client:
            asked = [client.get(f"{sys.argv[1]}/fixed/{size}") for size in range(1, 31)]
            answers = await asyncio.gather(*asked)
            assert [len(answer.text) for answer in answers] == list(range(1, 31))
    asyncio.run(main())
"""
AIOHTTP = """
    import aiohttp, asyncio, json, os, sys
    async def main():
        head = {"authorization": "Bearer " + os.environ["DEMO_TOKEN"]}
        async with aiohttp.ClientSession() as session:
            url = sys.argv[1]
            head = head if "demo.test" in url else {}
            async with session.get(url, headers=head) as answer:
                print(json.dumps([answer.status, await answer.text()]))
    asyncio.run(main())
"""
AIOHTTP_WEBSOCKET = """
    import aiohttp, asyncio, json
    async def main():
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect("wss://ws.demo.test/", compress=15) as socket:
                await socket.send_str("hello")
                text = await socket.receive_str()
                await socket.send_bytes(b"\\0" * 100_000)
                size = len(await socket.receive_bytes())
                await socket.send_str("close")
                end = await socket.receive()
            print(json.dumps([text, size, end.data]))
    asyncio.run(main())
"""
HOSTS = pytest.mark.parametrize("host", ["api.demo.test", "h2.demo.test"])


def python(home, code, *arguments):
    done = home.run("/usr/bin/python3", "-c", textwrap.dedent(code), *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout else None


@HOSTS
@pytest.mark.parametrize("offer, version", [("h1", "HTTP/1.1"), ("h2", "HTTP/2")])
def test_httpx_reaches_an_allowed_host(client_home, origin, canary, host, offer, version):
    told = python(client_home, HTTPX, f"https://{host}/x", offer)
    assert told[:2] == [version, 200] and json.loads(told[2])["target"] == "/x"
    assert origin.requests[0].get("authorization") == f"Bearer {canary.value}"


@pytest.mark.parametrize("offer, version", [("h1", "HTTP/1.1"), ("h2", "HTTP/2")])
def test_httpx_reads_why_a_host_is_refused(client_home, origin, offer, version):
    told = python(client_home, HTTPX, "https://evil.example/", offer)
    assert told[:2] == [version, 403]
    assert_denial_body(told[2], "host_not_allowed", "evil.example", 443)
    origin.assert_untouched()


@HOSTS
def test_httpx_streams_both_ways_over_http2(client_home, host):
    told = python(client_home, HTTPX_BODIES, f"https://{host}")
    assert told == [1_000_000, 4 << 20, ["data: 0", "data: 1", "data: 2"]]


@HOSTS
def test_httpx_asks_many_things_at_once_over_http2(client_home, origin, host):
    python(client_home, HTTPX_AT_ONCE, f"https://{host}")
    records = client_home.audit.wait_for(30, event="request", host=host)
    assert len({record["connection"] for record in records}) == 1


@HOSTS
def test_aiohttp_reaches_an_allowed_host(client_home, origin, canary, host):
    status, text = python(client_home, AIOHTTP, f"https://{host}/x")
    assert status == 200 and json.loads(text)["target"] == "/x"
    assert origin.requests[0].get("authorization") == f"Bearer {canary.value}"


def test_aiohttp_reads_why_a_host_is_refused(client_home, origin):
    status, text = python(client_home, AIOHTTP, "https://evil.example/")
    assert status == 403
    assert_denial_body(text, "host_not_allowed", "evil.example", 443)
    origin.assert_untouched()


def test_aiohttp_speaks_websocket_with_compression(make_home, demo, authority):
    with WebSocketOrigin(authority) as server:
        home = make_home(demo(pins={"ws.demo.test": server.pin}))
        assert python(home, AIOHTTP_WEBSOCKET) == ["hello", 100_000, 4001]
    fields = {name.lower(): value for name, value in server.handshakes[0][1]}
    assert "permessage-deflate" in fields["sec-websocket-extensions"]
