"""`egret check` says what enforcement then does, and which line says so."""

import re

import pytest

from support.clients import curl_status

RULES = [
    {"allow": "paths.demo.test", "paths": ["/repos/*/issues", "/v*/files/**"]},
    {"allow": "verbs.demo.test", "methods": ["GET", "POST"]},
]

TABLE = [
    ("GET", "https://api.demo.test/"),
    ("DELETE", "https://api.demo.test/x?y=z"),
    ("GET", "http://api.demo.test/"),
    ("GET", "http://api.demo.test:8080/"),
    ("TRACE", "https://api.demo.test/"),
    ("GET", "https://API.demo.test./"),
    ("GET", "https://evil.example/"),
    ("GET", "https://demo.test/"),
    ("GET", "https://x.w.test/"),
    ("GET", "https://banned.w.test/"),
    ("GET", "https://w.test/"),
    ("GET", "https://read.demo.test/public/a/b"),
    ("POST", "https://read.demo.test/public/a/b"),
    ("GET", "https://read.demo.test/private"),
    ("GET", "https://read.demo.test/public/%2e%2e/private"),
    ("GET", "https://paths.demo.test/repos/acme/issues"),
    ("GET", "https://paths.demo.test/repos/acme/x/issues"),
    ("GET", "https://paths.demo.test/v2/files/"),
    ("PUT", "https://verbs.demo.test/"),
    ("POST", "https://verbs.demo.test/"),
    ("GET", "https://ports.demo.test/"),
    ("GET", "https://ports.demo.test:8443/"),
    ("GET", "http://93.184.216.34/"),
]  # fmt: skip


def check_says(home, method, url):
    done = home.cli("check", "--sandbox", "web", "--method", method, url)
    assert done.returncode in (0, 1), done.stderr
    words = re.findall(r"\b(allow|deny|denied|refused)", done.stdout.lower())
    assert words, done.stdout
    return "allow" if words[0] == "allow" else "deny", done


@pytest.mark.limit(120)
def test_check_agrees_with_enforcement(start_gate, demo, origin):
    gate = start_gate(demo(rules=RULES))
    wrong = []
    for method, url in TABLE:
        said, _ = check_says(gate.home, method, url)
        before = len(origin.requests)
        status = curl_status(gate, "--path-as-is", "-X", method, url, check=None)
        done = "allow" if len(origin.requests) > before else "deny"
        if said != done or (done == "allow") != (status == 200):
            wrong.append((method, url, f"check: {said}", f"gate: {done} {status}"))
    assert wrong == []


def test_check_names_the_file_and_line_of_the_rule(make_home, demo):
    home = make_home(demo())
    lines = home.config_file.read_text().split("\n")
    for word, url in (
        ("api.demo.test", "https://api.demo.test/"),
        ("banned", "https://banned.w.test/"),
    ):
        line = 1 + next(n for n, text in enumerate(lines) if word in text)
        assert f"egret.yaml:{line}" in check_says(home, "GET", url)[1].stdout


def test_check_says_what_to_write_where_no_rule_matches(make_home, demo):
    _, done = check_says(make_home(demo()), "GET", "https://evil.example/")
    assert "host_not_allowed" in done.stdout and "allow" in done.stdout


@pytest.mark.parametrize("url", ["not a url", "ftp://api.demo.test/", "https://", "https://a..b/"])
def test_a_url_that_cannot_be_one_is_told_apart(make_home, demo, url):
    done = make_home(demo()).cli("check", "--sandbox", "web", url)
    assert done.returncode != 0
    assert done.stderr.strip() or "deny" in done.stdout


def test_check_needs_no_running_gate_and_sends_nothing(make_home, demo, origin):
    check_says(make_home(demo()), "GET", "https://api.demo.test/")
    origin.assert_untouched()
