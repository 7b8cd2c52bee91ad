"""WebSocket through the gate: python3-websockets explicitly and inside a sandbox, and upgrades that
must not happen."""

import asyncio
import base64
import os
import textwrap

import pytest

from support import raw_client
from support.websocket_client import HOST, talk, upgrade_fields
from support.websocket_origin import WebSocketOrigin


@pytest.fixture
def echo(authority):
    with WebSocketOrigin(authority, HOST) as running:
        yield running


@pytest.fixture
def ws_gate(start_gate, demo, echo):
    return start_gate(demo(pins={HOST: echo.pin}))


def test_text_binary_and_large_messages_echo_in_order(ws_gate, echo):
    messages = ["hello", "grüße", b"\x00\x01\xff", "", "x" * 200_000, os.urandom(5_000_000)]

    async def conversation(socket):
        return [(await socket.send(message), await socket.recv())[1] for message in messages]

    assert talk(ws_gate, conversation) == messages
    assert echo.messages == messages
    record = ws_gate.audit.one(event="request", path="/chat")
    ended = ws_gate.audit.response_to(record)
    assert ended["status"] == 101
    assert ended["bytes"]["up"] > 5_000_000 and ended["bytes"]["down"] > 5_000_000


def test_fragments_pings_and_compression_survive(ws_gate, echo):
    async def conversation(socket):
        async def pieces():
            yield "one "
            yield "message"

        await socket.send(pieces())
        assert await socket.recv() == "one message"
        await asyncio.wait_for(await socket.ping(b"are you there"), 10)

    talk(ws_gate, conversation)
    talk(ws_gate, conversation, compression=None)


def test_a_subprotocol_is_negotiated_end_to_end(ws_gate, echo):
    async def conversation(socket):
        return socket.subprotocol

    assert talk(ws_gate, conversation, subprotocols=["chat.v1", "chat.v2"]) == "chat.v2"


def test_a_close_from_the_origin_keeps_its_code(ws_gate):
    async def conversation(socket):
        await socket.send("close")
        await socket.wait_closed()
        return socket.close_code, socket.close_reason

    assert talk(ws_gate, conversation) == (4001, "as asked")


def test_a_close_from_the_client_keeps_its_code(ws_gate, echo):
    async def conversation(socket):
        await socket.close(4002, "enough")

    talk(ws_gate, conversation)
    assert echo.closed.wait(10)
    assert echo.closes == [(4002, "enough")]


def test_other_extensions_are_not_offered(ws_gate, echo):
    offers = "x-other; a=1, permessage-deflate; client_max_window_bits, permessage-deflate; odd"
    with raw_client.tunnel(ws_gate.address(), HOST, ws_gate.ca_file()) as stream:
        fields = upgrade_fields(**{"Sec-WebSocket-Extensions": offers})
        answer = raw_client.ask(stream, "GET", HOST, "/offers", fields)
    assert answer.status == 101
    assert echo.closed.wait(10)
    ((_, fields),) = echo.handshakes
    offered = [value for name, value in fields if name.lower() == "sec-websocket-extensions"]
    assert offered == ["permessage-deflate; client_max_window_bits"]


def test_where_a_secret_is_redacted_no_message_waits_for_the_next(start_gate, demo, echo, canary):
    """The end of a message may be the beginning of a secret, in plain text or base64."""
    config = demo(secrets=["DEMO_TOKEN"], pins={HOST: echo.pin})
    config["secrets"]["DEMO_TOKEN"]["hosts"] = [HOST]
    gate = start_gate(config, {"DEMO_REAL": canary.value}, [canary])
    encoded = base64.b64encode(canary.value.encode()).decode()
    starts = [text[:count] for text in (canary.value, encoded) for count in (1, 12, 13)]
    messages = ["pong", *starts, "egret", "e"]

    async def conversation(socket):
        for message in messages:
            await socket.send(message)
            assert await asyncio.wait_for(socket.recv(), 5) == message
        await socket.send(f"a {canary.value} b")
        told = await asyncio.wait_for(socket.recv(), 5)
        assert canary.value not in told and told.startswith("a ") and told.endswith(" b")

    for compression in ("deflate", None):
        talk(gate, conversation, compression=compression)


