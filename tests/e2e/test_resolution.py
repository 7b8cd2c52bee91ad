"""The gate's own resolution of names, with real DNS answers: what is dialled is what was checked,
what is refused is never asked for. What goes wrong in DNS: test_resolution_faults.py."""

import contextlib
import json
import threading

import pytest

from support import raw_client
from support.clients import curl
from support.dns_server import Cname
from support.fetching import PORTS, assert_still_works, last_reply, pub_test_config
from support.internet import Internet
from support.origin import Origin
from support.pki import client_context

_, ODD_PORT, ONE_PORT = PORTS  # where a certificate is for another name; where one address listens


# --- names that lead somewhere


@pytest.mark.parametrize("address", [Internet.A, Internet.SIX])
def test_a_name_is_reached_at_its_address_and_the_record_carries_it(fetch, dns, world, address):
    dns.has("one.pub.test", address)
    assert fetch("one.pub.test").status == 200
    assert [c.address for c in world.connections] == [address]
    assert world.requests[0].sni == "one.pub.test"
    assert fetch.record("one.pub.test")["target"]["address"] == address
    assert dns.count("one.pub.test") == {"A": 1, "AAAA": 1}
    assert len(dns.asked()) == 2


def test_a_chain_of_aliases_is_followed_and_only_the_asked_name_counts(
    start_fetching, dns, world, internet, authority
):
    """The middle and the end of the chain are names that no rule allows; the certificate must be
    for the name that was asked for, and one for the chain's end is not."""
    dns.has("alias.pub.test", Cname("middle.cdn.example"))
    dns.has("middle.cdn.example", Cname("end.cdn.example"))
    dns.has("end.cdn.example", Internet.B)
    fetch = start_fetching()
    odd = Origin(authority, "end.cdn.example", listener=internet.world.bound(Internet.B, ODD_PORT))
    with odd:
        assert fetch("alias.pub.test").status == 200
        assert world.requests[0].sni == "alias.pub.test"
        assert world.requests[0].get("host") == "alias.pub.test"
        assert fetch.record("alias.pub.test")["target"]["address"] == Internet.B
        assert fetch("end.cdn.example").reason == "host_not_allowed"
        wrong = fetch("alias.pub.test", port=ODD_PORT)
        assert (wrong.status, wrong.reason) == (502, "upstream_tls")
        assert [c.sni for c in odd.connections] == ["alias.pub.test"]
        assert odd.requests == []
    assert {name for name, _ in dns.asked()} == {"alias.pub.test"}


def test_an_alias_of_an_allowed_name_does_not_allow_the_name_that_leads_there(fetch, dns, world):
    dns.has("evil.example", Cname("good.pub.test"))
    dns.has("good.pub.test", Internet.A)
    assert fetch("evil.example").reason == "host_not_allowed"
    assert dns.asked() == []
    world.assert_untouched()


# --- addresses that are refused

FORBIDDEN = {
    "private": Internet.PRIVATE,
    "loopback": "127.0.0.1",
    "unspecified": "0.0.0.0",
    "link-local": Internet.LINK_LOCAL,
    "metadata": Internet.METADATA,
    "metadata in public space": "168.63.129.16",
    "loopback6": "::1",
    "unique local": Internet.UNIQUE_LOCAL,
    "mapped": f"::ffff:{Internet.PRIVATE}",
    "mapped loopback": "::ffff:127.0.0.1",
    "6to4": Internet.SIX_TO_FOUR,
    "nat64": Internet.NAT64,
}


