"""A DNS client that runs inside a sandbox: `python3 -c ASK QUESTIONS`, with questions as JSON
[server, name, type, over TCP], prints for each the response code and the answers."""

import ipaddress

ASK = r"""
import json, socket, struct, sys

TYPES = {"A": 1, "NS": 2, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "SVCB": 64, "HTTPS": 65,
         "ANY": 255}

def query(name, kind):
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split(".") if l) + b"\0"
    return struct.pack(">HHHHHH", 4660, 0x0100, 1, 0, 0, 0) + labels + struct.pack(">HH", kind, 1)

def skip_name(data, at):
    while data[at]:
        if data[at] & 0xC0:
            return at + 2
        at += 1 + data[at]
    return at + 1

def answers(data):
    ident, flags, questions, count = struct.unpack(">HHHH", data[:8])
    assert ident == 4660 and flags & 0x8000
    at = 12
    for _ in range(questions):
        at = skip_name(data, at) + 4
    found = []
    for _ in range(count):
        at = skip_name(data, at)
        kind, _, ttl, length = struct.unpack(">HHIH", data[at:at + 10])
        found.append([kind, data[at + 10:at + 10 + length].hex()])
        at += 10 + length
    return {"code": flags & 15, "answers": found}

def ask(server, name, kind, tcp=False):
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    message = query(name, TYPES[kind])
    with socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.connect((server, 53))
        if tcp:
            sock.sendall(struct.pack(">H", len(message)) + message)
            data = sock.recv(65535)
            while len(data) < 2 or len(data) < 2 + struct.unpack(">H", data[:2])[0]:
                data += sock.recv(65535)
            return answers(data[2:])
        sock.send(message)
        return answers(sock.recv(65535))

print(json.dumps([ask(*question) for question in json.loads(sys.argv[1])]))
"""


def address_of(answer):
    ((_, data),) = answer["answers"]
    return ipaddress.ip_address(bytes.fromhex(data))
