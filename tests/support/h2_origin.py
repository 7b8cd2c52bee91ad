"""An HTTP/2 origin over TLS that does what a test says, also what no server would: one thread a
connection, which alone reads and writes its socket; tests reach it by post(). Beside HTTP/2 it
speaks nothing; what arrives is kept, header blocks as encoded too."""

import json
import queue
import select
import socket
import threading
from dataclasses import dataclass

from support import bulk, h2_raw
from support.h2_raw import PREFACE, Peer
from support.origin import shut
from support.waiting import TooLate, wait_until


@dataclass
class Request:
    connection: object
    stream: int
    message: object
    number: int

    @property
    def pairs(self):
        return [tuple(pair) for pair in self.message.heads[0]]

    @property
    def method(self):
        return self.get(":method")

    @property
    def path(self):
        return self.get(":path").split("?")[0]

    def get(self, name, default=None):
        return next((value for key, value in self.pairs if key == name), default)

    def all(self, name):
        return [value for key, value in self.pairs if key == name]


@dataclass
class Outgoing:
    """A body on its way: what is left of it, and what follows."""

    pieces: object
    trailers: list
    left: bytes = b""
    sent: int = 0


class Exchange:
    """What a reply works with. All of it runs in the connection's own thread."""

    def __init__(self, connection, request):
        self.connection = connection
        self.request = request
        self.stream = request.stream

    def send(self, data):
        self.connection.peer.send(data)

    def head(self, status=200, fields=(), end=False):
        self.connection.peer.head(self.stream, [(":status", str(status)), *fields], end)

    def respond(self, status=200, body=b"", fields=(), trailers=()):
        """`body`: bytes, or an iterable of them that is sent as the windows open."""
        self.head(status, fields, end=body == b"" and not trailers)
        if body != b"" or trailers:
            pieces = iter([body] if isinstance(body, bytes) else body)
            self.connection.sending[self.stream] = Outgoing(pieces, list(trailers))
            self.connection.pump()

    def reset(self, code=h2_raw.CANCEL):
        self.send(h2_raw.rst(self.stream, code))

    def close(self):
        """The end of the connection, behind what was sent."""
        self.connection.ends = True


def describe(exchange):
    """Any path that is not listed: the request as JSON."""
    request, message = exchange.request, exchange.request.message
    told = {
        "pairs": request.pairs,
        "body_bytes": message.body_bytes,
        "body_sha256": message.body_sha256,
        "trailers": message.trailers,
    }
    exchange.respond(200, json.dumps(told).encode(), [("content-type", "application/json")])


def fixed(exchange):
    exchange.respond(200, b"x" * int(exchange.request.path.rsplit("/", 1)[-1]))


def down(exchange):
    mib = int(exchange.request.path.rsplit("/", 1)[-1])
    exchange.respond(200, bulk.blocks(mib), [("content-length", str(mib * bulk.MIB))])


def up(exchange):
    """Says what body came."""
    message = exchange.request.message
    told = {"sha256": message.body_sha256, "bytes": message.body_bytes}
    exchange.respond(200, json.dumps(told).encode(), [("content-type", "application/json")])


def status(exchange):
    code = int(exchange.request.path.rsplit("/", 1)[-1])
    exchange.respond(code, b"" if code in (204, 304) else f"status {code}\n".encode())


def chunked(exchange):
    """A body of unknown length, and a trailer."""
    exchange.respond(200, [b"one,", b"two,", b"three"], trailers=[("x-checksum", "123")])


def held(_):
    """No answer until the test gives one."""


REPLIES = {
    "/fixed": fixed,
    "/down": down,
    "/up": up,
    "/status": status,
    "/chunked": chunked,
    "/held": held,
}