def test_one_forbidden_address_among_several_refuses_the_name_whatever_the_order(
    fetch, dns, world, inside
):
    hosts = {}
    for number, address in enumerate(FORBIDDEN.values()):
        orders = {
            "first": (address, Internet.A, Internet.SIX),
            "last": (Internet.A, Internet.SIX, address),
            "alone": (address,),
        }
        for order, addresses in orders.items():
            hosts[f"{order}-{number}.pub.test"] = address
            dns.has(f"{order}-{number}.pub.test", *addresses)
    got = fetch.all(*hosts)
    wrong = {host: got[host] for host in hosts if got[host].reason != "addr_forbidden"}
    assert wrong == {}
    for host in hosts:
        assert got[host].status == 403
        record = fetch.record(host)
        assert (record["decision"], record["reason"]) == ("deny", "addr_forbidden")
        assert "address" not in record["target"]
    world.assert_untouched()
    inside.assert_untouched()
    assert_still_works(fetch, dns, world)


def test_an_opened_range_is_dialled_and_metadata_stays_closed(start_fetching, dns, world):
    fetch = start_fetching(allow_addresses=["10.1.0.0/16", "169.254.0.0/16", "168.63.0.0/16"])
    dns.has("private.pub.test", Internet.PRIVATE)
    dns.has("link-local.pub.test", Internet.LINK_LOCAL)
    dns.has("neighbour.pub.test", "10.2.0.1")
    dns.has("metadata.pub.test", Internet.METADATA)
    dns.has("wire-server.pub.test", "168.63.129.16")
    for name, address in (("private", Internet.PRIVATE), ("link-local", Internet.LINK_LOCAL)):
        assert fetch(f"{name}.pub.test").status == 200
        assert fetch.record(f"{name}.pub.test")["target"]["address"] == address
    for name in ("neighbour", "metadata", "wire-server"):
        assert fetch(f"{name}.pub.test").reason == "addr_forbidden"
    assert [c.address for c in world.connections] == [Internet.PRIVATE, Internet.LINK_LOCAL]


@pytest.mark.parametrize("address", [Internet.OWN, Internet.OWN_SIX])
def test_a_public_address_of_the_gates_own_machine_is_refused(fetch, dns, inside, address):
    """Else what this machine serves to itself would be open to whoever owns an allowed name."""
    dns.has("own.pub.test", address)
    assert fetch("own.pub.test").reason == "addr_forbidden"
    inside.assert_untouched()


# --- rebinding


def test_a_name_that_moves_to_loopback_is_refused_at_its_next_connection(fetch, dns, world, inside):
    world.on("/x", last_reply)
    dns.has("moving.pub.test", Internet.A, ttl=0)
    assert fetch("moving.pub.test").status == 200
    dns.has("moving.pub.test", "127.0.0.1", ttl=0)
    again = fetch("moving.pub.test")
    assert (again.status, again.reason) == (403, "addr_forbidden")
    inside.assert_untouched()
    assert len(world.connections) == 1
    assert dns.count("moving.pub.test") == {"A": 2, "AAAA": 2}


def test_between_the_check_and_the_dial_nothing_is_asked_again(fetch, dns, world, inside):
    """The answer changes with every query: a second look-up for the dial would reach the second."""
    turns = {"A": 0}

    def alternating(query):
        if query.type != "A":
            return query.reply()
        turns["A"] += 1
        now = Internet.A if turns["A"] == 1 else "127.0.0.1"
        return query.reply(query.addresses(now, ttl=0))

    dns.answers("turning.pub.test", alternating)
    assert fetch("turning.pub.test").status == 200
    assert [c.address for c in world.connections] == [Internet.A]
    assert dns.count("turning.pub.test") == {"A": 1, "AAAA": 1}
    inside.assert_untouched()


# --- addresses that do not answer


