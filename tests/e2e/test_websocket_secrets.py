"""Secrets in WebSocket messages: filled in where `in: [websocket]` says so, refused anywhere else,
and never coming down again; whatever the frames and their compression."""

import asyncio
import base64
import hashlib
import json
import os

import pytest
import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from support import raw_client
from support.websocket_client import HOST, talk, upgrade_fields
from support.websocket_origin import WebSocketOrigin

OTHER = "other.demo.test"

COMPRESSIONS = {
    "plain": dict(compression=None),
    "usual": dict(compression="deflate"),
    "no takeover": dict(
        compression=None,
        extensions=[
            ClientPerMessageDeflateFactory(
                server_no_context_takeover=True, client_no_context_takeover=True
            )
        ],
    ),
    "small windows": dict(
        compression=None,
        extensions=[
            ClientPerMessageDeflateFactory(server_max_window_bits=9, client_max_window_bits=9)
        ],
    ),
}


@pytest.fixture(params=COMPRESSIONS.values(), ids=COMPRESSIONS.keys())
def compression(request):
    return request.param


@pytest.fixture
def echo(authority):
    with WebSocketOrigin(authority, HOST, OTHER) as running:
        yield running


def secret_config(demo, echo, places):
    config = demo(secrets=["DEMO_TOKEN"], places=places, pins={HOST: echo.pin, OTHER: echo.pin})
    config["secrets"]["DEMO_TOKEN"]["hosts"] = [HOST]
    return config


@pytest.fixture
def gate(start_gate, demo, echo, canary):
    config = secret_config(demo, echo, ["websocket"])
    return start_gate(config, {"DEMO_REAL": canary.value}, [canary])


def token_of(gate):
    return gate.home.client_environment("web")["DEMO_TOKEN"]


async def ask(socket, message):
    await socket.send(message)
    return await asyncio.wait_for(socket.recv(), 10)


def test_a_placeholder_in_text_is_filled_in_and_its_echo_redacted(gate, echo, canary, compression):
    token = token_of(gate)
    identify = json.dumps({"op": 2, "d": {"token": token, "grüße": "ß"}})

    async def conversation(socket):
        assert await ask(socket, "hello") == "hello"
        assert await ask(socket, identify) == identify
        assert await ask(socket, token + token) == token + token
        # Neither waits for what could follow.
        assert await ask(socket, token[:-1]) == token[:-1]
        assert await ask(socket, canary.value[:12]) == canary.value[:12]

    talk(gate, conversation, **compression)
    filled = [text.replace(token, canary.value) for text in (identify, token + token)]
    assert echo.messages == ["hello", *filled, token[:-1], canary.value[:12]]
    record = gate.audit.one(event="request", path="/chat")
    ended = gate.audit.response_to(record)
    assert ended["secrets"] == [{"name": "DEMO_TOKEN", "in": "websocket", "count": 3}]
    assert ended["redactions"] == 3
    assert ended["frames"]["up"] >= 5 and ended["frames"]["down"] >= 5
    assert "error" not in ended


def test_a_placeholder_split_over_fragments_is_filled_in(gate, echo, canary, compression):
    token = token_of(gate)

    async def conversation(socket):
        async def pieces():
            yield "token "
            for at in range(0, len(token), 7):
                yield token[at : at + 7]
                # In the middle of the message.
                await asyncio.wait_for(await socket.ping(f"at {at}".encode()), 10)
            yield " end"

        await socket.send(pieces())
        assert await asyncio.wait_for(socket.recv(), 10) == f"token {token} end"

    talk(gate, conversation, **compression)
    assert echo.messages == [f"token {canary.value} end"]


def test_large_messages_pass_unharmed(gate, echo, canary, compression):
    token = token_of(gate)
    text = ("x" * 99_991 + token) * 100 + "y" * 500_000
    noise = os.urandom(10 << 20)

    async def conversation(socket):
        for message in (text, noise, bytes(10 << 20)):
            assert await ask(socket, message) == message

    talk(gate, conversation, **compression)
    assert echo.messages[0] == text.replace(token, canary.value)
    assert echo.messages[1:] == [noise, bytes(10 << 20)]


def refused(gate, message, host=HOST, **options):
    """Code and reason of the close that answers this message."""

    async def conversation(socket):
        assert await ask(socket, "before") == "before"
        with pytest.raises(websockets.ConnectionClosed):
            await socket.send(message)
            await asyncio.wait_for(socket.recv(), 10)
        return socket.close_code, socket.close_reason

    return talk(gate, conversation, host=host, **options)


