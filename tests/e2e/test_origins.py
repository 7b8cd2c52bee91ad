"""The test peers themselves, asked directly and without a gate: what they get wrong, no other test
here could tell from a fault of the gate."""

import asyncio
import json
import ssl
import subprocess

import pytest
import requests
import websockets

from support import bulk, raw_client
from support.audit_file import chain_breaks
from support.canary import Canary
from support.git_origin import GitOrigin, git
from support.http1 import Closed
from support.origin_replies import GARBAGE
from support.websocket_origin import WebSocketOrigin


def curl(authority, origin, path, *flags, host="api.demo.test", scheme="https"):
    port = origin.port
    done = subprocess.run(
        ["curl", "-sS", "--max-time", "20", "--cacert", authority.ca_file, "--resolve",
         f"{host}:{port}:127.0.0.1", *flags, f"{scheme}://{host}:{port}{path}"],
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_one_port_speaks_both_http_and_https_and_records_the_exact_head(authority, origin, scheme):
    told = json.loads(curl(authority, origin, "/a/b?c=%2F", "-H", "X-One:  two ", scheme=scheme))
    assert told["target"] == "/a/b?c=%2F"
    assert ["X-One", "two"] in told["headers"]
    assert told["tls"] == (scheme == "https")
    assert told["sni"] == ("api.demo.test" if scheme == "https" else None)
    assert origin.requests[0].head.raw.startswith(b"GET /a/b?c=%2F HTTP/1.1\r\n")
    assert bytes(origin.connections[0].received) == origin.requests[0].head.raw


def test_bodies_go_both_ways_with_checksums(authority, origin):
    sent = b"".join(bulk.blocks(3))
    up = subprocess.run(
        ["curl", "-sS", "--cacert", authority.ca_file, "--resolve", "api.demo.test:%d:127.0.0.1"
         % origin.port, "-T", "-", f"https://api.demo.test:{origin.port}/up"],
        input=sent, capture_output=True, timeout=30,
    )  # fmt: skip
    assert json.loads(up.stdout) == {"sha256": bulk.checksum(3), "bytes": len(sent)}
    assert curl(authority, origin, "/down/3") == sent


def test_chunks_trailers_and_answers_without_a_body(authority, origin):
    with raw_client.dial(("127.0.0.1", origin.port)) as stream:
        answer = raw_client.ask(stream, "GET", "demo.test", "/chunked")
        assert (answer.body, answer.trailers) == (b"one,two,three", [("x-checksum", "123")])
        assert raw_client.ask(stream, "GET", "demo.test", "/status/204").status == 204
        assert raw_client.ask(stream, "GET", "demo.test", "/status/304").status == 304
        assert (
            raw_client.ask(stream, "HEAD", "demo.test", "/fixed/10").get("content-length") == "10"
        )
        assert raw_client.ask(stream, "GET", "demo.test", "/fixed/10").body == b"x" * 10
    assert len(origin.connections) == 1


def test_events_leave_one_by_one(origin):
    with raw_client.dial(("127.0.0.1", origin.port)) as stream:
        stream.send(raw_client.request_bytes("GET", "demo.test", "/sse"))
        stream.read_until(b"\r\n\r\n")
        for number in range(5):
            origin.events.put(b"%d" % number)
            assert stream.read_until(b"\n\n") == b"data: %d\n\n" % number
        origin.events.put(None)
        assert stream.at_end()


def test_expectations_are_answered_before_the_body(origin):
    fields = ["Content-Length: 4", "Expect: 100-continue"]
    with raw_client.dial(("127.0.0.1", origin.port)) as stream:
        stream.send(raw_client.request_bytes("PUT", "demo.test", "/expect", fields))
        assert stream.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        stream.send(b"data")
        assert json.loads(raw_client.read_response(stream).body)["bytes"] == 4
    with raw_client.dial(("127.0.0.1", origin.port)) as stream:
        answer = raw_client.ask(stream, "PUT", "demo.test", "/refuse-expect", fields)
        assert answer.status == 417 and stream.at_end()


def test_early_ends_are_ends(authority, origin):
    with pytest.raises(Closed):
        with raw_client.dial(("127.0.0.1", origin.port)) as stream:
            raw_client.ask(stream, "GET", "demo.test", "/close-early")
    assert curl(authority, origin, "/close-delimited") == b"until the end"
    for kind, raw in GARBAGE.items():
        with raw_client.dial(("127.0.0.1", origin.port)) as stream:
            stream.send(raw_client.request_bytes("GET", "demo.test", f"/garbage/{kind}"))
            assert stream.read_to_end() == raw


def test_the_basic_challenge_and_every_reflection(authority, origin):
    login = ["-u", "me:token-1"]
    assert curl(authority, origin, "/basic", *login) == b"welcome\n"
    assert curl(authority, origin, "/basic") == b"who?\n"
    assert b"[token-1]" in curl(authority, origin, "/reflect/body", *login)
    assert b"x-echo: token=token-1;" in curl(authority, origin, "/reflect/header", "-i", *login)
    assert b"key=token-1" in curl(authority, origin, "/reflect/location", "-i", *login)
    assert b"[token-1]" in curl(authority, origin, "/reflect/chunks/3", *login)


def test_a_name_that_the_certificate_lacks_is_seen_by_the_client(authority, origin):
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    with pytest.raises(ssl.SSLCertVerificationError):
        raw_client.start_tls(
            raw_client.dial(("127.0.0.1", origin.port)), "evil.test", None, context
        )
    origin.wait_for(lambda o: o.connections[0].sni == "evil.test")
    assert not origin.requests


def test_python_requests_reach_the_origin(authority, origin):
    # Its own name is not resolvable here, so ask by address with a certificate for the address.
    with type(origin)(authority, "127.0.0.1") as by_address:
        url = f"https://127.0.0.1:{by_address.port}/x"
        assert requests.get(url, verify=authority.ca_file, timeout=10).json()["method"] == "GET"


def test_the_websocket_origin_echoes(authority):
    async def talk(port):
        context = ssl.create_default_context(cafile=str(authority.ca_file))
        uri = f"wss://ws.demo.test:{port}/x"
        async with websockets.connect(
            uri, ssl=context, host="127.0.0.1", port=port, server_hostname="ws.demo.test"
        ) as socket:
            await socket.send("hello")
            return await asyncio.wait_for(socket.recv(), 10)

    with WebSocketOrigin(authority) as origin:
        assert asyncio.run(talk(origin.port)) == "hello"
        assert origin.messages == ["hello"] and origin.handshakes[0][0] == "/x"


def test_the_git_origin_serves_clone_and_push_to_the_right_token_only(authority, directory):
    with GitOrigin(directory / "git", authority, token="token-2") as origin:
        trust = {"GIT_SSL_CAINFO": str(authority.ca_file)}
        pin = ["-c", f"http.curloptResolve=git.demo.test:{origin.port}:127.0.0.1"]
        url = f"https://x-access-token:%s@git.demo.test:{origin.port}/demo.git"
        wrong = git(
            *pin, "clone", url % "wrong", "w", cwd=directory, environment=trust, check=False
        )
        assert wrong.returncode != 0 and "Authentication failed" in wrong.stderr
        git(*pin, "clone", url % "token-2", "c", cwd=directory, environment=trust)
        (directory / "c" / "new.txt").write_text("x" * 300_000)
        git("add", ".", cwd=directory / "c")
        git("commit", "-qm", "second", cwd=directory / "c")
        git(*pin, "push", "origin", "main", cwd=directory / "c", environment=trust)
        assert origin.log_of() == ["second", "first"]
        assert "POST /demo.git/git-receive-pack 200 x-access-token" in origin.access_log()


def test_the_search_for_a_canary_finds_every_form():
    canary = Canary()
    for form, data in canary.forms():
        with pytest.raises(AssertionError, match="real secret"):
            canary.assert_absent(place=b"before" + data + b"after")
    canary.assert_absent(place=Canary().value)


def test_the_check_of_the_chain_finds_a_changed_line():
    import hashlib

    lines = ['{"seq":1,"prev":"%s"}' % ("0" * 64)]
    for seq in (2, 3):
        lines.append(
            '{"seq":%d,"prev":"%s"}' % (seq, hashlib.sha256(lines[-1].encode()).hexdigest())
        )
    assert chain_breaks(lines) == []
    assert chain_breaks([lines[0], lines[2]])[0] == (2, "prev is not the hash of the previous line")
    changed = [lines[0].replace("0000", "0001", 1), *lines[1:]]
    assert [number for number, _ in chain_breaks(changed)] == [1, 2]
