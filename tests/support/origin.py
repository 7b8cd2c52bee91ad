"""A recording origin on a port of its own: plain HTTP and TLS on the same port (told apart by the
first byte), one thread a connection, every byte that arrives kept. What it answers is chosen by the
path: see origin_replies.py."""

import hashlib
import itertools
import queue
import socket
import ssl
import threading
from dataclasses import dataclass, field

from support import origin_replies
from support.http1 import Body, Closed, Head, Stream, read_head

KEPT_BYTES = 1 << 20  # of each connection and of each body; the rest is only counted and hashed


@dataclass
class Request:
    head: Head
    tls: bool
    sni: str = None
    body: bytes = b""
    body_bytes: int = 0
    body_sha256: str = None  # once the whole body has arrived
    trailers: list = field(default_factory=list)
    number: int = 0  # in the order of arrival

    @property
    def method(self):
        return self.head.start.split(" ")[0]

    @property
    def target(self):
        return self.head.start.split(" ")[1]

    @property
    def path(self):
        return self.target.split("?")[0]

    def get(self, name, default=None):
        return self.head.get(name, default)


@dataclass
class Connection:
    address: str = None  # of ours, to which it came
    tls: bool = False
    sni: str = None
    handshake_error: str = None
    received: bytearray = field(default_factory=bytearray)  # after TLS; at most KEPT_BYTES
    received_bytes: int = 0
    requests: list = field(default_factory=list)
    closed: bool = False

    def take(self, data):
        self.received_bytes += len(data)
        room = KEPT_BYTES - len(self.received)
        if room > 0:
            self.received += data[:room]


class Exchange:
    """What a reply works with: the request, its body as it arrives, and the stream to answer on."""

    def __init__(self, origin, connection, stream, request):
        self.origin = origin
        self.connection = connection
        self.stream = stream
        self.request = request
        self.keep_alive = "close" not in (request.get("connection") or "").lower()
        self.abruptly = False
        self._body_taken = False

    def body_pieces(self):
        """Reads the body once, recording it; a second call yields nothing."""
        if self._body_taken:
            return
        self._body_taken = True
        digest = hashlib.sha256()
        body = Body(self.stream, self.request.head)
        for piece in body.pieces():
            digest.update(piece)
            self.request.body_bytes += len(piece)
            if len(self.request.body) < KEPT_BYTES:
                self.request.body += piece
            yield piece
        self.request.trailers = body.trailers
        self.request.body_sha256 = digest.hexdigest()
        self.origin.note_change()

    def read_body(self):
        for _ in self.body_pieces():
            pass
        return self.request.body

    def send(self, data):
        self.stream.send(data)

    def head(self, status, fields=(), reason="OK"):
        lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in fields)]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def reply(self, status=200, body=b"", fields=(), content_type="text/plain"):
        body = body.encode() if isinstance(body, str) else body
        own = [("content-type", content_type), ("content-length", len(body))]
        self.head(status, [*own, *fields])
        if self.request.method != "HEAD":
            self.send(body)

    def close_after(self, abruptly=False):
        """Ends the connection behind this answer; `abruptly`: over TLS without its close_notify."""
        self.keep_alive = False
        self.abruptly = abruptly


class Origin:
    """On a port of its own, or on `listener`: a listening socket, of another namespace perhaps."""

    def __init__(self, authority, *names, address="127.0.0.1", days=1, listener=None):
        names = names or ("*.demo.test", "demo.test", "*.w.test")
        self.connections = []
        self.events = queue.Queue()  # what /sse sends next; None ends the stream
        self.release = threading.Event()  # what /held waits for
        self.address = address
        self._replies = dict(origin_replies.REPLIES)
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._context = authority.server_context(*names, days=days)
        self._context.set_alpn_protocols(["http/1.1"])
        self._context.sni_callback = self._note_sni
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = listener or socket.create_server(
            (address, 0), family=family, backlog=1024
        )
        self.port = self._listener.getsockname()[1]
        self._sockets = set()
        self._stopping = False
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    # --- what tests ask

    @property
    def pin(self):
        """How `origins.resolve` names this origin."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{self.port}"

    @property
    def requests(self):
        """In the order of their arrival, over all connections."""
        with self._changed:
            every = [request for connection in self.connections for request in connection.requests]
            return sorted(every, key=lambda request: request.number)

    def wait_for(self, condition, seconds=10, what="the origin's expectation"):
        """Waits until condition(self) holds, re-evaluated whenever something arrives."""
        with self._changed:
            held = self._changed.wait_for(lambda: condition(self), seconds)
        assert held, f"{what} was not met within {seconds} s; saw {self.targets()}"

    def targets(self):
        return [f"{request.method} {request.target}" for request in self.requests]

    def bytes_received(self):
        return sum(connection.received_bytes for connection in self.connections)

    def assert_untouched(self):
        assert not self.connections, f"the origin was reached: {self.targets()}"

    def on(self, path, reply):
        """Answers requests below `path` with reply(exchange)."""
        self._replies[path] = reply

    def note_change(self):
        with self._changed:
            self._changed.notify_all()

    def stop(self):
        self._stopping = True
        self.release.set()
        self.events.put(None)
        shut(self._listener)
        with self._changed:
            open_sockets = list(self._sockets)
        for sock in open_sockets:
            shut(sock)
        for thread in self._threads:
            thread.join(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # --- serving

    def _accept(self):
        while not self._stopping:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(120)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock):
        connection = Connection(address=sock.getsockname()[0].removeprefix("::ffff:"))
        with self._changed:
            self.connections.append(connection)
            self._sockets.add(sock)
            self._changed.notify_all()
        try:
            wrapped = self._maybe_tls(sock, connection)
            if wrapped:
                self._requests(wrapped, connection)
        except (OSError, Closed, ValueError):
            pass  # the peer went away or sent nonsense; `received` shows what came
        finally:
            connection.closed = True
            with self._changed:
                self._sockets.discard(sock)
                self._changed.notify_all()
            sock.close()

    def _maybe_tls(self, sock, connection):
        if sock.recv(1, socket.MSG_PEEK) != b"\x16":
            return sock
        connection.tls = True
        try:
            wrapped = self._context.wrap_socket(
                sock, server_side=True, do_handshake_on_connect=False
            )
            with self._changed:
                self._sockets.discard(sock)
                self._sockets.add(wrapped)
            wrapped.connection = connection
            wrapped.do_handshake()
            return wrapped
        except (ssl.SSLError, OSError) as error:
            connection.handshake_error = str(error)
            self.note_change()
            return None

    @staticmethod
    def _note_sni(sock, name, _context):
        sock.connection.sni = name

    def _requests(self, sock, connection):
        stream = Stream(sock, connection.take)
        try:
            while True:
                head = read_head(stream)
                request = Request(head, connection.tls, connection.sni)
                with self._changed:
                    request.number = next(self._numbers)
                    connection.requests.append(request)
                    self._changed.notify_all()
                exchange = Exchange(self, connection, stream, request)
                self._reply_for(request.path)(exchange)
                exchange.read_body()
                if not exchange.keep_alive:
                    if connection.tls and not exchange.abruptly:
                        _end_tls(sock)
                    break
        finally:
            with self._changed:
                self._sockets.discard(sock)
            sock.close()

    def _reply_for(self, path):
        parts = path.split("/")
        for count in range(len(parts), 1, -1):
            reply = self._replies.get("/".join(parts[:count]))
            if reply:
                return reply
        return origin_replies.describe


def _end_tls(sock):
    """Sends close_notify, and waits a little for the peer's."""
    sock.settimeout(2)
    try:
        sock.unwrap()
    except OSError:
        pass


def shut(sock):
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    sock.close()
