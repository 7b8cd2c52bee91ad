"""Python's requests and urllib, through the explicit proxy and transparently inside a sandbox."""

import json
import textwrap

import pytest

from support.clients import python
from support.denial import assert_denial_body

REQUESTS_GET = """
    import json, requests
    answer = requests.get("{url}", timeout=20)
    print(json.dumps([answer.status_code, answer.text]))
"""
URLLIB_GET = """
    import json, urllib.error, urllib.request
    try:
        answer = urllib.request.urlopen("{url}", timeout=20)
    except urllib.error.HTTPError as error:
        answer = error
    print(json.dumps([answer.status, answer.read().decode()]))
"""
CLIENTS = pytest.mark.parametrize("code", [REQUESTS_GET, URLLIB_GET], ids=["requests", "urllib"])


def explicitly(gate, code):
    return json.loads(python(gate, textwrap.dedent(code)))


def transparently(home, code):
    done = home.run("/usr/bin/python3", "-c", textwrap.dedent(code))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@CLIENTS
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_allowed_url_answers_through_the_proxy(gate, code, scheme):
    status, text = explicitly(gate, code.format(url=f"{scheme}://api.demo.test/a?b=c"))
    assert status == 200
    assert json.loads(text)["target"] == "/a?b=c"


@CLIENTS
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_allowed_url_answers_inside_a_sandbox(make_home, demo, code, scheme):
    home = make_home(demo())
    status, text = transparently(home, code.format(url=f"{scheme}://api.demo.test/a?b=c"))
    assert status == 200
    assert json.loads(text)["target"] == "/a?b=c"


@CLIENTS
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_denied_url_is_a_403_in_words_inside_a_sandbox(make_home, demo, origin, code, scheme):
    home = make_home(demo())
    status, text = transparently(home, code.format(url=f"{scheme}://evil.example/"))
    assert status == 403
    assert_denial_body(text, "host_not_allowed", "evil.example")
    origin.assert_untouched()


def test_a_session_keeps_its_connection_and_posts_bodies(gate, origin):
    code = """
        import requests
        with requests.Session() as session:
            for size in (0, 1, 70_000, 1_000_000):
                answer = session.post("https://api.demo.test/up", data=b"z" * size, timeout=20)
                assert answer.json()["bytes"] == size, answer.text
            def pieces():
                yield b"streamed "
                yield b"pieces"
            answer = session.post("https://api.demo.test/up", data=pieces(), timeout=20)
            assert answer.json()["bytes"] == 15, answer.text
    """
    python(gate, textwrap.dedent(code))
    assert len(origin.requests) == 5
    assert len(origin.connections) == 1


def test_a_redirect_to_a_refused_host_ends_there(gate, origin):
    origin.on("/away", lambda e: e.reply(302, "", [("location", "http://evil.example/")]))
    code = REQUESTS_GET.format(url="https://api.demo.test/away")
    status, text = explicitly(gate, code)
    assert status == 403
    assert_denial_body(text, "host_not_allowed", "evil.example", 80)
