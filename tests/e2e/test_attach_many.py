"""A thousand namespaces on one gate: each is its own sandbox on every record, and one that idles
costs next to nothing. EGRET_MANY says how many (fewer for slow builds)."""

import os
import subprocess
import time

import pytest

from support.namespaces import ManyNamespaces
from support.networks import needs_root

MANY = int(os.environ.get("EGRET_MANY", "1000"))
IDLE_KIB_MAX = 64
SAMPLE = 20

pytestmark = needs_root


def named(number):
    return f"box{number}"


def config():
    sandboxes = {named(n): {"rules": [{"allow": f"{named(n)}.test"}]} for n in range(MANY)}
    return {"version": 1, "workers": 2, "sandboxes": sandboxes}


def said_inside(namespace, url):
    done = subprocess.run(
        ["nsenter", f"--net={namespace}", "curl", "-sS", "-m", "20", url],
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.stdout + done.stderr


@pytest.mark.limit(240)
def test_each_of_very_many_namespaces_is_its_own_sandbox_and_costs_little(start_gate, directory):
    began = time.monotonic()
    gate = start_gate(config())
    print(f"start with {MANY} sandboxes: {time.monotonic() - began:.1f} s")
    with ManyNamespaces(directory / "ns", MANY) as namespaces:
        paths = namespaces.paths
        for number in range(2):  # what is loaded once does not count
            attach(gate, number, paths)
        before = gate.resident_kib()
        began = time.monotonic()
        for number in range(2, MANY):
            attach(gate, number, paths)
        each_ms = (time.monotonic() - began) / (MANY - 2) * 1000
        each_kib = (gate.resident_kib() - before) / (MANY - 2)
        print(f"attach {each_ms:.1f} ms each, {each_kib:.1f} KiB each")

        step = max(1, MANY // SAMPLE)
        for number in range(0, MANY, step):
            assert "host_not_allowed" in said_inside(paths[number], f"http://a{number}.example/")
        for number in range(0, MANY, step):
            host = f"a{number}.example"
            record = gate.audit.one(event="request", host=host)
            assert record["sandbox"] == named(number)
            assert record["capture"] == "netns"
            names = gate.audit.records(event="dns", sandbox=named(number))
            assert {one["query"]["name"] for one in names} == {host}
        assert len(gate.audit.wait_for(MANY, event="gate", what="attach")) == MANY
        assert each_kib < IDLE_KIB_MAX or "EGRET_MANY" in os.environ
    gone = gate.audit.wait_for(MANY, seconds=60, event="gate", what="detach")
    assert {record["sandbox"] for record in gone} == {named(number) for number in range(MANY)}


def attach(gate, number, paths):
    gate.home.cli("attach", "--sandbox", named(number), "--netns", paths[number], check=0)
