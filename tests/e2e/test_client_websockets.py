"""Python's websockets inside a sandbox: compression, fragments, pings and close codes; through the
explicit proxy it is in test_websocket.py."""

import json
import textwrap

from support.websocket_origin import WebSocketOrigin

TALK = """
    import asyncio, json, websockets
    async def main():
        heard = []
        async with websockets.connect(
            "wss://ws.demo.test/chat", subprotocols=["chat.v2"], max_size=1 << 24
        ) as socket:
            heard.append([socket.subprotocol, [e.name for e in socket.extensions]])
            for message in ("hello", "z" * 1_000_000, bytes(range(256)) * 100):
                await socket.send(message)
                heard.append(await socket.recv() == message)
            await socket.send(str(piece) for piece in range(100))  # a message of 100 fragments
            heard.append(await socket.recv() == "".join(map(str, range(100))))
            await (await socket.ping(b"are you there"))
            await socket.send("close")
            await socket.wait_closed()
            heard.append([socket.close_code, socket.close_reason])
        print(json.dumps(heard))
    asyncio.run(main())
"""

REFUSED = """
    import asyncio, json, websockets
    async def main():
        try:
            await websockets.connect("wss://evil.example/")
        except websockets.InvalidStatusCode as error:
            print(json.dumps([error.status_code, error.headers["proxy-status"]]))
    asyncio.run(main())
"""


def python(home, code):
    done = home.run("/usr/bin/python3", "-c", textwrap.dedent(code))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_conversation_with_all_that_the_protocol_has(make_home, demo, authority):
    with WebSocketOrigin(authority) as server:
        home = make_home(demo(pins={"ws.demo.test": server.pin}))
        first, *rest = python(home, TALK)
    assert first == ["chat.v2", ["permessage-deflate"]]
    assert rest == [True, True, True, True, [4001, "as asked"]]
    assert server.handshakes[0][0] == "/chat"


def test_a_refused_host_is_a_403_that_names_the_reason(make_home, demo, origin):
    status, told = python(make_home(demo()), REFUSED)
    assert status == 403 and 'details="host_not_allowed"' in told
    origin.assert_untouched()
