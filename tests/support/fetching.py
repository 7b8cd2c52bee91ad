"""curl behind a gate that stands in the namespaces of support/internet.py."""

import json
import threading
from collections import namedtuple

from support.clients import curl
from support.internet import Internet

PORTS = [443, 8443, 9443]  # of the names that the gate's only rule allows
Fetched = namedtuple("Fetched", "status seconds body reason")


def pub_test_config(authority, listen=(), workers=1, **origins):
    """Everything below pub.test is allowed. One worker, unless asked: each has a resolver."""
    return {
        "version": 1,
        "listen": [{"address": "127.0.0.1:0", "sandbox": "web"}, *listen],
        "workers": workers,
        "origins": {"ca_files": [str(authority.ca_file)], **origins},
        "sandboxes": {"web": {"rules": [{"allow": "*.pub.test", "ports": PORTS}]}},
    }


class Fetching:
    """fetch("api.pub.test") → what curl got, and what the gate's records say about it."""

    def __init__(self, gate):
        self.gate = gate

    def __call__(self, host, *flags, port=443, seconds=30):
        url = f"https://{host}" + (f":{port}" if port != 443 else "") + "/x"
        done = curl(self.gate, "-w", "\n%{http_code} %{time_total}", *flags, url, seconds=seconds)
        body, _, last = done.stdout.decode().rpartition("\n")
        status, elapsed = last.split()
        told = json.loads(body) if body else {}
        return Fetched(int(status), float(elapsed), told, told.get("reason"))

    def all(self, *hosts, **options):
        """At the same time; {host: Fetched}."""
        got = {}
        run = lambda host: got.__setitem__(host, self(host, **options))
        threads = [threading.Thread(target=run, args=(host,)) for host in hosts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return got

    def record(self, host):
        return self.gate.audit.one(event="request", host=host)

    def end(self, host):
        return self.gate.audit.response_to(self.record(host))


def last_reply(exchange):
    """After which the gate has to make a new connection, and to look the name up again."""
    exchange.reply(200, "{}", [("connection", "close")])
    exchange.close_after()


def assert_still_works(fetch, dns, world, name="afterwards.pub.test"):
    dns.has(name, Internet.A)
    assert fetch(name).status == 200
    assert world.connections[-1].address == Internet.A
