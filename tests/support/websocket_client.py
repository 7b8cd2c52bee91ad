"""python3-websockets behind a gate's explicit listener."""

import asyncio
import base64
import os

import websockets

from support import raw_client
from support.pki import client_context

HOST = "ws.demo.test"


def talk(gate, conversation, path="/chat", host=HOST, **options):
    """Runs conversation(socket) over a WebSocket through CONNECT."""

    async def run():
        stream, response = raw_client.connect(gate.address(), f"{host}:443")
        assert response.status == 200
        stream.sock.setblocking(False)
        context = client_context(gate.ca_file())
        async with websockets.connect(
            f"wss://{host}{path}",
            sock=stream.sock,
            ssl=context,
            server_hostname=host,
            max_size=1 << 24,
            **options,
        ) as socket:
            return await asyncio.wait_for(conversation(socket), 30)

    return asyncio.run(run())


def upgrade_fields(**changes):
    fields = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        **changes,
    }
    return [f"{name}: {value}" for name, value in fields.items() if value is not None]