def test_a_client_that_vanishes_ends_the_origins_side_too(ws_gate, echo):
    with raw_client.tunnel(ws_gate.address(), HOST, ws_gate.ca_file()) as stream:
        assert raw_client.ask(stream, "GET", HOST, "/gone", upgrade_fields()).status == 101
    assert echo.closed.wait(10)
    ws_gate.audit.response_to(ws_gate.audit.one(event="request", path="/gone"))


@pytest.mark.parametrize(
    "changes",
    [
        {"Upgrade": "h2c"},
        {"Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA"},
        {"Upgrade": "something/1"},
        {"Sec-WebSocket-Key": None},
        {"Sec-WebSocket-Key": "too short"},
        {"Sec-WebSocket-Version": "8"},
        {"Upgrade": "websocket, h2c"},
    ],
)
def test_an_upgrade_that_is_no_valid_websocket_never_switches(ws_gate, echo, changes):
    with raw_client.tunnel(ws_gate.address(), HOST, ws_gate.ca_file()) as stream:
        answer = raw_client.ask(stream, "GET", HOST, "/odd", upgrade_fields(**changes))
    assert answer.status != 101
    for path, fields in echo.handshakes:
        assert "upgrade" not in [name.lower() for name, _ in fields], path


def test_an_upgrade_to_a_path_that_no_rule_allows_is_refused(start_gate, demo, echo):
    rules = [{"allow": "chat.demo.test", "methods": ["GET"], "paths": ["/chat"]}]
    gate = start_gate(demo(rules=rules, pins={"chat.demo.test": echo.pin}))
    with raw_client.tunnel(gate.address(), "chat.demo.test", gate.ca_file()) as stream:
        answer = raw_client.ask(stream, "GET", "chat.demo.test", "/other", upgrade_fields())
    assert answer.status == 403
    assert not echo.handshakes


def test_an_origin_that_does_not_accept_the_upgrade_stays_http(gate, origin):
    with raw_client.tunnel(gate.address(), HOST, gate.ca_file()) as stream:
        assert raw_client.ask(stream, "GET", HOST, "/fixed/3", upgrade_fields()).body == b"xxx"
        assert raw_client.ask(stream, "GET", HOST, "/fixed/2").body == b"xx"


def test_an_origin_that_switches_with_a_wrong_accept_key_is_a_502(gate, origin):
    def lie(exchange):
        fields = [("connection", "upgrade"), ("upgrade", "websocket"),
                  ("sec-websocket-accept", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")]  # fmt: skip
        exchange.head(101, fields, reason="Switching Protocols")
        exchange.close_after()

    origin.on("/lie", lie)
    with raw_client.tunnel(gate.address(), HOST, gate.ca_file()) as stream:
        assert raw_client.ask(stream, "GET", HOST, "/lie", upgrade_fields()).status == 502


def test_websockets_work_inside_a_sandbox_with_no_proxy_variables(make_home, demo, echo):
    code = f"""
        import asyncio, websockets
        async def main():
            async with websockets.connect("wss://{HOST}/inside") as socket:
                for message in ("hello", b"\\x00", "x" * 100_000):
                    await socket.send(message)
                    assert await asyncio.wait_for(socket.recv(), 10) == message
        asyncio.run(main())
    """
    home = make_home(demo(pins={HOST: echo.pin}))
    done = home.run("/usr/bin/python3", "-c", textwrap.dedent(code))
    assert done.returncode == 0, done.stderr
    assert echo.messages[0] == "hello" and len(echo.messages) == 3
    assert home.audit.one(event="request", path="/inside")["capture"] == "netns"
