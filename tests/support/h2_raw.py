"""HTTP/2 as frames, for test peers that must send whatever they are told, also what no library
would: `Peer` is what both ends share, `H2Client` speaks through the gate's explicit proxy. Nothing
is validated; what arrives is kept for the test to judge."""

import functools
import hashlib
import struct
from dataclasses import dataclass, field

import hpack
from hyperframe.exceptions import HyperframeError
from hyperframe.frame import Frame

from support import raw_client
from support.pki import client_context

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 5, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
TABLE_SIZE, ENABLE_PUSH, STREAMS_MAX, WINDOW, FRAME_SIZE, HEAD_SIZE = 1, 2, 3, 4, 5, 6
PROTOCOL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 1, 7, 8, 11

KEPT_BYTES = 1 << 20  # of a body; the rest is only counted and hashed
PAYLOAD_MAX = 16384
DEFAULT_WINDOW = 65535


def frame(kind, flags=0, stream=0, payload=b""):
    head = struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream)
    return head + payload


def rst(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def window_update(stream, octets):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", octets))


def settings(values=()):
    pairs = dict(values).items()
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", key, value) for key, value in pairs))


def goaway(last_stream, code=0):
    return frame(GOAWAY, payload=struct.pack(">II", last_stream, code))


def literal(name, value):
    """A literal field without indexing, its octets as they are."""
    return b"\x00" + _string(name) + _string(value)


def _string(data):
    data = data.encode("latin-1") if isinstance(data, str) else data
    if len(data) < 127:
        return bytes([len(data)]) + data
    left, more = len(data) - 127, bytearray()
    while left >= 128:
        more.append(left % 128 | 128)
        left //= 128
    return b"\x7f" + bytes([*more, left]) + data


def literals(pairs):
    return b"".join(literal(name, value) for name, value in pairs)


@dataclass
class Message:
    """What has arrived on one stream."""

    heads: list = field(default_factory=list)  # of lists of hpack's header tuples
    blocks: list = field(default_factory=list)  # the same, as encoded
    body: bytes = b""
    body_bytes: int = 0
    ended: bool = False
    ended_with_head: bool = False
    reset: int = None
    digest: object = field(default_factory=hashlib.sha256)

    @property
    def body_sha256(self):
        return self.digest.hexdigest()

    @property
    def over(self):
        return self.ended or self.reset is not None

    @property
    def interim(self):
        return [status for status in map(_status, self.heads) if status and status < 200]

    @property
    def fields(self):
        """Of the request, or of the final response."""
        return next((head for head in self.heads if (_status(head) or 200) >= 200), [])

    @property
    def trailers(self):
        return [
            tuple(pair) for head in self.heads if not head[0][0].startswith(":") for pair in head
        ]

    @property
    def status(self):
        return _status(self.fields)

    @property
    def head(self):  # as tests/support/http1.py has it, for messages about failures
        return self

    @property
    def start(self):
        return f"HTTP/2 {self.status}, reset {self.reset}"

    def all(self, name):
        return [value for key, value in self.fields if key == name]

    def get(self, name, default=None):
        return next(iter(self.all(name)), default)


def _status(head):
    return next((int(value) for name, value in head if name == ":status"), None)


class Over(AssertionError):
    """The connection ended where an answer was expected."""


class Peer:
    """One end of a connection. `on_message(stream, what)` hears of a head, of data and of ends."""

    def __init__(self, sock, on_message=lambda stream, what: None):
        self.sock = sock
        self.messages = {}
        self.goaway = None  # the error code of the last one that came
        self.peer_settings = {}
        self.answers = True  # SETTINGS and PING
        self.opens_windows = True
        self.window = DEFAULT_WINDOW  # what we may send
        self.windows = {}
        self.counts = {}  # frames that came, by type
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder(max_header_list_size=1 << 24)
        self._on_message = on_message
        self._buffer = bytearray()
        self._block = None  # (stream, flags, fragments) while CONTINUATIONs follow

    # --- sending

    def send(self, data):
        self.sock.sendall(data)

    def flood(self, data):
        """Sends as much of it as the other end takes."""
        try:
            self.send(data)
        except OSError:
            pass

    def head(self, stream, pairs, end=True, raw=False):
        """HEADERS, and CONTINUATION where it does not fit."""
        block = literals(pairs) if raw else self.encoder.encode(pairs, huffman=False)
        first, rest = block[:PAYLOAD_MAX], block[PAYLOAD_MAX:]
        flags = (END_STREAM if end else 0) | (0 if rest else END_HEADERS)
        data = frame(HEADERS, flags, stream, first)
        while rest:
            first, rest = rest[:PAYLOAD_MAX], rest[PAYLOAD_MAX:]
            data += frame(CONTINUATION, 0 if rest else END_HEADERS, stream, first)
        self.send(data)

    def room(self, stream):
        return min(self.window, self.windows.setdefault(stream, self._first_window()))

    def data(self, stream, data=b"", end=True):
        """DATA that the windows allow; the caller has looked at room()."""
        for at in range(0, len(data) or 1, PAYLOAD_MAX):
            piece = data[at : at + PAYLOAD_MAX]
            last = at + PAYLOAD_MAX >= len(data)
            self.send(frame(DATA, END_STREAM if end and last else 0, stream, piece))
        self.window -= len(data)
        self.windows[stream] = self.windows.get(stream, self._first_window()) - len(data)

    def _first_window(self):
        return self.peer_settings.get(WINDOW, DEFAULT_WINDOW)

    # --- receiving

    def receive(self):
        """Waits for bytes and takes every frame that is whole. False at the end."""
        data = self.sock.recv(1 << 18)
        self._buffer += data
        while (one := self._next()) is not None:
            self._take(one)
        return bool(data)

    def _next(self):
        if len(self._buffer) < 9:
            return None
        parsed, length = Frame.parse_frame_header(memoryview(bytes(self._buffer[:9])))
        if len(self._buffer) < 9 + length:
            return None
        payload = bytes(self._buffer[9 : 9 + length])
        kind = self._buffer[3]
        del self._buffer[: 9 + length]
        try:
            parsed.parse_body(memoryview(payload))
        except HyperframeError:
            pass
        return kind, parsed, payload

    def _take(self, one):
        kind, parsed, payload = one
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if kind == SETTINGS and "ACK" not in parsed.flags:
            self._take_settings(parsed.settings)
        elif kind == PING and "ACK" not in parsed.flags and self.answers:
            self.flood(frame(PING, ACK, 0, payload))
        elif kind == WINDOW_UPDATE:
            self._take_window(parsed.stream_id, parsed.window_increment)
        elif kind == GOAWAY:
            self.goaway = parsed.error_code
        elif kind == RST_STREAM:
            self._message(parsed.stream_id).reset = parsed.error_code
            self._on_message(parsed.stream_id, "reset")
        elif kind in (HEADERS, CONTINUATION):
            self._take_block(parsed)
        elif kind == DATA:
            self._take_data(parsed, len(payload))

    def _take_settings(self, values):
        if WINDOW in values:
            change = values[WINDOW] - self._first_window()
            self.windows = {stream: octets + change for stream, octets in self.windows.items()}
        self.peer_settings.update(values)
        if self.answers:
            self.flood(frame(SETTINGS, ACK))

    def _take_window(self, stream, octets):
        if stream == 0:
            self.window += octets
        else:
            self.windows[stream] = self.windows.get(stream, self._first_window()) + octets
        self._on_message(stream, "window")

    def _take_block(self, parsed):
        if self._block is None:
            self._block = (parsed.stream_id, "END_STREAM" in parsed.flags, [])
        self._block[2].append(parsed.data)
        if "END_HEADERS" not in parsed.flags:
            return
        (stream, ends, fragments), self._block = self._block, None
        message = self._message(stream)
        block = b"".join(fragments)
        message.blocks.append(block)
        message.heads.append(self.decoder.decode(block))
        message.ended = message.ended_with_head = ends
        self._on_message(stream, "end" if ends else "head")

    def _take_data(self, parsed, octets):
        message = self._message(parsed.stream_id)
        message.digest.update(parsed.data)
        message.body_bytes += len(parsed.data)
        if len(message.body) < KEPT_BYTES:
            message.body += parsed.data
        message.ended = "END_STREAM" in parsed.flags
        if octets and self.opens_windows:
            both = window_update(0, octets)
            self.flood(both if message.ended else both + window_update(parsed.stream_id, octets))
        self._on_message(parsed.stream_id, "end" if message.ended else "data")

    def _message(self, stream):
        return self.messages.setdefault(stream, Message())


def get(host, path="/", method="GET", fields=()):
    """The pairs of an ordinary request."""
    own = [(":method", method), (":scheme", "https"), (":authority", host), (":path", path)]
    return [*own, *fields]


@functools.lru_cache(maxsize=8)
def _context(ca_file):
    context = client_context(ca_file)
    context.set_alpn_protocols(["h2"])
    return context


class H2Client(Peer):
    """Through CONNECT and TLS with ALPN h2 to `host`."""

    def __init__(self, gate, host="api.demo.test", first=settings(), name=None):
        stream, response = raw_client.connect(gate.address(), f"{host}:443")
        assert response.status == 200, f"CONNECT said {response.status}"
        context = _context(str(gate.ca_file()))
        sock = context.wrap_socket(stream.sock, server_hostname=name or host)
        assert sock.selected_alpn_protocol() == "h2"
        super().__init__(sock)
        self.host = host
        self._next_stream = 1
        self.send(PREFACE + first)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def new_stream(self):
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        return stream

    def open(self, pairs, end=True, raw=False):
        stream = self.new_stream()
        self.head(stream, pairs, end, raw)
        return stream

    def wait(self, stream, until=lambda message: message.over):
        """Reads until the answer on `stream` is whole or reset, or `until` holds."""
        while not until(self._message(stream)):
            if not self._alive():
                raise Over(f"the gate ended the connection, GOAWAY {self.goaway}")
        return self._message(stream)

    def ask(self, path="/", method="GET", fields=(), body=None, host=None):
        """One request, one whole answer."""
        pairs = get(host or self.host, path, method, fields)
        stream = self.open(pairs, end=body is None)
        if body is not None:
            self.upload(stream, [body])
        return self.wait(stream)

    def upload(self, stream, pieces, end=True):
        """DATA as the windows allow; stops where the gate has ended the stream."""
        for piece in pieces:
            while piece:
                octets = self.room(stream)
                if octets <= 0:
                    if self._message(stream).over:
                        return
                    if not self._alive():
                        raise Over("the gate ended the connection during an upload")
                    continue
                self.data(stream, piece[:octets], end=False)
                piece = piece[octets:]
        if end:
            self.data(stream)

    def until_end(self, or_else=lambda: False):
        """Reads to the end of the connection, and gives the code of the GOAWAY, if one came."""
        while not or_else() and self._alive():
            pass
        return self.goaway

    def sync(self):
        """All that was sent before has been read by the gate: a PING came back."""
        before = self.counts.get(PING, 0)
        self.send(frame(PING, 0, 0, b"in order"))
        while self.counts.get(PING, 0) == before:
            if not self._alive():
                raise Over(f"the gate ended the connection, GOAWAY {self.goaway}")

    def _alive(self):
        try:
            return self.receive()
        except TimeoutError:
            raise
        except OSError:
            return False
