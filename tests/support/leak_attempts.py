"""Runs inside the sandbox (leak_matrix.py gives it to python3 -c): tries every way out, and prints
as JSON what each attempt got. What it shall try comes as JSON in argv (LeakWorld.given())."""

import ctypes
import glob
import json
import os
import socket
import subprocess
import sys
import threading

GIVEN = json.loads(sys.argv[1])
CANARY = GIVEN["canary"].encode()
RESULTS = {}
WAIT_S = 2


def attempt(name):
    """Registers a function as one attempt; what it returns or raises is the result."""

    def register(function):
        def run():
            try:
                RESULTS[name] = function() or "sent"
            except OSError as error:
                RESULTS[name] = f"refused: {error.strerror or type(error).__name__}"
            except Exception as error:  # an attempt must not end the others
                RESULTS[name] = f"failed: {error!r}"

        threads.append(threading.Thread(target=run))

    return register


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def tcp(address, port):
    with socket.create_connection((address, port), WAIT_S) as sock:
        sock.settimeout(WAIT_S)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: " + address.encode() + b"\r\n\r\n")
        got = sock.recv(65536)
    return "REACHED" if CANARY in got else f"answered: {got[:20]!r}"


def udp(address, port):
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.settimeout(0.5)
        sock.sendto(b"out", (address, port))
        try:
            got = sock.recv(65536)
        except TimeoutError:
            return "silence"
    return "REACHED" if CANARY in got else f"answered: {got[:20]!r}"


def raw(family, kind, protocol, address):
    with socket.socket(family, kind, protocol) as sock:
        sock.sendto(b"\x08\x00\x00\x00\x00\x01\x00\x01canary..", (address, 0))


def stream_protocol(address, protocol, kind=socket.SOCK_STREAM):
    with socket.socket(family_of(address), kind, protocol) as sock:
        sock.settimeout(WAIT_S)
        sock.connect((address, 9))
        sock.send(b"out")


def open_family(number):
    """Families that belong to no network namespace, or that nobody needs."""
    refused = None
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        try:
            with socket.socket(number, kind, 0):
                return "opened"
        except OSError as error:
            refused = error
    raise refused


def io_uring():
    """Its requests open sockets past a seccomp filter."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(425, 8, ctypes.create_string_buffer(120)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return "opened"


def packet():
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
        sock.bind(("lo", 0))
        sock.send(b"\xff" * 60)


def unix(path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        return "REACHED" if sock.recv(100) == CANARY else "connected"


def resolver(address, port=53):
    """A question for a name that only a leak could answer; DNS over TLS is `tcp … 853` below."""
    question = b"\x12\x34\x01\x00\x00\x01" + bytes(6)
    question += b"\x04leak\x04evil\x04test\x00\x00\x10\x00\x01"
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
        sock.settimeout(WAIT_S)
        sock.sendto(question, (address, port))
        got = sock.recv(4096)
    return "REACHED" if CANARY in got else f"answered: {got[:4]!r}"


def quic(address):
    """The first datagram of a QUIC connection, as long as its kind has to be."""
    head = b"\xc3\x00\x00\x00\x01\x08canary7f\x00\x00\x44\xb0"
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.5)
        sock.connect((address, 443))
        sock.send(head + bytes(1200 - len(head)))
        got = sock.recv(4096)
    return "REACHED" if CANARY in got else f"answered: {got[:4]!r}"


def control_sockets(folder):
    """Is there a gate's control socket in sight, and does one answer?"""
    found = glob.glob(folder + "/*") or [folder + "/none"]
    return "REACHED" if [path for path in found if unix(path)] else "none"


def command(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=5)
    return "REACHED" if done.returncode == 0 else f"refused: {done.stderr.strip()[-60:]}"


def enter_other_namespaces():
    """Is there a process in sight whose network namespace is not ours?"""
    mine = os.readlink("/proc/self/ns/net")
    others = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            others.add(os.readlink(f"/proc/{pid}/ns/net"))
        except OSError:
            continue
    return "REACHED" if others - {mine} else "only its own"


threads = []
for target in ("8.8.8.8", "2001:4860:4860::8888", GIVEN["v4"], GIVEN["v6"]):
    attempt(f"dns {target}")(lambda t=target: resolver(t))
    attempt(f"quic {target}")(lambda t=target: quic(t))
for target in (GIVEN["v4"], GIVEN["v6"], "198.51.100.9", "2001:db8:77::9", "169.254.169.254",
               GIVEN["host_v4"], GIVEN["host_v6"]):  # fmt: skip
    for port in (22, 53, 80, 123, 443, 853, 8080, 9999):
        attempt(f"tcp {target} {port}")(lambda t=target, p=port: tcp(t, p))
        attempt(f"udp {target} {port}")(lambda t=target, p=port: udp(t, p))
for target in ("255.255.255.255", "224.0.0.251", "ff02::fb%lo", "203.0.113.255",
               "239.255.255.250"):  # fmt: skip
    attempt(f"udp {target} 5353")(lambda t=target: udp(t, 5353))
for target in (GIVEN["v4"], GIVEN["v6"]):
    family = family_of(target)
    icmp = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    attempt(f"icmp datagram {target}")(
        lambda f=family, i=icmp, t=target: raw(f, socket.SOCK_DGRAM, i, t)
    )
    for protocol in (
        icmp,
        socket.IPPROTO_RAW,
        socket.IPPROTO_TCP,
        socket.IPPROTO_UDP,
        47,
        4,
        41,
        50,
    ):
        attempt(f"raw {protocol} {target}")(
            lambda f=family, p=protocol, t=target: raw(f, socket.SOCK_RAW, p, t)
        )
    attempt(f"sctp {target}")(lambda t=target: stream_protocol(t, 132))
    attempt(f"mptcp {target}")(lambda t=target: stream_protocol(t, 262))
    attempt(f"udplite {target}")(lambda t=target: stream_protocol(t, 136, socket.SOCK_DGRAM))
attempt("packet")(packet)
for number in (17, 21, 29, 30, 31, 40, 42, 44):  # packet, rds, can, tipc, bluetooth, vsock, ...
    attempt(f"family {number}")(lambda n=number: open_family(n))
attempt("io_uring")(io_uring)
for target in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::ffff:127.0.0.1", "127.0.0.53"):
    attempt(f"host loopback {target}")(lambda t=target: tcp(t, GIVEN["loopback_port"]))
attempt("abstract socket")(lambda: unix("\0" + GIVEN["abstract"]))
attempt("gate's control socket")(lambda: control_sockets(GIVEN["control"]))
for target in ("127.0.0.1", "::1", GIVEN["host_v4"]):
    attempt(f"another sandbox {target}")(lambda t=target: tcp(t, GIVEN["other_port"]))
attempt("other namespaces")(enter_other_namespaces)
attempt("nft flush")(lambda: command("nft", "flush", "ruleset"))
attempt("ip link add")(lambda: command("ip", "link", "add", "x0", "type", "dummy"))
attempt("ip route del")(lambda: command("ip", "route", "del", "local", "0.0.0.0/0", "dev", "lo"))
attempt("as root of a user namespace, nft")(
    lambda: command("unshare", "-Ur", "nft", "flush", "ruleset")
)
attempt("as root of a user namespace, ip")(
    lambda: command("unshare", "-Ur", "ip", "link", "add", "x0", "type", "dummy")
)
attempt("nsenter 1")(lambda: command("nsenter", "-t", "1", "-n", "true"))

for thread in threads:
    thread.start()
for thread in threads:
    thread.join(15)
print(json.dumps(RESULTS))
