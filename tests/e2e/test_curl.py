"""curl and raw bytes through the explicit listeners: HTTP proxy, CONNECT, SOCKS5, Unix socket."""

import json
import os
import socket
from urllib.parse import urlsplit

import pytest

from support import raw_client
from support.clients import curl, curl_status
from support.denial import assert_denied
from support.gate import refused
from support.http1 import read_response

API = "api.demo.test"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("through", ["http", "socks5h"])
def test_an_allowed_request_reaches_the_origin_rebuilt(gate, origin, scheme, through):
    done = curl(gate, f"{scheme}://{API}/a%2Fb/c?q=1&z=%20", proxy=gate.url(through))
    told = json.loads(done.stdout)
    assert told["target"] == "/a%2Fb/c?q=1&z=%20"
    assert told["tls"] == (scheme == "https")
    assert told["sni"] == (API if scheme == "https" else None)
    names = [name.lower() for name, _ in told["headers"]]
    assert ["host", API] in [[name.lower(), value] for name, value in told["headers"]]
    for hop in ("proxy-connection", "proxy-authorization", "via", "x-forwarded-for"):
        assert hop not in names


@pytest.mark.parametrize("through", ["http", "socks5h"])
def test_the_record_names_the_capture(gate, through):
    curl(gate, f"http://{API}/plain", proxy=gate.url(through))
    curl(gate, f"https://{API}/tls", proxy=gate.url(through))
    captures = [gate.audit.one(event="request", path=p)["capture"] for p in ("/plain", "/tls")]
    assert captures == (["forward", "connect"] if through == "http" else ["socks5", "socks5"])