@pytest.mark.limit(60)
def test_where_one_address_is_dead_the_next_one_is_dialled(
    start_fetching, dns, internet, authority
):
    """And where all are, the answer says so in words within the dialler's limit of 10 s."""
    fetch = start_fetching()
    alive = {
        "silent-first": (Internet.SILENT_SIX, Internet.B),
        "unreachable-first": (Internet.UNREACHABLE_SIX, Internet.B),
        "silent-twice-first": (Internet.SILENT, Internet.SILENT_SIX, Internet.B),
        "refused-first": (Internet.A, Internet.B),
        "refused-six-first": (Internet.SIX, Internet.B),
        "refused-last": (Internet.B, Internet.A),
    }
    dead = {
        "all-silent": (Internet.SILENT, Internet.SILENT_SIX),
        "all-unreachable": (Internet.UNREACHABLE, Internet.UNREACHABLE_SIX),
        "all-refused": (Internet.A, Internet.C, Internet.SIX),
        "silent-and-refused": (Internet.SILENT, Internet.A),
    }
    for name, addresses in {**alive, **dead}.items():
        dns.has(f"{name}.pub.test", *addresses)
    only = Origin(authority, "*.pub.test", listener=internet.world.bound(Internet.B, ONE_PORT))
    with only:
        got = fetch.all(*(f"{name}.pub.test" for name in {**alive, **dead}), port=ONE_PORT)
        for name in alive:
            host = f"{name}.pub.test"
            assert got[host].status == 200, f"{name}: {got[host]}"
            record, end = fetch.record(host), fetch.end(host)
            # The request's record says where it goes first; the response's, where it came from.
            assert end.get("address", record["target"]["address"]) == Internet.B
        for name in dead:
            fetched = got[f"{name}.pub.test"]
            assert fetched.status in (502, 504), f"{name}: {fetched}"
            assert fetched.reason in ("upstream_unreachable", "upstream_timeout")
            assert fetched.body["hint"]
            end = fetch.end(f"{name}.pub.test")
            assert (end["status"], end["error"]) == (fetched.status, fetched.reason)
        assert len(only.connections) == len(alive)
        assert [c.address for c in only.connections] == [Internet.B] * len(alive)


# --- what is asked, and what is not


def test_a_refused_name_and_a_pinned_name_cause_no_query(start_fetching, dns, world):
    pin = f"{Internet.A}:443"
    fetch = start_fetching(resolve={"pinned.pub.test": pin})
    dns.has("evil.example", Internet.B)
    dns.has("pinned.pub.test", Internet.B)
    assert fetch("evil.example").reason == "host_not_allowed"
    assert fetch("data-of-the-agent.evil.example").reason == "host_not_allowed"
    curl(fetch.gate, "https://other-port.pub.test:444/x", check=None)
    assert fetch.record("other-port.pub.test")["reason"] == "port_not_allowed"
    assert fetch("pinned.pub.test").status == 200
    assert [c.address for c in world.connections] == [Internet.A]
    assert dns.asked() == []


def test_an_answer_is_kept_for_its_time_and_no_longer_than_it_says(fetch, dns, world):
    world.on("/x", last_reply)
    dns.has("kept.pub.test", Internet.A, ttl=60)
    dns.has("fleeting.pub.test", Internet.A, ttl=0)
    for name in ("kept.pub.test", "fleeting.pub.test") * 3:
        assert fetch(name).status == 200
    assert dns.count("kept.pub.test") == {"A": 1, "AAAA": 1}
    assert dns.count("fleeting.pub.test") == {"A": 3, "AAAA": 3}
    assert len(world.connections) == 6


def test_one_canonical_name_is_asked_for_whatever_its_spelling(fetch, dns, world):
    world.on("/x", last_reply)
    dns.has("spelt.pub.test", Internet.A, ttl=0)
    for spelling in ("spelt.pub.test", "SPELT.Pub.Test", "spelt.pub.test."):
        assert fetch(spelling).status == 200, spelling
    assert dns.count("spelt.pub.test") == {"A": 3, "AAAA": 3}
    assert {name for name, _ in dns.asked()} == {"spelt.pub.test"}
    assert {r.sni for r in world.requests} == {"spelt.pub.test"}


