"""Names inside a sandbox: every well-formed one is answered by the gate with an address of its own
making, other types are empty, each name is recorded, and no query leaves."""

import ipaddress
import json

import pytest

from support.dns_client import ASK, address_of


@pytest.fixture
def home(make_home, demo):
    return make_home(demo())


def ask(home, *questions):
    done = home.run("/usr/bin/python3", "-c", ASK, json.dumps(questions))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


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
