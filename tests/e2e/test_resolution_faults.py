"""Wrong, late and missing DNS answers: each ends in an answer that says so, and none stops the next
request."""

import socket
import threading

import pytest

from support.dns_server import NXDOMAIN, SERVFAIL, TRUNCATED, Cname, port_unreachable
from support.fetching import assert_still_works
from support.internet import Internet


def in_two_sizes(query):
    """Truncated over UDP; the whole answer over TCP."""
    if not query.tcp:
        return query.reply(flags=TRUNCATED)
    return query.reply(query.addresses(Internet.A))


def half(query):
    """Only one of the two families is ever answered."""
    return query.reply(query.addresses(Internet.A)) if query.type == "A" else None


def pointer_loop(query):
    """An owner name that points at itself."""
    whole = query.reply()
    looped = b"\xc0" + bytes([len(whole)]) + b"\0\1\0\1\0\0\0\x3c\0\4\x08\x08\x08\x08"
    return whole[:6] + b"\0\1" + whole[8:] + looped


BROKEN = {
    "refused": lambda query: query.reply(code=5),
    "garbage": lambda query: query.reply()[:2] + b"\xff" * 40,
    "cut": lambda query: query.reply([(query.name, 1, 60, b"\x08\x08\x08\x08")])[:-3],
    "short-address": lambda query: query.reply([(query.name, 1, 60, b"\x08")]),
    "empty-message": lambda query: b"\0",
    "pointer-loop": pointer_loop,
    "other-question": lambda query: query.reply().replace(b"\x03pub", b"\x03bup"),
    "wrong-id": lambda query: bytes([query.reply()[0] ^ 255]) + query.reply()[1:],
    "silence": lambda query: None,
    "truncated-for-ever": lambda query: query.reply(flags=TRUNCATED),
}
HINTS = {
    "missing": "the name has no address in DNS",
    "empty": "the name has no address in DNS",
    "servfail": "DNS gave no usable answer for this name",
    "silence": "DNS did not answer in time for this name",
}


@pytest.mark.limit(60)
def test_whatever_dns_answers_the_client_is_told_and_the_gate_goes_on(fetch, dns, world):
    dns.has("servfail.pub.test", code=SERVFAIL)
    dns.has("empty.pub.test")
    dns.has("loop.pub.test", Cname("loop.pub.test"))
    for name, reply in BROKEN.items():
        dns.answers(f"{name}.pub.test", reply)
    names = ["missing", "servfail", "empty", "loop", *BROKEN]
    dns.answers("half.pub.test", half)
    got = fetch.all("half.pub.test", *(f"{name}.pub.test" for name in names))
    assert got.pop("half.pub.test").status == 200
    wrong = {host: f for host, f in got.items() if (f.status, f.reason) != (502, "dns_failed")}
    assert wrong == {}
    for host, fetched in got.items():
        assert fetched.body["hint"] and fetched.seconds < 15, host
        record, end = fetch.record(host), fetch.end(host)
        assert "address" not in record["target"]
        assert (end["status"], end["error"]) == (502, "dns_failed")
    assert {name: got[f"{name}.pub.test"].body["hint"] for name in HINTS} == HINTS
    assert [request.sni for request in world.requests] == ["half.pub.test"]
    assert_still_works(fetch, dns, world)


def test_a_truncated_answer_is_asked_for_again_over_tcp(fetch, dns, world):
    dns.answers("long.pub.test", in_two_sizes)
    assert fetch("long.pub.test").status == 200
    assert [c.address for c in world.connections] == [Internet.A]
    kinds = [(q.type, q.tcp) for q in dns.queries]
    assert sorted(kinds) == [("A", False), ("A", True), ("AAAA", False), ("AAAA", True)]


def test_many_addresses_are_usable_and_one_forbidden_far_behind_still_refuses(
    fetch, dns, world, inside
):
    many = [f"203.0.112.{i}" for i in range(10, 210)]
    dns.has("many.pub.test", *many)
    dns.has("poisoned.pub.test", *many, "127.0.0.1")
    assert fetch("many.pub.test").status == 200
    assert fetch.end("many.pub.test").get("address", Internet.A) in Internet.ALIVE
    assert len(world.connections) == 1
    assert fetch("poisoned.pub.test").reason == "addr_forbidden"
    too_many = [*many, *(f"203.0.111.{i}" for i in range(100))]
    dns.has("too-many.pub.test", *too_many)
    assert fetch("too-many.pub.test").reason == "dns_failed"
    assert len(world.connections) == 1
    inside.assert_untouched()


def test_one_family_that_fails_does_not_spoil_the_other(fetch, dns, world):
    def four_only(code):
        def reply(query):
            if query.type != "A":
                return query.reply(code=code)
            return query.reply(query.addresses(Internet.A))

        return reply

    for name, code in (("nx", NXDOMAIN), ("servfail", SERVFAIL), ("not-implemented", 4)):
        dns.answers(f"{name}.pub.test", four_only(code))
        assert fetch(f"{name}.pub.test").status == 200, name


def test_a_server_that_turns_out_to_be_dead_is_left_for_the_next(
    start_fetching, dns, internet, world
):
    """The gate's socket to it breaks, and the next one gets the same number; whoever still waited
    on the first must not make the second deaf."""
    internet.resolv_conf.write_text(f"nameserver {Internet.C}\nnameserver 127.0.0.1\n")
    gone = internet.world.bound(Internet.C, 53, socket.SOCK_DGRAM)
    icmp = internet.world.bound(Internet.C, 0, socket.SOCK_RAW, socket.IPPROTO_ICMP)

    def end():
        for _ in ("A", "AAAA"):
            _, client = gone.recvfrom(512)
        icmp.sendto(port_unreachable((Internet.C, 53), client), client)

    fetch = start_fetching()
    dns.has("somewhere.pub.test", Internet.A)
    with gone, icmp:
        thread = threading.Thread(target=end, daemon=True)
        thread.start()
        assert fetch("somewhere.pub.test").status == 200
        thread.join(10)
    assert dns.count("somewhere.pub.test") == {"A": 1, "AAAA": 1}