@pytest.mark.parametrize(
    "host, binary, reason",
    [
        (HOST, True, "secret_location"),
        (OTHER, False, "secret_scope"),
        (OTHER, True, "secret_scope"),
    ],
)
def test_a_placeholder_anywhere_else_ends_the_socket_in_words(
    gate, echo, compression, host, binary, reason
):
    token = token_of(gate)
    text = f"my token is {token}, " + "and more " * 100_000
    code, words = refused(gate, text.encode() if binary else text, host, **compression)
    assert code == 1008 and words.startswith("egret: ")
    assert echo.closed.wait(10)
    assert echo.messages == ["before"], "the message was never completed"
    ended = gate.audit.response_to(gate.audit.one(event="request", path="/chat"))
    assert ended["error"] == reason
    assert "secrets" not in ended


def test_without_the_place_a_placeholder_in_text_is_refused(start_gate, demo, echo, canary):
    gate = start_gate(
        secret_config(demo, echo, ["header"]), {"DEMO_REAL": canary.value}, [canary]
    )
    code, words = refused(gate, token_of(gate))
    assert code == 1008 and "in: [websocket]" in words
    assert echo.closed.wait(10)
    assert echo.messages == ["before"]


def test_a_placeholder_in_a_ping_is_refused(gate, echo):
    async def conversation(socket):
        await socket.ping(token_of(gate).encode())
        await asyncio.wait_for(socket.wait_closed(), 10)
        return socket.close_code

    assert talk(gate, conversation) == 1008


def test_at_a_host_without_a_grant_a_value_is_masked(gate, echo, canary, compression):
    async def conversation(socket):
        return await ask(socket, f"<{canary.value}>")

    told = talk(gate, conversation, host=OTHER, **compression)
    assert len(told) == len(canary.value) + 2 and canary.value not in told


def test_close_codes_pass_both_ways(gate, echo, compression):
    async def from_origin(socket):
        await socket.send("close")
        await socket.wait_closed()
        return socket.close_code, socket.close_reason

    async def from_client(socket):
        await socket.close(4002, "enough")

    assert talk(gate, from_origin, **compression) == (4001, "as asked")
    assert echo.closed.wait(10)
    echo.closed.clear()
    talk(gate, from_client, **compression)
    assert echo.closed.wait(10)
    assert echo.closes[-1] == (4002, "enough")


def test_frames_that_break_the_rules_end_the_socket_on_both_sides(gate, echo):
    with raw_client.tunnel(gate.address(), HOST, gate.ca_file()) as stream:
        answer = raw_client.ask(stream, "GET", HOST, "/broken", upgrade_fields())
        assert answer.status == 101
        stream.send(b"\x81\x05hello")  # not masked
        head = stream.read_exact(2)
        close = stream.read_exact(head[1])
    assert head[0] == 0x88 and close[:2] == (1002).to_bytes(2, "big")
    assert close[2:] == b"an unmasked frame of a client"
    assert echo.closed.wait(10)
    assert not echo.messages
    ended = gate.audit.response_to(gate.audit.one(event="request", path="/broken"))
    assert ended["error"] == "framing_invalid"


def test_an_origins_broken_frames_do_not_reach_the_client(
    start_gate, demo, origin, canary
):
    def broken(exchange):
        key = exchange.request.get("sec-websocket-key").encode()
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        fields = [
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-accept", base64.b64encode(digest).decode()),
        ]
        exchange.head(101, fields, reason="Switching Protocols")
        exchange.send(b"\x81\x02ok" + b"\x83\x01?")
        exchange.close_after()

    origin.on("/broken", broken)
    gate = start_gate(demo(secrets=["DEMO_TOKEN"]), {"DEMO_REAL": canary.value}, [canary])

    async def conversation(socket):
        assert await asyncio.wait_for(socket.recv(), 10) == "ok"
        await asyncio.wait_for(socket.wait_closed(), 10)
        return socket.close_code

    assert talk(gate, conversation, "/broken") == 1002
    ended = gate.audit.response_to(gate.audit.one(event="request", path="/broken"))
    assert ended["error"] == "upstream_framing"


NODE = """
const socket = new WebSocket('wss://ws.demo.test/node');
const got = [];
socket.onopen = () => socket.send('token ' + process.env.DEMO_TOKEN);
socket.onmessage = event => { got.push(event.data); socket.close(4003, 'done'); };
socket.onclose = event => console.log(JSON.stringify([got, event.code]));
socket.onerror = event => { console.error(event); process.exit(3); };
"""


def test_nodes_websocket_inside_a_sandbox_needs_to_know_nothing(make_home, demo, echo, canary):
    config = secret_config(demo, echo, ["websocket"])
    home = make_home(config, {"DEMO_REAL": canary.value}, [canary])
    flag = "--experimental-websocket"
    has = home.run("node", flag, "-e", "process.exit(typeof WebSocket === 'function' ? 0 : 1)")
    if has.returncode != 0:
        pytest.skip("this node has no WebSocket")
    done = home.run("node", flag, "-e", NODE)
    assert done.returncode == 0, done.stderr
    (told,), code = json.loads(done.stdout)
    assert told.startswith("token ") and "egret" in told and code == 4003
    assert echo.messages == [f"token {canary.value}"]
