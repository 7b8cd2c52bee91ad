"""A client that sends exactly the bytes it is told to, through the gate's explicit listeners: as an
HTTP proxy, through CONNECT and TLS, through SOCKS5, over TCP or a Unix socket."""

import ipaddress
import socket
import struct

from support.http1 import Stream, read_response
from support.pki import client_context

TIMEOUT = 20


def dial(address):
    """`address`: (host, port), or the path of a Unix socket."""
    if isinstance(address, tuple):
        sock = socket.create_connection(address, TIMEOUT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    else:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(TIMEOUT)
        sock.connect(str(address))
    sock.settimeout(TIMEOUT)
    return Stream(sock)


def send_raw(address, data, method="GET"):
    """One response to these bytes."""
    with dial(address) as stream:
        stream.send(data)
        return read_response(stream, method)


def connect(address, authority, fields=()):
    """CONNECT; returns (stream, response). The response of a success has no body."""
    stream = dial(address)
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}", *fields, "", ""]
    stream.send("\r\n".join(lines).encode("latin-1"))
    # A 2xx to CONNECT has no content whatever it says; HEAD reads just the head.
    head = read_response(stream, "HEAD")
    if head.status != 200:
        left = int(head.get("content-length", 0))
        head.body = stream.read_exact(left)
    return stream, head


def start_tls(stream, name, ca_file, context=None):
    context = context or client_context(ca_file)
    stream.sock = context.wrap_socket(stream.sock, server_hostname=name)
    return stream


def tunnel(address, host, ca_file, port=443, name=None):
    """A TLS stream to `host` through CONNECT, whose leaf has been verified."""
    stream, response = connect(address, f"{host}:{port}")
    assert response.status == 200, f"CONNECT said {response.status}: {response.body!r}"
    return start_tls(stream, name or host, ca_file)


def get_in_tunnel(address, host, ca_file, path="/", port=443):
    """GET inside a tunnel. A gate may refuse at CONNECT or inside TLS; either is the response."""
    stream, response = connect(address, f"{host}:{port}")
    with stream:
        if response.status != 200:
            return response
        start_tls(stream, host, ca_file)
        return ask(stream, "GET", host, path)


def request_bytes(method, host, target, fields=(), body=b""):
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def ask(stream, method, host, target, fields=(), body=b""):
    stream.send(request_bytes(method, host, target, fields, body))
    return read_response(stream, method)


SOCKS_REPLY = {0: "succeeded", 1: "general", 2: "not allowed", 4: "unreachable", 8: "address type"}


def socks5(address, host, port, user=None, password=None):
    """SOCKS5 up to the reply; returns (stream, reply code). `host` may be bytes, for odd names."""
    stream = dial(address)
    method = 2 if user is not None else 0
    stream.send(bytes([5, 1, method]))
    version, chosen = stream.read_exact(2)
    assert (version, chosen) == (5, method), f"the gate chose method {chosen}"
    if method == 2:
        stream.send(b"\1" + _counted(user.encode()) + _counted(password.encode()))
        if stream.read_exact(2)[1] != 0:
            return stream, -1
    stream.send(b"\5\1\0" + _socks_address(host) + struct.pack(">H", port))
    _, reply, _, kind = stream.read_exact(4)
    length = {1: 4, 4: 16}.get(kind) or stream.read_exact(1)[0]
    stream.read_exact(length + 2)
    return stream, reply


def _socks_address(host):
    if isinstance(host, bytes):
        return b"\3" + _counted(host)
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        return b"\3" + _counted(host.encode("latin-1"))
    return (b"\1" if literal.version == 4 else b"\4") + literal.packed


def _counted(data):
    return bytes([len(data)]) + data
