"""node's fetch inside a sandbox: it knows no proxy variables, so only transparent capture helps."""

import json

import pytest

from support.denial import assert_denial_body

FETCH = """
const [url, token] = process.argv.slice(1);
const headers = token ? {authorization: 'Bearer ' + process.env[token]} : {};
fetch(url, {headers})
  .then(async answer => console.log(JSON.stringify([answer.status, await answer.text()])))
  .catch(error => { console.error(error, error.cause); process.exit(3); });
"""

SSE = """
fetch('https://api.demo.test/ticks/5').then(async answer => {
  const decoder = new TextDecoder();
  let text = '';
  for await (const piece of answer.body) text += decoder.decode(piece);
  console.log(JSON.stringify(text));
});
"""


def node(home, code, *arguments):
    done = home.run("node", "-e", code, "--", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_fetch_reaches_an_allowed_host(make_home, demo, scheme):
    status, text = node(make_home(demo()), FETCH, f"{scheme}://api.demo.test/x")
    told = json.loads(text)
    assert status == 200 and told["target"] == "/x" and told["tls"] == (scheme == "https")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_fetch_reads_why_a_host_is_refused(make_home, demo, origin, scheme):
    status, text = node(make_home(demo()), FETCH, f"{scheme}://evil.example/x")
    assert status == 403
    assert_denial_body(text, "host_not_allowed", "evil.example")
    origin.assert_untouched()


def test_fetch_sends_the_real_token_and_sees_the_placeholder(make_home, demo, origin, canary):
    home = make_home(demo(secrets=["DEMO_TOKEN"]), {"DEMO_REAL": canary.value}, [canary])
    status, text = node(home, FETCH, "https://api.demo.test/reflect/body", "DEMO_TOKEN")
    assert status == 200 and "egret" in text
    assert origin.requests[0].get("authorization") == f"Bearer {canary.value}"


def test_fetch_streams_events(make_home, demo):
    text = node(make_home(demo()), SSE)
    assert text == "".join(f"data: {number}\n\n" for number in range(5))
