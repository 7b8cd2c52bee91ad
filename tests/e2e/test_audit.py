"""The audit file: every decision in it before anything leaves, a chain that anybody can check, and
nothing lost to a kill or a full disk."""

import json
import re
import signal
import threading

import pytest

from support import raw_client
from support.audit_file import REQUEST_FIELDS, RESPONSE_FIELDS, assert_order, chain_breaks
from support.clients import curl, curl_status
from support.networks import TinyDisk, needs_root
from support.waiting import wait_until

API = "api.demo.test"
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def line_with(gate, **wanted):
    record = gate.audit.one(**wanted)
    return next(line for line in gate.audit.lines() if json.loads(line) == record)


def test_the_two_halves_of_an_exchange_hold_what_the_contract_says(gate, origin):
    curl(gate, "-d", "12345", f"https://{API}/fixed/100?secret=of-the-query")
    request = gate.audit.one(event="request", path="/fixed/100")
    response = gate.audit.response_to(request)
    assert_order(line_with(gate, event="request", id=request["id"]), REQUEST_FIELDS)
    assert_order(line_with(gate, event="response", id=request["id"]), RESPONSE_FIELDS)
    assert (request["v"], request["sandbox"], request["capture"]) == (1, "web", "connect")
    assert (request["decision"], request["reason"]) == ("allow", "rule")
    assert re.fullmatch(r"egret\.yaml:\d+", request["rule"].rsplit("/", 1)[-1])
    target = request["target"]
    assert (target["scheme"], target["host"], target["port"]) == ("https", API, 443)
    assert request["request"] == {"method": "POST", "path": "/fixed/100", "version": "2"}
    assert "of-the-query" not in gate.audit.text()
    assert RFC3339.fullmatch(request["time"]) and request["time"] <= response["time"]
    assert response["status"] == 200
    assert response["bytes"]["up"] >= 5 and response["bytes"]["down"] >= 100
    assert response["ms"]["total"] >= 0


def test_the_rule_named_is_the_line_of_the_file(gate):
    curl(gate, f"https://{API}/x")
    number = int(gate.audit.one(event="request", path="/x")["rule"].rsplit(":", 1)[1])
    line = gate.home.config_file.read_text().split("\n")[number - 1]
    assert API in line


def test_a_denied_request_is_one_record_with_its_status(gate):
    assert curl_status(gate, "http://evil.example/x") == 403
    record = gate.audit.one(event="request", host="evil.example")
    assert_order(line_with(gate, event="request", id=record["id"]), REQUEST_FIELDS)
    assert (record["decision"], record["status"]) == ("deny", 403)
    curl(gate, f"http://{API}/after")
    gate.audit.response_to(gate.audit.one(event="request", path="/after"))
    assert gate.audit.records(event="response", id=record["id"]) == []


def test_the_record_is_in_the_file_before_the_origin_sees_the_request(gate, origin):
    """The origin itself looks into the file while it answers."""
    seen = []

    def look(exchange):
        seen.append(gate.audit.records(event="request", path=exchange.request.path))
        exchange.reply(200, "ok")

    origin.on("/look", look)
    for number in range(20):
        assert curl_status(gate, f"http://{API}/look/{number}") == 200
    assert [len(records) for records in seen] == [1] * 20


def test_agent_bytes_are_escaped_and_cut(gate):
    path = "/a%22%0a%7b%22decision%22" + "x" * 5000
    raw = f'GET http://{API}{path} HTTP/1.1\r\nHost: {API}\r\nUser-Agent: "\x1b[2J\r\n\r\n'
    raw_client.send_raw(gate.address(), raw.encode("latin-1"))
    gate.audit.wait_for(event="request")
    for line in gate.audit.lines():
        assert line.isascii() and line.isprintable() and len(line) < 8192
        json.loads(line)
    (record,) = gate.audit.records(event="request")
    assert len((record.get("request") or {}).get("path", "")) <= 2048


