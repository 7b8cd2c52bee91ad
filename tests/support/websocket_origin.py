"""A WebSocket echo server over TLS or plain (python3-websockets), recording the messages that
arrive. The message `close` makes it close with code 4001; `path` /subprotocol offers `chat.v2`."""

import asyncio
import threading

import websockets

from support.pki import TestAuthority


class WebSocketOrigin:
    def __init__(self, authority: TestAuthority, *names, tls=True):
        self.messages = []
        self.handshakes = []  # (path, [(field, value)])
        self.closes = []  # (code, reason) as the origin saw them
        self.closed = threading.Event()
        self._context = authority.server_context(*(names or ("ws.demo.test",))) if tls else None
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10), "the WebSocket origin did not start"

    @property
    def pin(self):
        return f"127.0.0.1:{self.port}"

    def stop(self):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _run(self):
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self):
        self._stop = asyncio.Event()
        server = websockets.serve(
            self._talk,
            "127.0.0.1",
            0,
            ssl=self._context,
            subprotocols=["chat.v2"],
            max_size=1 << 24,
        )
        async with server as running:
            self.port = running.sockets[0].getsockname()[1]
            self._ready.set()
            await self._stop.wait()

    async def _talk(self, socket):
        self.handshakes.append((socket.path, list(socket.request_headers.raw_items())))
        try:
            async for message in socket:
                self.messages.append(message)
                if message == "close":
                    await socket.close(4001, "as asked")
                else:
                    await socket.send(message)
        finally:
            self.closes.append((socket.close_code, socket.close_reason))
            self.closed.set()