def test_a_denied_plain_request_opens_no_connection_and_says_why(gate, origin):
    answer = raw_client.send_raw(
        gate.address(), b"GET http://evil.example/x HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    )
    told = assert_denied(answer, "host_not_allowed", "evil.example", 80)
    record = gate.audit.one(event="request", decision="deny", host="evil.example")
    assert (record["id"], record["status"], record["reason"]) == (told["id"], 403, told["reason"])
    origin.assert_untouched()


def test_a_denied_name_is_told_why_over_tls_and_no_connection_is_opened(gate, origin):
    answer = raw_client.get_in_tunnel(gate.address(), "evil.example", gate.ca_file())
    assert_denied(answer, "host_not_allowed", "evil.example", 443)
    gate.audit.wait_for(decision="deny", host="evil.example", reason="host_not_allowed")
    origin.assert_untouched()


@pytest.mark.parametrize(
    "host, method, path, reason",
    [
        ("read.demo.test", "POST", "/public/x", "method_not_allowed"),
        ("read.demo.test", "GET", "/private/x", "path_not_allowed"),
        ("read.demo.test", "GET", "/public/../private", "path_noncanonical"),
        ("read.demo.test", "GET", "/public/%2e%2e/private", "path_noncanonical"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_rule_holds_for_method_and_path_inside_and_outside_tls(
    gate, origin, scheme, host, method, path, reason
):
    arguments = ["--path-as-is", "-X", method, f"{scheme}://{host}{path}"]
    done = curl(gate, *arguments)
    assert json.loads(done.stdout)["reason"] == reason
    gate.audit.one(event="request", decision="deny", host=host, reason=reason)
    origin.assert_untouched()


def test_a_wildcard_opens_deeper_names_and_not_the_apex(gate, origin):
    assert curl_status(gate, "http://deep.er.w.test/") == 200
    assert curl_status(gate, "http://w.test/") == 403
    assert curl_status(gate, "http://notw.test/") == 403
    assert curl_status(gate, "http://banned.w.test/") == 403, "deny beats allow"


@pytest.mark.parametrize("port, reason", [(8080, "port_not_allowed"), (22, "port_not_allowed")])
def test_ports_that_no_rule_names_are_refused(gate, origin, port, reason):
    answer = raw_client.send_raw(
        gate.address(),
        f"GET http://{API}:{port}/ HTTP/1.1\r\nHost: {API}:{port}\r\n\r\n".encode(),
    )
    assert_denied(answer, reason, API, port)
    origin.assert_untouched()


def test_a_port_that_a_rule_names_is_open(gate, origin):
    assert curl_status(gate, "https://ports.demo.test:8443/") == 200
    assert origin.requests[-1].get("host") == "ports.demo.test:8443"


def test_another_host_inside_the_tunnel_is_misdirected(gate, origin):
    with raw_client.tunnel(gate.address(), API, gate.ca_file()) as stream:
        answer = raw_client.ask(stream, "GET", "other.demo.test", "/")
        assert answer.status == 421
        assert stream.at_end()
    gate.audit.one(event="request", decision="deny", reason="authority_mismatch")
    assert not origin.requests


def test_an_absolute_form_that_differs_from_host_is_malformed(gate, origin):
    raw = f"GET http://{API}/ HTTP/1.1\r\nHost: other.demo.test\r\n\r\n".encode()
    assert raw_client.send_raw(gate.address(), raw).status == 400
    origin.assert_untouched()


@pytest.mark.parametrize("literal", ["93.184.216.34", "127.0.0.1", "::1", "169.254.169.254"])
def test_socks_address_literals_are_refused(gate, origin, literal):
    def request():
        stream, reply = raw_client.socks5(gate.address(), literal, 80)
        with stream:
            if reply:
                raise ConnectionError(f"SOCKS reply {reply}")
            assert raw_client.ask(stream, "GET", literal, "/").status == 403
            raise ConnectionError("told 403")

    assert refused(request)
    gate.audit.wait_for(decision="deny")
    origin.assert_untouched()


def test_a_nul_in_a_socks_name_is_refused(gate, origin):
    stream, reply = raw_client.socks5(gate.address(), b"evil.example\0.w.test", 80)
    assert reply != 0 and stream.at_end()
    gate.audit.wait_for(decision="deny", reason="host_malformed")
    origin.assert_untouched()


def test_credentials_name_the_sandbox_where_the_listener_does_not(start_gate, demo):
    config = demo()
    config["listen"] = [{"address": "127.0.0.1:0"}]
    gate = start_gate(config)
    proxy = urlsplit(gate.client_environment("other")["HTTP_PROXY"])
    assert proxy.username, "egret env must give credentials for such a listener"
    for scheme in ("http", "socks5h"):
        url = proxy._replace(scheme=scheme).geturl()
        assert curl_status(gate, f"http://{API}/{scheme}", proxy=url, sandbox="other") == 200
        assert gate.audit.one(event="request", path=f"/{scheme}")["sandbox"] == "other"
    raw = f"GET http://{API}/ HTTP/1.1\r\nHost: {API}\r\n\r\n".encode()
    assert raw_client.send_raw(gate.address(), raw).status == 407
    stream, reply = raw_client.socks5(gate.address(), API, 80, "web", "wrong password")
    assert reply != 0 and stream.at_end()


def test_a_unix_socket_is_a_listener_too(start_gate, demo, directory, origin):
    path = directory / "web.sock"
    gate = start_gate(demo(listen=[{"unix": str(path), "sandbox": "web"}]))
    with raw_client.tunnel(path, API, gate.ca_file()) as stream:
        assert raw_client.ask(stream, "GET", API, "/over-unix").status == 200
    assert gate.audit.one(event="request", path="/over-unix")["capture"] == "unix"
    assert os.stat(path).st_mode & 0o007 == 0, "others may not connect"


def test_one_tunnel_carries_many_requests_and_each_is_decided(gate, origin):
    host = "read.demo.test"
    with raw_client.tunnel(gate.address(), host, gate.ca_file()) as stream:
        for number in range(3):
            assert raw_client.ask(stream, "GET", host, f"/public/{number}").status == 200
        assert_denied(raw_client.ask(stream, "GET", host, "/private"), "path_not_allowed", host)
    assert origin.targets() == [f"GET /public/{n}" for n in range(3)]
    assert len(origin.connections) == 1, "the origin connection is kept alive"
    assert len(gate.audit.wait_for(4, event="request", host=host)) == 4


def test_pipelined_requests_are_each_decided_and_answered_in_order(gate, origin):
    def get(host, path):
        return f"GET http://{host}{path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()

    with raw_client.dial(gate.address()) as stream:
        stream.send(get(API, "/1") + get("other.demo.test", "/2") + get("evil.example", "/3"))
        answers = [read_response(stream) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 403]
    assert [json.loads(a.body)["target"] for a in answers[:2]] == ["/1", "/2"]
    assert [request.get("host") for request in origin.requests] == [API, "other.demo.test"]


def test_a_head_that_arrives_byte_by_byte_is_one_request(gate, origin):
    with raw_client.dial(gate.address()) as stream:
        for byte in f"GET http://{API}/slowly HTTP/1.1\r\nHost: {API}\r\n\r\n".encode():
            stream.send(bytes([byte]))
        assert read_response(stream).status == 200
    assert origin.targets() == ["GET /slowly"]


def test_answers_without_a_body_keep_the_connection_usable(gate):
    with raw_client.tunnel(gate.address(), API, gate.ca_file()) as stream:
        head = raw_client.ask(stream, "HEAD", API, "/fixed/123")
        assert (head.status, head.get("content-length")) == (200, "123")
        assert raw_client.ask(stream, "GET", API, "/status/204").status == 204
        not_modified = raw_client.ask(stream, "GET", API, "/status/304")
        assert (not_modified.status, not_modified.get("etag")) == (304, '"tag"')
        assert raw_client.ask(stream, "GET", API, "/fixed/3").body == b"xxx"


def test_expect_100_continue_is_answered_by_the_origin(gate, origin):
    fields = ["Content-Length: 4", "Expect: 100-continue"]
    with raw_client.tunnel(gate.address(), API, gate.ca_file()) as stream:
        stream.send(raw_client.request_bytes("PUT", API, "/expect", fields))
        assert read_response(stream, skip_interim=False).status == 100
        stream.send(b"data")
        assert json.loads(read_response(stream).body)["bytes"] == 4


def test_a_refused_expectation_arrives_without_the_body_being_sent(gate):
    fields = ["Content-Length: 4", "Expect: 100-continue"]
    with raw_client.tunnel(gate.address(), API, gate.ca_file()) as stream:
        assert raw_client.ask(stream, "PUT", API, "/refuse-expect", fields).status == 417


def test_chunked_bodies_and_trailers_pass_both_ways(gate, origin):
    fields = ["Transfer-Encoding: chunked", "Trailer: x-sum"]
    body = b"3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nx-sum: 7\r\n\r\n"
    with raw_client.tunnel(gate.address(), API, gate.ca_file()) as stream:
        told = json.loads(raw_client.ask(stream, "POST", API, "/x", fields, body).body)
        assert told["body_bytes"] == 7
        assert told["trailers"] in ([["x-sum", "7"]], []), "a trailer may be dropped, not changed"
        answer = raw_client.ask(stream, "GET", API, "/chunked", ["TE: trailers"])
        assert answer.body == b"one,two,three"
        assert answer.trailers in ([("x-checksum", "123")], [])
    assert b";ext" not in bytes(origin.connections[0].received), "framing is rebuilt"


@pytest.mark.parametrize(
    "framing",
    [
        ["Content-Length: 3", "Transfer-Encoding: chunked"],
        ["Content-Length: 3", "Content-Length: 4"],
        ["Content-Length: +3"],
        ["Transfer-Encoding: chunked, identity"],
        ["Transfer-Encoding : chunked"],
    ],
)
def test_ambiguous_framing_is_refused_and_the_connection_closed(gate, origin, framing):
    lines = [f"POST http://{API}/ HTTP/1.1", f"Host: {API}", *framing, "", "abc"]
    with raw_client.dial(gate.address()) as stream:
        stream.send("\r\n".join(lines).encode())
        assert read_response(stream).status in (400, 501)
        assert stream.at_end()
    gate.audit.wait_for(decision="deny")
    assert not origin.requests


def test_an_origin_that_ends_early_is_an_error_and_not_a_short_success(gate):
    done = curl(gate, f"https://{API}/close-early", check=None)
    assert done.returncode in (18, 56, 92), "curl must notice that bytes are missing"
    record = gate.audit.one(event="request", path="/close-early")
    assert gate.audit.response_to(record)["error"]


@pytest.mark.parametrize("kind", ["not-http", "two-lengths", "length-and-chunked", "endless-head"])
def test_garbage_from_an_origin_is_a_502(gate, kind):
    assert curl_status(gate, f"https://{API}/garbage/{kind}") == 502
    record = gate.audit.one(event="request", path=f"/garbage/{kind}")
    assert gate.audit.response_to(record)["error"]


def test_a_body_that_ends_with_the_connection_arrives_whole(gate):
    for scheme in ("http", "https"):
        assert curl(gate, f"{scheme}://{API}/close-delimited").stdout == b"until the end"


def test_such_a_body_without_the_end_of_tls_is_recorded_as_truncated(gate):
    """Anyone on the way can cut a connection; only close_notify says that this was all."""
    assert curl(gate, f"https://{API}/cut-off").stdout == b"until the end"
    record = gate.audit.one(event="request", path="/cut-off")
    assert gate.audit.response_to(record)["error"] == "truncated"


def test_an_old_client_can_tell_a_body_that_was_cut_off(gate):
    """HTTP/1.0 knows no chunks: only a reset tells that a connection ended too early."""
    with raw_client.dial(gate.address()) as stream:
        stream.send(f"GET http://{API}/cut-chunks HTTP/1.0\r\nHost: {API}\r\n\r\n".encode())
        with pytest.raises(ConnectionResetError):
            stream.read_to_end()


def test_interim_answers_pass_but_not_without_end(gate, origin):
    def hints(exchange):
        count = int(exchange.request.path.rsplit("/", 1)[-1])
        exchange.send(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * count)
        exchange.reply(200, "at last")

    origin.on("/hints", hints)
    assert curl_status(gate, f"https://{API}/hints/3") == 200
    assert curl_status(gate, f"https://{API}/hints/1000") == 502


def test_an_origin_whose_certificate_is_for_another_name_is_a_502(start_gate, demo, authority):
    from support.origin import Origin

    with Origin(authority, "elsewhere.test") as wrong:
        gate = start_gate(demo(pins={API: wrong.pin}))
        assert curl_status(gate, f"https://{API}/x") == 502
        record = gate.audit.one(event="request", path="/x")
        assert gate.audit.response_to(record)["error"] == "upstream_tls"
        assert not wrong.requests


def test_an_expired_origin_is_a_502(start_gate, demo, authority):
    from support.origin import Origin

    with Origin(authority, API, days=-1) as expired:
        gate = start_gate(demo(pins={API: expired.pin}))
        assert curl_status(gate, f"https://{API}/x") == 502
        assert not expired.requests


def test_an_origin_that_is_not_there_is_a_502(start_gate, demo):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        pin = f"127.0.0.1:{taken.getsockname()[1]}"
    gate = start_gate(demo(pins={API: pin}))
    assert curl_status(gate, f"https://{API}/x") == 502


def test_a_name_that_resolves_to_loopback_is_refused(start_gate, demo, origin):
    gate = start_gate(demo(rules=[{"allow": "localhost.localdomain"}, {"allow": "127.0.0.1"}]))
    # An address that a rule names is open; a name is not, whatever it resolves to.
    status = curl_status(gate, "http://localhost.localdomain/")
    assert status in (403, 502)
    origin.assert_untouched()
