"""A small DNS server over UDP and TCP. It answers from a table that the test may change at any
moment, and keeps every question that it saw."""

import ipaddress
import socket
import struct
import threading
from dataclasses import dataclass

TYPES = {1: "A", 5: "CNAME", 28: "AAAA"}
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
UDP_BYTES_MAX = 512  # without EDNS, RFC 1035 2.3.4
CHAIN_MAX = 100
RESPONSE, TRUNCATED, RECURSION = 0x8000, 0x0200, 0x0180


@dataclass(frozen=True)
class Query:
    name: str  # as it came, letter case and all
    type: str
    tcp: bool
    ident: int
    question: bytes

    def reply(self, records=(), code=NOERROR, flags=0):
        """The message with these (owner, type, ttl, data) records."""
        head = struct.pack(
            ">HHHHHH", self.ident, RESPONSE | RECURSION | flags | code, 1, len(records), 0, 0
        )
        return head + self.question + b"".join(map(_record, records))

    def addresses(self, *texts, ttl=60, owner=None):
        """Those of the asked type, as records for reply()."""
        parsed = map(ipaddress.ip_address, texts)
        kinds = [(1 if address.version == 4 else 28, address.packed) for address in parsed]
        owner = owner or self.name
        return [(owner, kind, ttl, data) for kind, data in kinds if TYPES[kind] == self.type]


@dataclass(frozen=True)
class Cname:
    target: str


@dataclass(frozen=True)
class Answer:
    records: tuple
    ttl: int
    code: int


def _name(text):
    labels = [label.encode("latin-1") for label in text.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _record(record):
    owner, kind, ttl, data = record
    return _name(owner) + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


def _parsed(message, tcp):
    ident, _, questions = struct.unpack(">HHH", message[:6])
    assert questions == 1
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1 : at + 1 + message[at]].decode("latin-1"))
        at += 1 + message[at]
    kind = struct.unpack(">H", message[at + 1 : at + 3])[0]
    return Query(".".join(labels), TYPES.get(kind, str(kind)), tcp, ident, message[12 : at + 5])


class DnsServer:
    """Serves on two sockets that somebody else has bound: `udp`, and the listening `tcp`."""

    def __init__(self, udp, tcp):
        self.queries = []
        self._udp = udp
        self._tcp = tcp
        self._table = {}
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=target, daemon=True)
            for target in (self._serve_udp, self._serve_tcp)
        ]
        for thread in self._threads:
            thread.start()

    # --- what tests say

    def has(self, name, *records, ttl=60, code=NOERROR):
        """From now on `name` has these addresses (text) or one Cname, in this order; none at all is
        an empty answer. Names that the table lacks do not exist."""
        with self._lock:
            self._table[name] = Answer(records, ttl, code)

    def answers(self, name, reply):
        """From now on reply(query) makes the message for `name`; None stays silent."""
        with self._lock:
            self._table[name] = reply

    # --- what tests ask

    def asked(self, name=None):
        """[(name, type)] in the order of arrival."""
        with self._lock:
            return [(q.name, q.type) for q in self.queries if name in (None, q.name)]

    def count(self, name):
        """{type: how often} of the questions about exactly this name."""
        kinds = [kind for _, kind in self.asked(name)]
        return {kind: kinds.count(kind) for kind in kinds}

    # --- serving

    def _table_reply(self, query):
        """Whole, whatever its size: the chain of aliases, then the addresses."""
        owner, records, answer = query.name.lower(), [], None
        for _ in range(CHAIN_MAX):
            answer = self._table.get(owner)
            if not isinstance(answer, Answer):
                return query.reply(records, NXDOMAIN)
            alias = next((r for r in answer.records if isinstance(r, Cname)), None)
            if alias is None:
                break
            records.append((owner, 5, answer.ttl, _name(alias.target)))
            owner = alias.target
        addresses = [record for record in answer.records if not isinstance(record, Cname)]
        records += query.addresses(*addresses, ttl=answer.ttl, owner=owner)
        return query.reply(records, answer.code)

    def _message(self, data, tcp):
        query = _parsed(data, tcp)
        with self._lock:
            self.queries.append(query)
            scripted = self._table.get(query.name.lower())
            table_reply = None if callable(scripted) else self._table_reply(query)
        if table_reply is None:
            return scripted(query)
        if not tcp and len(table_reply) > UDP_BYTES_MAX:
            return query.reply(flags=TRUNCATED)
        return table_reply

    def _serve_udp(self):
        while True:
            try:
                data, peer = self._udp.recvfrom(4096)
            except OSError:
                return
            if not data:
                return  # stopped
            reply = self._message(data, tcp=False)
            if reply is not None:
                self._udp.sendto(reply, peer)

    def _serve_tcp(self):
        while True:
            try:
                peer, _ = self._tcp.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve_peer, args=(peer,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve_peer(self, peer):
        with peer, peer.makefile("rb") as stream:
            peer.settimeout(30)
            try:
                while len(size := stream.read(2)) == 2:
                    reply = self._message(stream.read(struct.unpack(">H", size)[0]), tcp=True)
                    if reply is not None:
                        peer.sendall(struct.pack(">H", len(reply)) + reply)
            except OSError:
                pass  # the peer went away

    def stop(self):
        for sock in (self._udp, self._tcp):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # shutting down an unconnected UDP socket wakes its reader and says ENOTCONN
        for thread in self._threads[:2]:
            thread.join(10)
            assert not thread.is_alive(), "the DNS server does not end"
        self._udp.close()
        self._tcp.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def port_unreachable(server, client):
    """The ICMP message by which a machine tells `client` that nothing listens on `server`; each an
    (address, port)."""
    addresses = [ipaddress.ip_address(address).packed for address, _ in (client, server)]
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 28, 0, 0, 64, socket.IPPROTO_UDP, 0) + b"".join(
        addresses
    )
    udp = struct.pack(">HHHH", client[1], server[1], 8, 0)
    message = struct.pack(">BBHI", 3, 3, 0, 0) + ip + udp
    total = sum(struct.unpack(f">{len(message) // 2}H", message))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return message[:2] + struct.pack(">H", 0xFFFF - total) + message[4:]
