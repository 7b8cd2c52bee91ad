"""`tunnel: true`: bytes that nobody reads, only to the name that a rule opens, with a record of how
many there were and why they ended."""

import socket
import ssl
import struct

import pytest

from support import raw_client
from support.bulk import big_mib
from support.gate import refused
from support.tcp_origin import TcpOrigin

HOST = "raw.demo.test"
PINNED = "pinned.demo.test"


def opened(demo, port, upstream, **more):
    return demo(
        rules=[{"allow": HOST, "tunnel": True, "ports": [port]}],
        pins={HOST: f"127.0.0.1:{upstream.port}"},
        **more,
    )


def test_a_server_that_speaks_first_is_heard_and_both_ends_are_recorded(start_gate, demo):
    with TcpOrigin(greeting=b"SSH-2.0-demo\r\n") as upstream:
        gate = start_gate(opened(demo, 22, upstream))
        stream, response = raw_client.connect(gate.address(), f"{HOST}:22")
        with stream:
            assert response.status == 200
            assert stream.read_until(b"\r\n").startswith(b"SSH-2.0-demo")
            stream.send(b"hello")
            assert stream.read_exact(5) == b"hello"
        begin, end = gate.audit.wait_for(2, event="connection")
    assert (begin["decision"], begin["target"]["host"], begin["target"]["port"]) == (
        "allow",
        HOST,
        22,
    )
    assert end["id"] == begin["id"]
    assert end["bytes"] == {"up": 5, "down": 19}
    assert end["ms"]["total"] > 0 and "error" not in end


def test_one_side_may_end_before_the_other(start_gate, demo):
    with TcpOrigin(down_bytes=300_000) as upstream:
        gate = start_gate(opened(demo, 5432, upstream))
        stream, _ = raw_client.connect(gate.address(), f"{HOST}:5432")
        with stream:
            stream.send(b"query")
            stream.sock.shutdown(socket.SHUT_WR)
            assert len(stream.read_exact(300_000)) == 300_000
        assert upstream.ended_by_client.wait(5)
        _, end = gate.audit.wait_for(2, event="connection")
    assert end["bytes"] == {"up": 5, "down": 300_000}


@pytest.mark.limit(120)
def test_a_long_tunnel_costs_no_memory(start_gate, demo):
    size = big_mib() << 18  # a quarter of the big body each way
    with TcpOrigin(down_bytes=size) as upstream:
        gate = start_gate(opened(demo, 9000, upstream))
        stream, _ = raw_client.connect(gate.address(), f"{HOST}:9000")
        with stream:
            before = gate.resident_kib()
            gate.reset_resident_peak()
            block = bytes(1 << 20)
            for _ in range(size >> 20):
                stream.send(block)
            stream.sock.shutdown(socket.SHUT_WR)
            got = 0
            while data := stream.sock.recv(1 << 20):
                got += len(data)
            assert got == size and upstream.received_bytes == size
            assert gate.resident_peak_kib() - before < 10 * 1024


def test_a_tls_client_has_to_name_the_target(start_gate, demo, origin, authority):
    gate = start_gate(demo(rules=[{"allow": PINNED, "tunnel": True}]))
    stream, _ = raw_client.connect(gate.address(), f"{PINNED}:443")
    with stream:
        raw_client.start_tls(stream, PINNED, authority.ca_file)
        assert raw_client.ask(stream, "GET", PINNED, "/fixed/3").body == b"xxx"
    before = len(origin.connections)
    stream, _ = raw_client.connect(gate.address(), f"{PINNED}:443")
    with stream:
        assert refused(lambda: raw_client.start_tls(stream, "evil.demo.test", authority.ca_file))
    assert all(not c.received and c.sni != "evil.demo.test" for c in origin.connections[before:])
    assert gate.audit.wait_for(1, event="connection", error="sni_mismatch")


def hello_with_ech(name):
    """A ClientHello as OpenSSL makes it, with one extension more: encrypted_client_hello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    record = bytearray(outgoing.read())
    body = record[9:]
    at = 2 + 32
    at += 1 + body[at]  # session id
    at += 2 + int.from_bytes(body[at : at + 2], "big")  # cipher suites
    at += 1 + body[at]  # compression
    extensions = bytes(body[at + 2 :]) + struct.pack("!HH", 0xFE0D, 4) + b"\0\0\0\0"
    hello = bytes(body[:at]) + struct.pack("!H", len(extensions)) + extensions
    message = b"\x01" + len(hello).to_bytes(3, "big") + hello
    return b"\x16\x03\x01" + struct.pack("!H", len(message)) + message


def test_an_encrypted_hello_could_name_anybody_and_is_refused(start_gate, demo):
    with TcpOrigin() as upstream:
        gate = start_gate(opened(demo, 443, upstream))
        stream, _ = raw_client.connect(gate.address(), f"{HOST}:443")
        with stream:
            stream.send(hello_with_ech(HOST))
            assert refused(lambda: stream.read_exact(1))
        assert gate.audit.wait_for(1, event="connection", error="sni_mismatch")
        assert upstream.received_bytes == 0


def test_a_port_that_no_rule_opens_stays_shut(start_gate, demo):
    with TcpOrigin() as upstream:
        gate = start_gate(opened(demo, 22, upstream))
        stream, response = raw_client.connect(gate.address(), f"{HOST}:2222")
        with stream:
            assert response.status == 403 and b"port_not_allowed" in response.body
        assert upstream.connections == 0


def test_inside_the_sandbox_the_name_comes_from_the_gates_own_dns_answer(make_home, demo):
    code = (
        "import socket; s = socket.create_connection(('raw.demo.test', 22), 10);"
        "print(s.recv(100)); s.sendall(b'hi'); print(s.recv(2))"
    )
    with TcpOrigin(greeting=b"banner") as upstream:
        home = make_home(opened(demo, 22, upstream))
        done = home.run("/usr/bin/python3", "-c", code)
        assert done.stdout == "b'banner'\nb'hi'\n", done.stderr
        begin, end = home.audit.records(event="connection", reason="rule") or (None, None)
    assert begin["target"]["host"] == HOST and begin["capture"] == "netns"
    assert end["bytes"] == {"up": 2, "down": 8}
