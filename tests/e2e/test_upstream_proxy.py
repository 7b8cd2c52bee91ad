"""Origins behind an upstream HTTP proxy (`origins.via`): it is asked for the canonical name only
after the gate's own checks, it sees no byte of what TLS protects, and nobody sees its credentials."""

import base64
import json

import pytest

from support import raw_client
from support.canary import Canary
from support.clients import curl, curl_status
from support.fetching import Fetching, pub_test_config
from support.forward_proxy import ForwardProxy
from support.internet import Internet
from support.origin import Origin
from support.pki import TestAuthority
from support.tcp_origin import TcpOrigin
from support.websocket_origin import WebSocketOrigin

from test_websocket import upgrade_fields

API = "api.demo.test"
PLAIN = "plain.demo.test"
CORP = "proxy.corp.example"


@pytest.fixture
def password():
    """Found in any artefact, it fails the test. Its Base64 is searched at each alignment."""
    return Canary(prefix="Corp-", length=32)


@pytest.fixture
def proxy(origin, password):
    with ForwardProxy(("127.0.0.1", origin.port), password=password.value) as running:
        yield running


@pytest.fixture
def behind(demo, proxy):
    """behind(**origins) → the usual config, its origins reached through `proxy`."""

    def config(bypass=None, via=None, **more):
        made = demo(**more)
        made["origins"]["via"] = via or proxy.url()
        if bypass:
            made["origins"]["bypass"] = bypass
        return made

    return config


@pytest.fixture
def corp_gate(start_gate, behind, password):
    return start_gate(behind(), canaries=[password])


def get(gate, url, check=0):
    done = curl(gate, "-w", "\n%{http_code}", url, check=check)
    body, _, status = done.stdout.decode().rpartition("\n")
    return int(status), body


# --- what the proxy sees


def test_an_https_origin_is_reached_by_connect_for_its_canonical_name(corp_gate, origin, proxy):
    assert curl_status(corp_gate, f"https://{API.upper()}/one") == 200
    (asked,) = proxy.asked
    assert asked.line == f"CONNECT {API}:443 HTTP/1.1"
    assert asked.head.all("host") == [f"{API}:443"]
    assert [name.lower() for name, _ in asked.head.fields] == ["host", "proxy-authorization"]
    (request,) = origin.requests
    assert (request.target, request.sni, request.tls) == ("/one", API, True)
    assert request.get("proxy-authorization") is None
    record = corp_gate.audit.one(event="request", decision="allow")
    assert record["target"]["host"] == API
    assert record["target"]["address"] == proxy.address, "the address that was dialled"
    assert corp_gate.audit.response_to(record)["address"] == proxy.address


def test_the_proxy_never_sees_a_secret_nor_anything_else_that_tls_protects(
    start_gate, behind, origin, proxy, canary, password
):
    gate = start_gate(behind(secrets=["DEMO_TOKEN"]), {"DEMO_REAL": canary.value},
                      [canary, password])  # fmt: skip
    token = gate.client_environment()["DEMO_TOKEN"]
    with raw_client.tunnel(gate.address(), API, gate.ca_file()) as stream:
        answer = raw_client.ask(stream, "GET", API, "/private", [f"Authorization: Bearer {token}"])
    assert answer.status == 200
    assert origin.requests[0].get("authorization") == f"Bearer {canary.value}"
    canary.assert_absent(proxy=bytes(proxy.passed))
    assert b"/private" not in proxy.passed and token.encode() not in proxy.passed


def test_plain_http_is_asked_of_the_proxy_in_absolute_form_with_credentials_on_each(
    corp_gate, origin, proxy
):
    with raw_client.dial(corp_gate.address()) as stream:
        for path in ("/a?b=c", "/d"):
            answer = raw_client.ask(stream, "GET", PLAIN, f"http://{PLAIN}{path}")
            assert answer.status == 200
        answer = raw_client.ask(stream, "POST", PLAIN, f"http://{PLAIN}/up",
                                ["Content-Length: 5"], b"hello")  # fmt: skip
        assert json.loads(answer.body)["bytes"] == 5
    assert proxy.lines() == [
        f"GET http://{PLAIN}/a?b=c HTTP/1.1",
        f"GET http://{PLAIN}/d HTTP/1.1",
        f"POST http://{PLAIN}/up HTTP/1.1",
    ]
    assert {asked.connection for asked in proxy.asked} == {0}, "one connection, kept"
    assert all(len(asked.head.all("proxy-authorization")) == 1 for asked in proxy.asked)
    assert [r.get("proxy-authorization") for r in origin.requests] == [None] * 3
    for record in corp_gate.audit.wait_for(3, event="request"):
        assert record["target"]["address"] == proxy.address