def test_the_chain_holds_under_concurrent_traffic(gate):
    def ask(number):
        for turn in range(10):
            host = API if turn % 2 else "evil.example"
            raw = f"GET http://{host}/{number} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
            raw_client.send_raw(gate.address(), raw)

    in_parallel(ask, range(16))
    gate.audit.wait_for(16 * 10, event="request")
    gate.audit.wait_for(16 * 5, event="response")
    assert chain_breaks(gate.audit.lines()) == []
    assert gate.home.cli("audit verify", check=0)


def in_parallel(work, items):
    """work(item) for each in a thread of its own; the first failure is raised here."""
    failures = []

    def guarded(item):
        try:
            work(item)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(item,)) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if failures:
        raise failures[0]


def test_start_and_stop_are_recorded_and_a_restart_continues_the_chain(start_gate, demo):
    gate = start_gate(demo())
    curl_status(gate, f"http://{API}/1")
    gate.stop()
    start_gate(home=gate.home)
    records = gate.audit.wait_for(3, event="gate")
    assert [record["what"] for record in records] == ["start", "stop", "start"]
    assert chain_breaks(gate.audit.lines()) == []


def test_verify_finds_what_was_changed_removed_or_swapped(start_gate, demo):
    gate = start_gate(demo())
    for number in range(5):
        curl_status(gate, f"http://{API}/{number}")
    gate.stop()
    home = gate.home
    lines = home.audit.lines()
    home.cli("audit verify", check=0)
    at = next(n for n, line in enumerate(lines) if '"/2"' in line)
    for changed in (
        lines[:at] + [lines[at].replace('"/2"', '"/9"')] + lines[at + 1 :],
        lines[:at] + lines[at + 1 :],
        lines[:at] + [lines[at + 1], lines[at]] + lines[at + 2 :],
    ):
        assert chain_breaks(changed), "the harness must see it too"
        home.audit.path.write_text("\n".join(changed) + "\n")
        done = home.cli("audit verify")
        assert done.returncode not in (0, 2), done.stdout
        assert re.search(r"\b(%d|%d|%d)\b" % (at, at + 1, at + 2), done.stdout + done.stderr)


@pytest.mark.limit(90)
def test_a_kill_in_the_middle_of_traffic_loses_no_decision(start_gate, demo, origin):
    gate = start_gate(demo())
    stop = threading.Event()
    address = gate.address()

    def traffic(lane):
        number = 0
        while not stop.is_set():
            raw = f"GET http://{API}/{lane}-{number} HTTP/1.1\r\nHost: {API}\r\n\r\n".encode()
            number += 1
            try:
                raw_client.send_raw(address, raw)
            except (OSError, ValueError):
                return  # the gate has been killed

    lanes = [threading.Thread(target=traffic, args=(lane,)) for lane in range(8)]
    for lane in lanes:
        lane.start()
    origin.wait_for(lambda o: sum(len(c.requests) for c in o.connections) > 300, seconds=30)
    gate.kill()
    stop.set()
    for lane in lanes:
        lane.join(30)

    recorded = {r["request"]["path"] for r in gate.audit.records(event="request")}
    unrecorded = [r.path for r in origin.requests if r.path not in recorded]
    assert unrecorded == []

    again = start_gate(home=gate.home)
    assert curl_status(again, f"http://{API}/after") == 200
    again.audit.wait_for(event="request", path="/after")
    told = again.home.cli("audit verify", check=0).stdout
    assert re.search(r"\bcut\b|without (a )?stop|did not stop", told), told
    assert [b for b in chain_breaks(again.audit.lines()) if b[1] != "not JSON"] == []


