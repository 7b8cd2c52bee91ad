"""Chromium inside a sandbox: a page over HTTP/2 that fetches, streams events and talks over a
WebSocket of the same host."""

import html
import json
import re
import threading

import pytest

from support.nginx import Http2Origin
from support.websocket_origin import WebSocketOrigin

# The page's load event, and so what --dump-dom prints, waits for /last.gif.
PAGE = """<!DOCTYPE html><title>e2e</title><pre id="seen"></pre><img src="/last.gif"><script>
const seen = {};
const socket = () => new Promise((resolve, reject) => {
  const line = new WebSocket('wss://' + location.host + '/socket');
  const heard = [];
  line.onopen = () => { line.send('hello'); line.send(new Uint8Array(100000)); };
  line.onmessage = event => {
    heard.push(typeof event.data == 'string' ? event.data : event.data.size);
    if (heard.length == 2) line.send('close');
  };
  line.onclose = event => resolve([...heard, event.code]);
});
const events = () => new Promise(resolve => {
  const heard = [];
  const source = new EventSource('/ticks/5');
  source.onmessage = event => { heard.push(event.data); };
  source.onerror = () => { source.close(); resolve(heard); };
});
(async () => {
  seen.protocol = performance.getEntriesByType('navigation')[0].nextHopProtocol;
  seen.sizes = await Promise.all([...Array(20).keys()].map(
      async size => (await (await fetch('/fixed/' + size)).text()).length));
  const up = await fetch('/up', {method: 'POST', body: new Uint8Array(300000)});
  seen.up = (await up.json()).bytes;
  seen.events = await events();
  seen.socket = await socket();
  seen.denied = await fetch('https://evil.example/').then(() => 'reached', () => 'blocked');
})().catch(error => { seen.error = String(error); }).then(async () => {
  document.getElementById('seen').textContent = JSON.stringify(seen);
  await fetch('/done');
});
</script>
"""

SOCKET = """
    location /socket {{
      proxy_pass https://127.0.0.1:{port};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }}
"""

# Chromium trusts its own roots and those of the user's NSS database.
SCRIPT = """
  set -e
  export HOME="$PWD/own"
  mkdir -p "$HOME/.pki/nssdb"
  awk '/BEGIN CERT/ {text = ""} {text = text $0 "\\n"} END {printf "%s", text}' \\
    "$SSL_CERT_FILE" > own/gate.pem
  certutil -d "sql:$HOME/.pki/nssdb" -N --empty-password
  certutil -d "sql:$HOME/.pki/nssdb" -A -t C,, -n gate -i own/gate.pem
  exec chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \\
    --user-data-dir="$HOME/profile" --timeout=60000 --dump-dom "$1"
"""


@pytest.mark.limit(120)
def test_a_page_over_http2_with_a_websocket(make_home, demo, directory, authority, origin):
    done_asking = threading.Event()

    def finished(exchange):
        done_asking.set()
        exchange.reply(200, "thanks")

    def last(exchange):
        done_asking.wait(60)
        exchange.reply(404, "no picture")

    origin.on("/page", lambda exchange: exchange.reply(200, PAGE, content_type="text/html"))
    origin.on("/done", finished)
    origin.on("/last.gif", last)
    with WebSocketOrigin(authority, "web.demo.test") as server:
        socket = SOCKET.format(port=server.port)
        with Http2Origin(directory / "nginx", authority, origin, more=socket) as front:
            home = make_home(
                demo(rules=[{"allow": "web.demo.test"}], pins={"web.demo.test": front.pin})
            )
            done = home.run("sh", "-c", SCRIPT, "sh", "https://web.demo.test/page", seconds=100)
    assert done.returncode == 0, done.stderr
    told = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout)
    assert told and told[1], done.stdout + done.stderr
    assert json.loads(html.unescape(told[1])) == {
        "protocol": "h2",
        "sizes": list(range(20)),
        "up": 300_000,
        "events": ["0", "1", "2", "3", "4"],
        "socket": ["hello", 100_000, 4001],
        "denied": "blocked",  # by its missing CORS header: pages cannot read a refusal
    }
    home.audit.wait_for(event="request", decision="deny", host="evil.example")
    # Where the connection to the page's host is HTTP/2, the WebSocket is a stream of it (RFC 8441).
    page = home.audit.one(event="request", path="/page")
    relayed = home.audit.one(event="request", path="/socket")
    assert relayed["request"]["version"] == page["request"]["version"] == "2"
    assert relayed["connection"] == page["connection"]