def test_a_client_cannot_choose_the_credentials_that_the_proxy_gets(corp_gate, proxy):
    own = "Basic " + base64.b64encode(b"other:password").decode()
    with raw_client.dial(corp_gate.address()) as stream:
        fields = [f"Proxy-Authorization: {own}"]
        raw_client.ask(stream, "GET", PLAIN, f"http://{PLAIN}/", fields)
    (asked,) = proxy.asked
    (sent,) = asked.head.all("proxy-authorization")
    assert sent != own


def test_options_for_the_whole_server_has_no_path_in_absolute_form(corp_gate, proxy):
    stream, _ = raw_client.connect(corp_gate.address(), f"{PLAIN}:80")
    with stream:
        raw_client.ask(stream, "OPTIONS", PLAIN, "*")
    assert proxy.lines() == [f"OPTIONS http://{PLAIN} HTTP/1.1"]


# --- through the tunnel


def test_an_http2_origin_is_agreed_on_through_the_proxy(
    start_gate, behind, proxy, http2_origin, password
):
    proxy.origin = ("127.0.0.1", http2_origin.port)
    gate = start_gate(behind(), canaries=[password])
    for path in ("/one", "/two"):
        assert curl_status(gate, f"https://{API}{path}") == 200
    assert http2_origin.protocols() == ["HTTP/2.0", "HTTP/2.0"]
    assert proxy.lines() == [f"CONNECT {API}:443 HTTP/1.1"] * len(proxy.asked)


@pytest.mark.parametrize("scheme, port", [("ws", 80), ("wss", 443)])
def test_a_websocket_goes_through_a_tunnel_also_without_tls(
    start_gate, behind, authority, password, scheme, port
):
    """A proxy that is asked in absolute form would not pass the upgrade on (RFC 6455 4.1)."""
    with WebSocketOrigin(authority, tls=scheme == "wss") as origin:
        with ForwardProxy(("127.0.0.1", origin.port), password=password.value) as proxy:
            gate = start_gate(behind(via=proxy.url()), canaries=[password])
            host = "ws.demo.test"
            target = "/echo"
            if scheme == "wss":
                stream = raw_client.tunnel(gate.address(), host, gate.ca_file())
            else:
                stream, target = raw_client.dial(gate.address()), f"http://{host}/echo"
            with stream:
                stream.send(raw_client.request_bytes("GET", host, target, upgrade_fields()))
                assert stream.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
            assert proxy.lines() == [f"CONNECT {host}:{port} HTTP/1.1"]


def test_a_server_that_speaks_first_is_heard_through_two_tunnels(
    start_gate, behind, password, proxy
):
    greeting = b"SSH-2.0-demo\r\n"
    proxy.behind = greeting  # in one piece with the proxy's own answer
    with TcpOrigin() as origin:
        proxy.origin = ("127.0.0.1", origin.port)
        rules = [{"allow": "raw.demo.test", "tunnel": True, "ports": [22]}]
        gate = start_gate(behind(rules=rules), canaries=[password])
        stream, response = raw_client.connect(gate.address(), "raw.demo.test:22")
        with stream:
            assert response.status == 200
            assert stream.read_exact(len(greeting)) == greeting
            stream.send(b"hello")
            assert stream.read_exact(5) == b"hello"
        begin, end = gate.audit.wait_for(2, event="connection")
    assert proxy.lines() == ["CONNECT raw.demo.test:22 HTTP/1.1"]
    assert begin["target"]["address"] == proxy.address
    assert end["bytes"] == {"up": 5, "down": 5 + len(greeting)}


def test_a_proxy_that_intercepts_tls_itself_is_not_believed(
    start_gate, behind, password, directory
):
    (directory / "corp").mkdir()
    with Origin(TestAuthority(directory / "corp", "Corp"), API) as other:
        with ForwardProxy(("127.0.0.1", other.port), password=password.value) as proxy:
            gate = start_gate(behind(via=proxy.url()), canaries=[password])
            status, body = get(gate, f"https://{API}/")
            assert (status, json.loads(body)["reason"]) == (502, "upstream_tls")
            assert other.requests == []


# --- past the proxy


