"""A thousand namespaces on one gate: each is its own sandbox on every record, and one that idles
costs next to nothing. EGRET_MANY says how many (fewer for slow builds)."""

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.home import binary
from support.namespaces import ManyNamespaces
from support.networks import needs_root

MANY = int(os.environ.get("EGRET_MANY", "1000"))
IDLE_KIB_MAX = 64
ONE_BY_ONE = 2
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
    short = directory / "short.yaml"
    short.write_text("version: 1\n")
    with ManyNamespaces(directory / "ns", MANY) as namespaces:
        paths = namespaces.paths

        def attach(number):
            what = ["--sandbox", named(number), "--netns", paths[number], "--config", short]
            began = time.monotonic()
            done = subprocess.run(
                [str(binary()), "attach", *map(str, what)],
                env=gate.home.environment,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 0, done.stderr
            return (time.monotonic() - began) * 1000

        for number in range(ONE_BY_ONE):  # what is loaded once does not count
            attach(number)
        before = gate.resident_kib()
        with ThreadPoolExecutor(2) as two:
            ms = sorted(two.map(attach, range(ONE_BY_ONE, MANY)))
        each_kib = (gate.resident_kib() - before) / (MANY - ONE_BY_ONE)
        print(f"attach, two at a time: {ms[len(ms) // 2]:.1f} ms median; {each_kib:.1f} KiB each")

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
