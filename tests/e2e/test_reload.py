"""Reload, by SIGHUP and by `egret reload`: atomic, refused where the file is bad, and it closes
what is no longer allowed."""

import signal

import pytest

from support import raw_client
from support.clients import curl_status
from support.gate import refused
from support.waiting import wait_until
from support.websocket_origin import WebSocketOrigin

from test_websocket import upgrade_fields

NEW = "https://new.example.test/"
API = "https://api.demo.test/"


def by_signal(gate):
    before = len(gate_records(gate))
    gate.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(gate_records(gate)) > before, what="the record of the reload")


def by_verb(gate):
    gate.home.cli("reload")


WAYS = pytest.mark.parametrize("reload", [by_signal, by_verb])


def gate_records(gate):
    """What the gate recorded of reloads, good and bad."""
    told = [record["what"] for record in gate.audit.records(event="gate")]
    return [what for what in told if what in ("reload", "reload_failed")]


@WAYS
def test_a_new_rule_takes_effect(start_gate, demo, authority, reload):
    from support.origin import Origin

    with Origin(authority, "new.example.test", "api.demo.test") as origin:
        pins = {"new.example.test": origin.pin, "api.demo.test": origin.pin}
        gate = start_gate(demo(pins=pins))
        assert curl_status(gate, NEW, check=None) != 200
        gate.home.write_config(demo(pins=pins, rules=[{"allow": "new.example.test"}]))
        reload(gate)
        assert curl_status(gate, NEW) == 200
        assert curl_status(gate, API) == 200


@WAYS
def test_a_bad_file_changes_nothing_and_says_why(start_gate, demo, reload):
    gate = start_gate(demo())
    assert curl_status(gate, API) == 200
    text = gate.home.config_file.read_text()
    bad = text.replace('allow: "api.demo.test"', 'alow: "api.demo.test"', 1)
    line = 1 + bad[: bad.index("alow")].count("\n")
    gate.home.write_config(bad)
    reload(gate)
    gate.wait_stderr(rf"egret\.yaml:{line}:\d+: ")
    assert curl_status(gate, API) == 200
    assert gate_records(gate) == ["reload_failed"]
    gate.home.write_config(text)
    reload(gate)
    assert curl_status(gate, API) == 200


def test_the_verb_tells_that_a_file_is_bad(start_gate, demo):
    gate = start_gate(demo())
    gate.home.write_config(gate.home.config_file.read_text() + "alow: 1\n")
    done = gate.home.cli("reload")
    assert done.returncode == 2
    assert "alow" in done.stderr and "egret.yaml:" in done.stderr


def test_the_verb_without_a_running_gate_says_so(make_home, demo):
    done = make_home(demo()).cli("reload")
    assert done.returncode != 0 and done.stderr.strip()


def without(config, host):
    for sandbox in config["sandboxes"].values():
        sandbox["rules"] = [rule for rule in sandbox["rules"] if rule.get("allow") != host]
    return config


@WAYS
def test_an_open_websocket_that_is_no_longer_allowed_is_closed(start_gate, demo, authority, reload):
    host = "ws.demo.test"
    with WebSocketOrigin(authority, host) as echo:
        gate = start_gate(demo(pins={host: echo.pin}))
        with raw_client.tunnel(gate.address(), host, gate.ca_file()) as stream:
            answer = raw_client.ask(stream, "GET", host, "/open", upgrade_fields())
            assert answer.status == 101
            gate.home.write_config(without(demo(pins={host: echo.pin}), host))
            reload(gate)
            stream.sock.settimeout(2)
            assert refused(lambda: read_until_closed(stream))
        assert echo.closed.wait(2)
        record = gate.audit.one(event="request", path="/open")
        assert gate.audit.response_to(record)["error"] == "policy_changed"


def read_until_closed(stream):
    """A close frame may come first. A socket that stays silent is not closed."""
    try:
        stream.read_to_end()
    except TimeoutError:
        return
    raise ConnectionError("closed")


@WAYS
def test_an_open_tunnel_that_is_no_longer_allowed_is_closed(start_gate, demo, reload, authority):
    host = "pinned.demo.test"
    rule = {"allow": host, "tunnel": True}
    gate = start_gate(demo(rules=[rule]))
    stream, response = raw_client.connect(gate.address(), f"{host}:443")
    with stream:
        assert response.status == 200
        raw_client.start_tls(stream, host, authority.ca_file)  # the origin's own certificate
        assert raw_client.ask(stream, "GET", host, "/fixed/1").body == b"x"
        gate.home.write_config(demo())
        reload(gate)
        stream.sock.settimeout(2)
        assert refused(lambda: read_until_closed(stream))


def test_a_kept_alive_connection_is_decided_by_the_new_policy(start_gate, demo):
    host = "other.demo.test"
    gate = start_gate(demo())
    with raw_client.tunnel(gate.address(), host, gate.ca_file()) as stream:
        assert raw_client.ask(stream, "GET", host, "/1").status == 200
        gate.home.write_config(without(demo(), host))
        by_verb(gate)
        statuses = []
        closed = refused(lambda: statuses.append(raw_client.ask(stream, "GET", host, "/2").status))
    assert closed or statuses == [403]
    assert gate.audit.records(path="/2", decision="allow") == []


def test_a_stream_that_is_still_allowed_survives(start_gate, demo, origin):
    gate = start_gate(demo())
    with raw_client.tunnel(gate.address(), "api.demo.test", gate.ca_file()) as stream:
        stream.send(raw_client.request_bytes("GET", "api.demo.test", "/sse"))
        origin.events.put(b"before")
        assert b"before" in stream.read_until(b"before\n\n")
        gate.home.write_config(demo(rules=[{"allow": "more.demo.test"}]))
        by_verb(gate)
        origin.events.put(b"after")
        assert b"after" in stream.read_until(b"after\n\n")
        origin.events.put(None)


def test_many_reloads_during_traffic_lose_nothing(start_gate, demo, origin):
    gate = start_gate(demo())
    with raw_client.tunnel(gate.address(), "api.demo.test", gate.ca_file()) as stream:
        for number in range(30):
            gate.process.send_signal(signal.SIGHUP)
            assert raw_client.ask(stream, "GET", "api.demo.test", f"/{number}").status == 200
    assert len(origin.requests) == 30