@pytest.mark.parametrize(
    "lines",
    [
        ["search corp.example pub.test", "options ndots:5"],
        ["domain corp.example", "options ndots:15"],
    ],
    ids=["search", "domain"],
)
def test_search_domains_are_never_appended(start_fetching, dns, internet, world, lines):
    internet.resolver(*lines)
    dns.has("missing.pub.test.corp.example", Internet.A)
    dns.has("here.pub.test.corp.example", Internet.B)
    dns.has("here.pub.test", Internet.A)
    fetch = start_fetching()
    assert fetch("missing.pub.test").reason == "dns_failed"
    world.assert_untouched()
    assert fetch("here.pub.test").status == 200
    assert [c.address for c in world.connections] == [Internet.A]
    assert {name for name, _ in dns.asked()} == {"missing.pub.test", "here.pub.test"}


def test_the_hosts_file_means_nothing(start_fetching, dns, internet, world, directory):
    hosts = directory / "hosts"
    hosts.write_text(f"{Internet.B} written.pub.test\n{Internet.B} only-written.pub.test\n")
    dns.has("written.pub.test", Internet.A)
    internet.machine.ran("mount", "--bind", hosts, "/etc/hosts")
    try:
        fetch = start_fetching()
        assert fetch("written.pub.test").status == 200
        assert fetch("only-written.pub.test").reason == "dns_failed"
    finally:
        internet.machine.ran("umount", "/etc/hosts")
    assert [c.address for c in world.connections] == [Internet.A]


@pytest.mark.parametrize("workers", [1, 2])
def test_many_who_want_one_new_name_share_one_look_up_a_worker(
    start_fetching, dns, world, directory, workers
):
    """The answer is held back until all have asked; who comes later still finds it kept."""
    count, everybody_asked = 40, threading.Event()

    def held(query):
        everybody_asked.wait(2)
        return query.reply(query.addresses(Internet.A))

    dns.answers("popular.pub.test", held)
    gate = start_fetching(workers=workers).gate
    trust = client_context(gate.ca_file())
    with contextlib.ExitStack() as stack:
        streams = []
        for _ in range(count):
            stream, _ = raw_client.connect(directory / "gate.sock", "popular.pub.test:443")
            streams.append(stack.enter_context(stream))
            raw_client.start_tls(stream, "popular.pub.test", None, trust)
        for stream in streams:
            stream.send(raw_client.request_bytes("GET", "popular.pub.test", "/x"))
        everybody_asked.set()
        assert [raw_client.read_response(stream).status for stream in streams] == [200] * count
    asked = dns.count("popular.pub.test")
    assert set(asked) == {"A", "AAAA"}
    assert max(asked.values()) <= workers


# --- egret run

INSIDE = r"""
import json, socket, urllib.request
told = {"allowed": socket.getaddrinfo("one.pub.test", 443)[0][4][0],
        "refused": socket.getaddrinfo("data-of-the-agent.evil.example", 443)[0][4][0]}
for server in ("127.0.0.1", "192.0.2.1", "203.0.112.1"):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.connect((server, 53))
        sock.send(b"\1\2\1\0\0\1\0\0\0\0\0\0\6direct\4evil\7example\0\0\1\0\1")
        told[server] = socket.inet_ntoa(sock.recv(512)[-4:])
told["status"] = urllib.request.urlopen("https://one.pub.test/x").status
print(json.dumps(told))
"""


def test_the_sandbox_itself_sends_no_query(make_home, internet, dns, world, authority):
    """The only questions that the DNS server sees are the gate's own, for what was dialled."""
    home = make_home(pub_test_config(authority))
    home.within = internet.machine.entering(home.work)
    dns.has("one.pub.test", Internet.A)
    dns.has("direct.evil.example", Internet.B)
    done = home.run("getent", "hosts", "one.pub.test")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1] == "one.pub.test"
    assert dns.asked() == []
    done = home.run("/usr/bin/python3", "-c", INSIDE)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told.pop("status") == 200
    for what, address in told.items():
        assert address.startswith(("198.18.", "198.19.", "fd")), f"{what}: {address}"
    assert [c.address for c in world.connections] == [Internet.A]
    assert sorted(dns.asked()) == [("one.pub.test", "A"), ("one.pub.test", "AAAA")]