class Connection:
    """`resets`: the code of each stream that the gate has reset."""

    def __init__(self, origin, sock):
        self.origin = origin
        self.peer = Peer(sock, self._heard)
        self.requests = []
        self.sending = {}
        self.ends = False
        self.over = False
        self._posted = queue.Queue()
        self._woken, self._wake = socket.socketpair()

    def post(self, action):
        """Runs action() in the connection's thread."""
        self._posted.put(action)
        self._wake.send(b"!")

    @property
    def resets(self):
        messages = dict(self.peer.messages)
        return {s: m.reset for s, m in messages.items() if m.reset is not None}

    def pump(self):
        """Sends of every body what the windows allow."""
        for stream, out in list(self.sending.items()):
            while stream in self.sending and self._send_some(stream, out):
                pass

    def _send_some(self, stream, out):
        if not out.left:
            out.left = next(out.pieces, None)
        if out.left is None:
            del self.sending[stream]
            if out.trailers:
                self.peer.head(stream, out.trailers)
            else:
                self.peer.data(stream)
            return False
        octets = self.peer.room(stream)
        if octets <= 0:
            return False
        piece, out.left = out.left[:octets], out.left[octets:]
        self.peer.data(stream, piece, end=False)
        out.sent += len(piece)
        return True

    def serve(self):
        sock = self.peer.sock
        preface = b""
        while len(preface) < len(PREFACE):
            some = sock.recv(len(PREFACE) - len(preface))
            if not some:
                return
            preface += some
        assert preface == PREFACE, preface
        self.origin.greet(self)
        while not self.ends:
            if not sock.pending():
                ready = select.select([sock, self._woken], [], [])[0]
                if self._woken in ready:
                    self._woken.recv(1)
                    self._posted.get()()
                if sock not in ready:
                    continue
            if not self.peer.receive():
                return
            self.pump()
            self.origin.note_change()

    def _heard(self, stream, what):
        message = self.peer.messages.get(stream)
        if what == "reset":
            self.sending.pop(stream, None)
        if what in ("head", "end") and len(message.heads) == 1 and not message.body_bytes:
            request = self._request(stream, message)
            reply = self.origin.reply_for(request, early=True)
            if reply:
                reply(Exchange(self, request))
        if what == "end":
            request = self._request(stream, message)
            reply = self.origin.reply_for(request, early=False)
            if reply:
                reply(Exchange(self, request))

    def _request(self, stream, message):
        known = next((r for r in self.requests if r.stream == stream), None)
        if known is None:
            known = Request(self, stream, message, self.origin.next_number())
            self.requests.append(known)
        return known


class H2Origin:
    """`first`: the SETTINGS it greets with, or any bytes."""

    def __init__(self, authority, first=h2_raw.settings(), alpn=("h2",)):
        self.first = first
        self.connections = []
        self._replies = {path: (reply, False) for path, reply in REPLIES.items()}
        self._changed = threading.Condition()
        self._count = 0
        self._context = authority.server_context("*.demo.test", "demo.test", "*.w.test")
        self._context.set_alpn_protocols(list(alpn))
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self._listener.getsockname()[1]
        self._stopping = False
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def pin(self):
        return f"127.0.0.1:{self.port}"

    @property
    def requests(self):
        every = [r for connection in list(self.connections) for r in list(connection.requests)]
        return sorted(every, key=lambda request: request.number)

    def targets(self):
        return [f"{request.method} {request.get(':path')}" for request in self.requests]

    def on(self, path, reply, early=False):
        """Answers requests below `path` with reply(exchange), once they are whole; `early`: as
        soon as their head is there."""
        self._replies[path] = (reply, early)

    def wait_for(self, condition, seconds=10, what="the origin's expectation"):
        try:
            return wait_until(lambda: condition(self), seconds)
        except TooLate:
            raise TooLate(f"{what} was not met within {seconds} s; saw {self.targets()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stopping = True
        shut(self._listener)
        for connection in list(self.connections):
            shut(connection.peer.sock)
        for thread in self._threads:
            thread.join(10)

    # --- for the connections

    def greet(self, connection):
        connection.peer.send(self.first)

    def next_number(self):
        with self._changed:
            self._count += 1
            return self._count

    def note_change(self):
        with self._changed:
            self._changed.notify_all()

    def reply_for(self, request, early):
        parts = request.path.split("/")
        for count in range(len(parts), 1, -1):
            found = self._replies.get("/".join(parts[:count]))
            if found:
                return found[0] if found[1] == early else None
        return None if early else describe

    def _accept(self):
        while not self._stopping:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock):
        sock.settimeout(60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            wrapped = self._context.wrap_socket(sock, server_side=True)
        except OSError:
            sock.close()
            return
        connection = Connection(self, wrapped)
        self.connections.append(connection)
        try:
            connection.serve()
        except (OSError, ValueError):
            pass  # the gate went away
        finally:
            connection.over = True
            shut(wrapped)