@needs_root
@pytest.mark.limit(90)
def test_a_full_disk_stops_traffic_and_it_resumes_by_itself(start_gate, demo, origin, directory):
    with TinyDisk(directory / "disk", kib=256) as disk:
        gate = start_gate(demo(audit={"file": str(disk.path / "audit.jsonl")}))
        gate.audit.path = disk.path / "audit.jsonl"
        assert curl_status(gate, f"http://{API}/before") == 200
        disk.fill()
        wait_until(lambda: curl_status(gate, f"http://{API}/full") == 503, 20, "a 503")
        reached = len(origin.requests)
        for _ in range(5):
            assert curl_status(gate, f"http://{API}/full") == 503
            assert curl_status(gate, "http://evil.example/full") in (403, 503)
        assert len(origin.requests) == reached, "nothing leaves unrecorded"
        disk.free()
        wait_until(lambda: curl_status(gate, f"http://{API}/again") == 200, 20, "traffic again")
        gate.audit.wait_for(event="request", path="/again", decision="allow")
        known = {r["request"]["path"] for r in gate.audit.records(event="request")}
        assert {r.path for r in origin.requests} <= known
        assert chain_breaks(gate.audit.lines()) == []
        gate.stop()


def leaves_minted(gate):
    return json.loads(gate.home.cli("status", "--json", check=0).stdout)["leaves_minted"]


@pytest.mark.limit(90)
def test_200_concurrent_tunnels_to_200_new_names_mint_200_leaves_once_each(gate, origin):
    before = leaves_minted(gate)
    ca_file = gate.ca_file()
    names = [f"n{number}.w.test" for number in range(200)]
    # Some ask twice at the same moment: they share one mint.
    wanted = names + names[:40]
    together = threading.Barrier(len(wanted))

    def ask(name):
        together.wait(60)
        with raw_client.tunnel(gate.address(), name, ca_file) as stream:
            assert raw_client.ask(stream, "GET", name, f"/{name}").status == 200

    in_parallel(ask, wanted)
    assert leaves_minted(gate) - before == 200
    assert len({r.get("host") for r in origin.requests}) == 200
    assert len(gate.audit.wait_for(240, event="request", decision="allow")) == 240


# --- reading it


def traffic_of_every_kind(gate):
    curl_status(gate, f"https://{API}/allowed")
    curl_status(gate, "http://evil.example/denied")
    curl_status(gate, f"http://{API}/of-other", sandbox="other")
    for path in ("/allowed", "/of-other"):
        gate.audit.response_to(gate.audit.one(event="request", path=path))


def test_show_joins_the_halves_into_one_line_a_person_can_read(gate):
    traffic_of_every_kind(gate)
    shown = gate.home.cli("audit show", check=0).stdout.splitlines()
    (line,) = [line for line in shown if "/allowed" in line]
    assert API in line and "200" in line and "GET" in line
    (line,) = [line for line in shown if "evil.example" in line]
    assert "host_not_allowed" in line


def test_show_filters_by_sandbox_denial_and_time(gate):
    traffic_of_every_kind(gate)
    show = lambda *flags: gate.home.cli("audit show", *flags, check=0).stdout
    assert "/of-other" in show("--sandbox", "other") and "/allowed" not in show(
        "--sandbox", "other"
    )
    denied = show("--denied")
    assert "evil.example" in denied and "/allowed" not in denied
    assert "/allowed" in show("--since", "10m")
    assert "/allowed" not in show("--since", "2999-01-01T00:00:00Z")


def test_show_as_json_gives_the_records_as_they_are(gate):
    traffic_of_every_kind(gate)
    lines = gate.home.cli("audit show", "--json", check=0).stdout.splitlines()
    assert {json.loads(line)["event"] for line in lines} >= {"request", "response"}
    assert set(lines) <= set(gate.audit.lines())


def test_summary_counts(gate):
    traffic_of_every_kind(gate)
    told = gate.home.cli("audit summary", check=0).stdout
    assert API in told and "evil.example" in told and "host_not_allowed" in told


def test_tail_follows(gate):
    import subprocess

    process = subprocess.Popen(
        gate.home.command("audit tail"), stdout=subprocess.PIPE, text=True,
        cwd=gate.home.work, env=gate.home.environment,
    )  # fmt: skip
    try:
        lines = iter(process.stdout.readline, "")
        curl_status(gate, f"http://{API}/first")
        curl_status(gate, f"http://{API}/second")
        assert any("/second" in line for line in lines)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)
        process.stdout.close()
