"""node's http2 module, and its fetch (undici) at an HTTP/2 origin, inside a sandbox; more of fetch
is in test_node.py."""

import json

import pytest

from support.denial import assert_denial_body

SESSION = """
const http2 = require('http2');
const [origin, count] = process.argv.slice(1);
const session = http2.connect(origin);
session.on('error', error => { console.error(error); process.exit(3); });
const ask = (path, token) => new Promise((resolve, reject) => {
  const stream = session.request({':path': path,
    ...(token ? {authorization: 'Bearer ' + process.env[token]} : {})});
  let status, text = '';
  stream.on('response', head => { status = head[':status']; });
  stream.on('data', piece => { text += piece; });
  stream.on('end', () => resolve([status, text]));
  stream.on('error', reject);
});
(async () => {
  const first = await ask('/x', origin.includes('demo') ? 'DEMO_TOKEN' : undefined);
  const sizes = [...Array(Number(count)).keys()];
  const rest = await Promise.all(sizes.map(size => ask('/fixed/' + size)));
  session.close();
  console.log(JSON.stringify([session.alpnProtocol, ...first, rest.map(r => r[1].length)]));
})();
"""

UPLOAD = """
const http2 = require('http2');
const session = http2.connect(process.argv[1]);
const stream = session.request({':path': '/up', ':method': 'POST'});
let left = 64, text = '';
const send = () => {
  while (left-- > 0) if (!stream.write(Buffer.alloc(65536, 'z'))) return stream.once('drain', send);
  stream.end();
};
send();
stream.on('data', piece => { text += piece; });
stream.on('end', () => { session.close(); console.log(text); });
"""

CANCEL = """
const http2 = require('http2');
const session = http2.connect(process.argv[1]);
const stream = session.request({':path': '/held'});
stream.on('error', () => {});
session.request({':path': '/held-arrived'}).resume().on('end',
    () => stream.close(http2.constants.NGHTTP2_CANCEL));
stream.on('close', () => {
  const next = session.request({':path': '/fixed/5'});
  let text = '';
  next.on('data', piece => { text += piece; });
  next.on('end', () => { session.close(); console.log(JSON.stringify([stream.rstCode, text])); });
});
"""

FETCH = """
const headers = {authorization: 'Bearer ' + process.env.DEMO_TOKEN};
fetch(process.argv[1], {headers, method: 'POST', body: 'z'.repeat(200000)})
  .then(async answer => console.log(JSON.stringify([answer.status, await answer.json()])));
"""

HOSTS = pytest.mark.parametrize("host", ["api.demo.test", "h2.demo.test"])


def node(home, code, *arguments):
    done = home.run("node", "-e", code, "--", *arguments, seconds=15)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@HOSTS
def test_http2_asks_many_things_on_one_connection(client_home, origin, canary, host):
    protocol, status, text, sizes = node(client_home, SESSION, f"https://{host}", "40")
    assert (protocol, status, sizes) == ("h2", 200, list(range(40)))
    assert json.loads(text)["target"] == "/x"
    assert origin.requests[0].get("authorization") == f"Bearer {canary.value}"
    records = client_home.audit.wait_for(41, event="request", host=host)
    assert len({record["connection"] for record in records}) == 1


def test_http2_reads_why_a_host_is_refused(client_home, origin):
    protocol, status, text, _ = node(client_home, SESSION, "https://evil.example", "3")
    assert (protocol, status) == ("h2", 403)
    assert_denial_body(text, "host_not_allowed", "evil.example", 443)
    origin.assert_untouched()


@HOSTS
def test_http2_sends_a_body_of_some_mib(client_home, host):
    assert node(client_home, UPLOAD, f"https://{host}")["bytes"] == 64 << 16


@HOSTS
def test_a_cancelled_stream_ends_its_exchange_and_no_other(client_home, origin, host):
    """The connection ends too, although the origin still holds its answer back."""

    def once_held(exchange):
        origin.wait_for(lambda seen: "GET /held" in seen.targets())
        exchange.reply(200, "it is there")

    origin.on("/held-arrived", once_held)
    assert node(client_home, CANCEL, f"https://{host}") == [8, "xxxxx"]
    held = client_home.audit.one(event="request", path="/held")
    assert client_home.audit.response_to(held)["error"] == "client_gone"


def test_fetch_reaches_an_http2_origin(client_home, origin, canary):
    status, told = node(client_home, FETCH, "https://h2.demo.test/x")
    assert (status, told["body_bytes"]) == (200, 200_000)
    assert origin.requests[0].get("authorization") == f"Bearer {canary.value}"
    assert origin.requests[0].get("x-protocol") == "HTTP/2.0"