@pytest.mark.parametrize("pattern", [API, "*.demo.test", "127.0.0.0/8", "127.0.0.1"])
def test_what_the_bypass_list_covers_is_reached_straight(
    start_gate, behind, origin, proxy, password, pattern
):
    gate = start_gate(behind(bypass=[pattern]), canaries=[password])
    assert curl_status(gate, f"https://{API}/") == 200
    assert proxy.asked == []
    record = gate.audit.one(event="request", decision="allow")
    assert record["target"]["address"] == "127.0.0.1"


def test_what_the_bypass_list_does_not_cover_goes_through(start_gate, behind, proxy, password):
    gate = start_gate(behind(bypass=["other.demo.test", "10.0.0.0/8"]), canaries=[password])
    assert curl_status(gate, f"https://{API}/") == 200
    assert proxy.lines() == [f"CONNECT {API}:443 HTTP/1.1"]


# --- decided before the proxy is asked


def test_a_denied_request_asks_the_proxy_nothing(corp_gate, origin, proxy):
    assert curl_status(corp_gate, "https://evil.example/", check=None) == 403
    assert curl_status(corp_gate, "http://evil.example/", check=None) == 403
    assert proxy.asked == []
    origin.assert_untouched()


@pytest.fixture
def corp_fetch(start_fetching, internet, dns, origin_of_pub, password):
    """A gate on a machine with DNS, whose proxy is known by its name and has a private address."""
    listener = internet.world.bound(Internet.PRIVATE, 3128)
    proxy = ForwardProxy(("127.0.0.1", origin_of_pub.port), password=password.value,
                         address=Internet.PRIVATE, listener=listener)  # fmt: skip
    with proxy:
        dns.has(CORP, Internet.PRIVATE)
        fetch = start_fetching(via=proxy.url(CORP))
        fetch.gate.home.canaries.append(password)
        yield fetch, proxy


@pytest.fixture
def origin_of_pub(authority):
    with Origin(authority, "*.pub.test") as running:
        yield running


def test_the_proxys_own_name_and_private_address_need_no_rule(
    corp_fetch, dns, world, origin_of_pub
):
    fetch, proxy = corp_fetch
    dns.has("good.pub.test", Internet.A)
    assert fetch("good.pub.test").status == 200
    assert proxy.lines() == ["CONNECT good.pub.test:443 HTTP/1.1"]
    assert [r.sni for r in origin_of_pub.requests] == ["good.pub.test"]
    world.assert_untouched()
    assert "address" not in fetch.record("good.pub.test")["target"], "not known yet"
    assert fetch.end("good.pub.test")["address"] == Internet.PRIVATE


def test_a_name_with_a_forbidden_address_is_refused_and_the_proxy_is_not_asked(corp_fetch, dns):
    fetch, proxy = corp_fetch
    dns.has("bad.pub.test", Internet.A, Internet.PRIVATE)
    dns.has("metadata.pub.test", Internet.METADATA)
    for name in ("bad.pub.test", "metadata.pub.test"):
        got = fetch(name)
        assert (got.status, got.reason) == (403, "addr_forbidden")
    assert fetch("nowhere.pub.test").reason == "dns_failed"
    assert proxy.asked == []


def test_a_proxy_that_is_the_gate_itself_is_refused_at_the_start(
    make_home, internet, dns, authority
):
    for listen, via in (("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"),
                        ("0.0.0.0", Internet.OWN)):  # fmt: skip
        own = [{"address": f"{listen}:3128", "sandbox": "web"}]
        home = make_home(pub_test_config(authority, own, via=f"http://me:to-hide@{via}:3128"))
        home.within = internet.machine.entering(home.work)
        done = home.cli("serve", check=2)
        assert f"origins.via is this gate itself, which listens on {via}:3128" in done.stderr
        assert "to-hide" not in done.stderr


def test_a_proxys_name_that_leads_to_the_gate_itself_is_a_loop(
    start_gate, make_home, internet, dns, authority
):
    own = [{"address": "127.0.0.1:3128", "sandbox": "web"}]
    home = make_home(pub_test_config(authority, own, via=f"http://{CORP}:3128"))
    home.within = internet.machine.entering(home.work)
    dns.has(CORP, "127.0.0.1")
    dns.has("good.pub.test", Internet.A)
    got = Fetching(start_gate(home=home))("good.pub.test")
    assert (got.status, got.reason) == (508, "loop")
    assert "origins.via" in got.body["hint"]


# --- a proxy that does not do its work

FAULTS = {
    "unavailable": (b"HTTP/1.1 503 Oh\r\nContent-Length: 2\r\n\r\nno", 502, "upstream_unreachable",
                    "status 503"),
    "too slow for the origin": (b"HTTP/1.1 504 Oh\r\n\r\n", 504, "upstream_timeout", "status 504"),
    "no HTTP": (b"220 corp ESMTP\r\n\r\n", 502, "upstream_unreachable", "not valid HTTP"),
    "cut": (b"HTTP/1.1 200 Conn", 502, "upstream_unreachable", "ended the connection"),
    "silent end": (b"", 502, "upstream_unreachable", "ended the connection"),
    "bytes behind": (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 502,
                     "upstream_unreachable", "behind its answer"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_proxy_that_opens_no_tunnel_is_named_in_clear_words(corp_gate, origin, proxy, fault):
    proxy.instead, expected, reason, says = FAULTS[fault]
    status, body = get(corp_gate, f"https://{API}/")
    told = json.loads(body)
    assert (status, told["reason"]) == (expected, reason), told
    assert says in told["hint"] and "origins.via" in told["hint"]
    origin.assert_untouched()
    record = corp_gate.audit.one(event="request", decision="allow")
    end = corp_gate.audit.response_to(record)
    assert (end["status"], end["error"]) == (expected, reason)


@pytest.mark.parametrize("url", [f"https://{API}/", f"http://{PLAIN}/"])
def test_wrong_credentials_are_the_gates_fault_and_not_the_clients(
    start_gate, behind, origin, proxy, password, url
):
    wrong = proxy.url().replace("corp-user", "nobody")
    gate = start_gate(behind(via=wrong), canaries=[password])
    status, body = get(gate, url)
    told = json.loads(body)
    assert (status, told["reason"]) == (502, "upstream_unreachable")
    assert "(407)" in told["hint"] and "origins.via" in told["hint"]
    origin.assert_untouched()


@pytest.mark.parametrize("url", [f"https://{API}/", f"http://{PLAIN}/"])
def test_a_proxy_that_nobody_runs_is_named(start_gate, behind, origin, password, url):
    with ForwardProxy(("127.0.0.1", origin.port)) as dead:
        via = dead.url()
    gate = start_gate(behind(via=via), canaries=[password])
    status, body = get(gate, url)
    told = json.loads(body)
    assert (status, told["reason"]) == (502, "upstream_unreachable")
    assert "origins.via" in told["hint"]
    origin.assert_untouched()


# --- the configuration


def test_the_credentials_stand_in_no_output(make_home, behind, proxy, password):
    home = make_home(behind(bypass=["*.in.example"]), canaries=[password])
    shown = home.cli("config show", check=0).stdout
    assert f"http://{proxy.address}:{proxy.port} with credentials" in shown
    assert "*.in.example" in shown and "corp-user" not in shown
    home.cli("config check", check=0)
    text = home.config_file.read_text()
    home.write_config(text.replace(f":{proxy.port}", "", 1))
    wrong = home.cli("config check", check=2)
    assert "`via` names no port" in wrong.stderr + wrong.stdout
    home.write_config(text.replace('"http://', '"socks5://', 1))
    home.cli("config check", check=2)


def test_another_proxy_takes_effect_at_the_next_start_only(
    start_gate, behind, origin, proxy, password
):
    gate = start_gate(behind(), canaries=[password])
    with ForwardProxy(("127.0.0.1", origin.port), address="127.0.0.6") as other:
        gate.home.write_config(behind(via=other.url(), bypass=["x.demo.test"]))
        gate.home.cli("reload", check=0)
        gate.wait_stderr("next start only: origins.via, origins.bypass")
        assert curl_status(gate, f"https://{API}/") == 200
        assert other.asked == [] and len(proxy.asked) == 1


def test_a_reload_that_keeps_the_proxy_says_nothing(start_gate, behind, password):
    gate = start_gate(behind(), canaries=[password])
    gate.home.cli("reload", check=0)
    gate.wait_stderr("egret: reloaded")
    gate.home.cli("status", check=0)
    assert "next start only" not in gate.stderr()


def test_egret_run_goes_through_the_proxy_too(make_home, behind, origin, proxy, password):
    home = make_home(behind(), canaries=[password])
    done = home.run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", f"https://{API}/")
    assert done.stdout == "200", done.stderr
    assert proxy.lines() == [f"CONNECT {API}:443 HTTP/1.1"]
