"""nghttp and h2load inside a sandbox: a client that offers HTTP/2 and nothing else, and many
streams on a few connections."""

import re

import pytest

HOSTS = pytest.mark.parametrize("host", ["api.demo.test", "h2.demo.test"])


def ran(home, *command):
    done = home.run(*command)
    assert done.returncode == 0, done.stderr
    return done.stdout


@HOSTS
def test_nghttp_gets_its_answer(client_home, origin, host):
    text = ran(client_home, "nghttp", "-v", f"https://{host}/fixed/3000")
    assert "negotiated protocol: h2" in text and ":status: 200" in text
    assert "x" * 3000 in text
    assert client_home.audit.one(path="/fixed/3000")["request"]["version"] == "2"


@HOSTS
def test_nghttp_sends_a_body(client_home, origin, host):
    (client_home.work / "body.bin").write_bytes(b"0123456789" * 30_000)
    ran(client_home, "nghttp", "-d", "body.bin", f"https://{host}/up")
    assert origin.requests[0].body_bytes == 300_000


def test_nghttp_reads_why_a_host_is_refused(client_home, origin):
    text = ran(client_home, "nghttp", "-v", "https://evil.example/")
    assert ":status: 403" in text and '"reason":"host_not_allowed"' in text
    origin.assert_untouched()


@HOSTS
def test_h2load_gets_every_answer_of_many_streams(client_home, origin, host):
    text = ran(client_home, "h2load", "-n", "400", "-c", "4", "-m", "20",
               f"https://{host}/fixed/2000")  # fmt: skip
    assert "Application protocol: h2" in text
    told = re.search(r"requests: (.*)", text)[1]
    assert told.startswith("400 total, 400 started, 400 done, 400 succeeded, 0 failed"), told
    assert len(origin.requests) == 400


def test_h2load_gets_every_refusal(client_home, origin):
    text = ran(client_home, "h2load", "-n", "100", "-c", "2", "-m", "10", "https://evil.example/")
    assert "status codes: 0 2xx, 0 3xx, 100 4xx, 0 5xx" in text, text
    origin.assert_untouched()
