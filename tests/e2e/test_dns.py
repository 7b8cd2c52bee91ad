"""Names inside a sandbox: every well-formed one is answered by the gate with an address of its own
making, other types are empty, each name is recorded, and no query leaves."""

import ipaddress
import json

import pytest

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


@pytest.fixture
def home(make_home, demo):
    return make_home(demo())


def ask(home, *questions):
    done = home.run("/usr/bin/python3", "-c", ASK, json.dumps(questions))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def address_of(answer):
    ((_, data),) = answer["answers"]
    return ipaddress.ip_address(bytes.fromhex(data))


@pytest.mark.parametrize("server", ["8.8.8.8", "198.51.100.1", "127.0.0.1", "2001:db8::53", "::1"])
@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_any_server_is_the_gate_and_answers_with_a_synthetic_address(home, server, tcp):
    four, six = ask(
        home, [server, "api.demo.test", "A", tcp], [server, "api.demo.test", "AAAA", tcp]
    )
    assert address_of(four) in ipaddress.ip_network("198.18.0.0/15")
    assert address_of(six) in ipaddress.ip_network("fc00::/7")


def test_each_name_has_one_address_and_no_two_share_it(home):
    names = ["a.w.test", "b.w.test", "evil.example", "a.w.test", "A.W.Test"]
    a, b, evil, again, upper = [
        address_of(x) for x in ask(home, *[["8.8.8.8", n, "A"] for n in names])
    ]
    assert a == again == upper
    assert len({a, b, evil}) == 3


@pytest.mark.parametrize("kind", ["TXT", "MX", "NS", "SRV", "SVCB", "HTTPS", "ANY"])
def test_other_types_are_empty_and_not_an_error(home, kind):
    (answer,) = ask(home, ["8.8.8.8", "api.demo.test", kind])
    assert answer == {"code": answer["code"], "answers": []}
    assert answer["code"] == 0 or kind == "ANY"


def test_each_name_is_recorded_with_its_decision(home):
    ask(home, ["8.8.8.8", "api.demo.test", "A"], ["8.8.8.8", "exfiltrate.evil.example", "A"])
    home.audit.wait_for(2, event="dns")
    records = home.audit.records(event="dns")
    decisions = {record["query"]["name"]: record["decision"] for record in records}
    assert decisions["api.demo.test"] == "allow"
    assert decisions["exfiltrate.evil.example"] == "deny"


def test_the_systems_resolver_works(home):
    done = home.run("getent", "ahosts", "deep.er.w.test")
    assert done.returncode == 0, done.stderr
    assert any(line.startswith(("198.18.", "198.19.")) for line in done.stdout.splitlines())
