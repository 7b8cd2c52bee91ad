"""HTTP/1.1 as bytes, for test peers that must see and send exact bytes. Lenient on purpose: what
arrives is recorded as it is; whether it is right is for the test to say."""

from dataclasses import dataclass, field


class Closed(ConnectionError):
    """The peer ended the stream where more bytes were expected."""


class Stream:
    """A socket with a read buffer. `on_bytes` sees every byte that arrives."""

    def __init__(self, sock, on_bytes=None):
        self.sock = sock
        self._buffer = bytearray()
        self._on_bytes = on_bytes or (lambda data: None)

    def send(self, data):
        self.sock.sendall(data)

    def read_until(self, mark, limit=1 << 20):
        searched = 0
        while True:
            at = self._buffer.find(mark, searched)
            if at >= 0:
                return self._take(at + len(mark))
            searched = max(0, len(self._buffer) - len(mark) + 1)
            if len(self._buffer) > limit:
                raise ValueError(f"no {mark!r} within {limit} bytes")
            self._fill()

    def read_exact(self, count):
        while len(self._buffer) < count:
            self._fill()
        return self._take(count)

    def read_some(self, limit=1 << 18):
        """Whatever is there, at least one byte; Closed at the end of the stream."""
        if not self._buffer:
            self._fill()
        return self._take(min(limit, len(self._buffer)))

    def read_to_end(self):
        pieces = []
        try:
            while True:
                pieces.append(self.read_some())
        except Closed:
            return b"".join(pieces)

    def at_end(self):
        """True once the peer has ended the stream cleanly, with nothing left unread."""
        try:
            if not self._buffer:
                self._fill()
            return False
        except Closed:
            return True

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _take(self, count):
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def _fill(self):
        data = self.sock.recv(1 << 18)
        if not data:
            raise Closed("the peer closed the connection")
        self._on_bytes(data)
        self._buffer += data


@dataclass
class Head:
    raw: bytes
    start: str
    fields: list  # of (name as it came, value)

    @staticmethod
    def parse(raw):
        lines = raw.decode("latin-1").split("\r\n")
        pairs = [line.split(":", 1) for line in lines[1:] if ":" in line]
        return Head(raw, lines[0], [(name, value.strip()) for name, value in pairs])

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default


def read_head(stream):
    return Head.parse(stream.read_until(b"\r\n\r\n"))


@dataclass
class Body:
    """Where the pieces of a body went by: call pieces() once."""

    stream: Stream
    head: Head
    is_response: bool = False
    trailers: list = field(default_factory=list)

    def pieces(self):
        if "chunked" in (self.head.get("transfer-encoding") or "").lower():
            yield from self._chunks()
        elif self.head.get("content-length") is not None:
            yield from self._counted(int(self.head.get("content-length")))
        elif self.is_response:
            yield from self._until_close()

    def _counted(self, left):
        while left:
            piece = self.stream.read_some(min(left, 1 << 18))
            left -= len(piece)
            yield piece

    def _chunks(self):
        while size := int(self.stream.read_until(b"\r\n").split(b";")[0], 16):
            yield from self._counted(size)
            self.stream.read_exact(2)
        while (line := self.stream.read_until(b"\r\n")) != b"\r\n":
            name, value = line.decode("latin-1").split(":", 1)
            self.trailers.append((name, value.strip()))

    def _until_close(self):
        try:
            while True:
                yield self.stream.read_some()
        except Closed:
            return


@dataclass
class Response:
    status: int
    head: Head
    body: bytes
    trailers: list

    def get(self, name, default=None):
        return self.head.get(name, default)


def read_response(stream, method="GET", skip_interim=True):
    """The next final response (or the next of any kind), body and all."""
    while True:
        head = read_head(stream)
        status = int(head.start.split(" ")[1])
        if status >= 200 or status == 101 or not skip_interim:
            break
    if method == "HEAD" or status in (204, 304) or status < 200:
        return Response(status, head, b"", [])
    body = Body(stream, head, is_response=True)
    content = b"".join(body.pieces())
    return Response(status, head, content, body.trailers)
