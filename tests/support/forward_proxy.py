"""A corporate HTTP proxy: CONNECT and absolute form, Basic credentials. Every target leads to one
origin, since the names of tests exist nowhere. It keeps all that it was asked and every byte that
passed through it, and can be told to misbehave."""

import base64
import socket
import threading
from dataclasses import dataclass

from support.http1 import Body, Closed, Head, Stream, read_head, read_response
from support.origin import shut

TIMEOUT = 20


@dataclass(frozen=True)
class Asked:
    head: Head
    connection: int  # which of its connections, from 0

    @property
    def line(self):
        return self.head.start


class ForwardProxy:
    """On `address` and a port of its own, or on `listener`. `origin` is (host, port)."""

    def __init__(self, origin, user="corp-user", password=None, address="127.0.0.5", listener=None):
        self.origin = origin
        self.address = address
        self.asked = []
        self.passed = bytearray()  # all bytes in both directions
        # Bytes sent instead of an answer, before the connection is closed; or behind a good one.
        self.instead = None
        self.behind = b""
        self._credentials = f"{user}:{password}" if password else None
        self._listener = listener or socket.create_server((address, 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._sockets = set()
        self._lock = threading.Lock()
        self._threads = []
        self._connections = 0

    def url(self, host=None):
        at = f"{self._credentials}@" if self._credentials else ""
        return f"http://{at}{host or self.address}:{self.port}"

    def lines(self):
        return [asked.line for asked in self.asked]

    def __enter__(self):
        self._spawn(self._accept)
        return self

    def __exit__(self, *_):
        for sock in (self._listener, *self._sockets):
            shut(sock)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive(), "the forward proxy does not end"

    # --- serving

    def _spawn(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._spawn(self._serve, sock, self._connections)
            self._connections += 1

    def _stream(self, sock):
        sock.settimeout(TIMEOUT)
        with self._lock:
            self._sockets.add(sock)
        return Stream(sock, self._note)

    def _note(self, data):
        with self._lock:
            self.passed += data

    def _serve(self, sock, number):
        client = self._stream(sock)
        try:
            while True:
                head = read_head(client)
                self.asked.append(Asked(head, number))
                if self.instead is not None:
                    client.send(self.instead)
                    return
                if not self._knows(head):
                    client.send(
                        b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=corp\r\n"
                        b"Content-Length: 5\r\n\r\nwho?\n"
                    )
                    return
                if head.start.startswith("CONNECT "):
                    self._tunnel(client)
                    return
                self._forward(client, head)
        except (OSError, Closed, ValueError):
            pass  # the other side went away
        finally:
            shut(sock)

    def _knows(self, head):
        if self._credentials is None:
            return True
        expected = "Basic " + base64.b64encode(self._credentials.encode()).decode()
        return head.all("proxy-authorization") == [expected]

    def _tunnel(self, client):
        origin = self._stream(socket.create_connection(self.origin, TIMEOUT))
        client.send(b"HTTP/1.1 200 Connection established\r\n\r\n" + self.behind)
        back = self._spawn(_pump, origin, client)
        _pump(client, origin)
        back.join(TIMEOUT)
        shut(origin.sock)

    def _forward(self, client, head):
        """One exchange; the client's connection stays open behind it."""
        method, target, _ = head.start.split(" ")
        assert target.startswith("http://"), f"not in absolute form: {target}"
        path = "/" + target.removeprefix("http://").partition("/")[2]
        kept = [f for f in head.fields if f[0].lower() not in ("proxy-authorization", "connection")]
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in kept)]
        with self._stream(socket.create_connection(self.origin, TIMEOUT)) as origin:
            origin.send("\r\n".join([*lines, "", ""]).encode("latin-1"))
            for piece in Body(client, head).pieces():
                origin.send(piece)
            answer = read_response(origin, method)
        fields = [f"Content-Length: {len(answer.body)}", "Via: 1.1 corp"]
        client.send("\r\n".join([answer.head.start, *fields, "", ""]).encode() + answer.body)


def _pump(source, sink):
    try:
        while True:
            sink.send(source.read_some())
    except (OSError, Closed):
        pass
    try:
        sink.sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass
