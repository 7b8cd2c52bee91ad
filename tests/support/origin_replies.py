"""What the recording origin answers, by path. Each reply takes an Exchange (origin.py); arguments
stand in the path: /fixed/1024, /status/204, /reflect/chunks/3."""

import base64
import json
import threading

from support import bulk


def describe(exchange):
    """Any path that is not listed: the request as JSON."""
    exchange.read_body()
    request = exchange.request
    text = json.dumps(
        {
            "method": request.method,
            "target": request.target,
            "headers": request.head.fields,
            "sni": request.sni,
            "tls": request.tls,
            "body_bytes": request.body_bytes,
            "body_sha256": request.body_sha256,
            "trailers": request.trailers,
        }
    )
    exchange.reply(200, text, content_type="application/json")


def _argument(exchange, default=None):
    last = exchange.request.path.rsplit("/", 1)[-1]
    return last if last.isdigit() else default


def fixed(exchange):
    exchange.reply(200, b"x" * int(_argument(exchange, 0)))


def status(exchange):
    code = int(_argument(exchange, 200))
    if code in (204, 304):
        exchange.head(code, [("etag", '"tag"')], reason="No body")
    else:
        exchange.reply(code, f"status {code}\n")


def chunked(exchange):
    """Three chunks and a trailer."""
    exchange.head(200, [("transfer-encoding", "chunked"), ("trailer", "x-checksum")])
    for piece in (b"one,", b"two,", b"three"):
        exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    exchange.send(b"0\r\nx-checksum: 123\r\n\r\n")


def events(exchange):
    """Server-sent events, each sent when the test puts it into origin.events."""
    exchange.head(200, [("content-type", "text/event-stream"), ("cache-control", "no-cache")])
    exchange.close_after()
    while (event := exchange.origin.events.get()) is not None:
        exchange.send(b"data: %s\n\n" % event)


def ticks(exchange):
    """N server-sent events, one every 50 ms, then the end of a chunked body."""
    exchange.head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])
    clock = threading.Event()
    for number in range(int(_argument(exchange, 20))):
        event = b"data: %d\n\n" % number
        exchange.send(b"%x\r\n%s\r\n" % (len(event), event))
        clock.wait(0.05)
    exchange.send(b"0\r\n\r\n")


def down(exchange):
    """N MiB, the same every time (bulk.blocks)."""
    mib = int(_argument(exchange, 1))
    exchange.head(200, [("content-length", mib * bulk.MIB)])
    for block in bulk.blocks(mib):
        exchange.send(block)


def up(exchange):
    """Swallows a body of any size and says what it was."""
    exchange.read_body()
    request = exchange.request
    answer = json.dumps({"sha256": request.body_sha256, "bytes": request.body_bytes})
    exchange.reply(200, answer, content_type="application/json")


def held(exchange):
    """Answers once the test sets origin.release."""
    exchange.read_body()
    exchange.origin.release.wait(60)
    exchange.reply(200, "released\n")


def basic(exchange):
    """401 with a Basic challenge until credentials come."""
    exchange.read_body()
    if exchange.request.get("authorization"):
        exchange.reply(200, "welcome\n")
    else:
        exchange.reply(401, "who?\n", [("www-authenticate", 'Basic realm="demo"')])


def expect_continue(exchange):
    """100 first, then the body."""
    exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    up(exchange)


def refuse_expect(exchange):
    """A final answer instead of 100: the body is not wanted."""
    exchange.reply(417, "no\n", [("connection", "close")])
    exchange.close_after()
    exchange.read_body = lambda: b""


def close_early(exchange):
    """Promises 100 bytes, sends 10, goes away."""
    exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n0123456789")
    exchange.close_after(abruptly=True)


def close_delimited(exchange):
    exchange.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nuntil the end")
    exchange.close_after()


def cut_off(exchange):
    """As close_delimited, but over TLS nothing says that this was all."""
    close_delimited(exchange)
    exchange.close_after(abruptly=True)


def cut_chunks(exchange):
    """A chunked body without its last chunk."""
    exchange.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
    exchange.close_after()


def hang_up(exchange):
    """No answer at all."""
    exchange.close_after(abruptly=True)


GARBAGE = {
    "not-http": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "two-lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 5\r\n\r\nabcde",
    "length-and-chunked": b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n"
    b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "bad-length": b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
    "nul-in-field": b"HTTP/1.1 200 OK\r\nx-a: b\0c\r\ncontent-length: 0\r\n\r\n",
    "endless-head": b"HTTP/1.1 200 OK\r\n" + b"x-filler: " + b"y" * 300_000,
}


def garbage(exchange):
    exchange.read_body()
    exchange.send(GARBAGE[exchange.request.path.rsplit("/", 1)[-1]])
    exchange.close_after()


def presented_token(exchange):
    """The credential as the origin understands it."""
    value = exchange.request.get("authorization") or exchange.request.get("x-api-key") or ""
    if value.startswith("Basic "):
        return base64.b64decode(value[6:]).decode().split(":", 1)[1]
    return value.removeprefix("Bearer ")


def reflect_body(exchange):
    exchange.read_body()
    exchange.reply(200, f"you sent [{presented_token(exchange)}] thanks\n")


def reflect_header(exchange):
    exchange.read_body()
    exchange.reply(200, "see the header\n", [("x-echo", f"token={presented_token(exchange)};")])


def reflect_location(exchange):
    where = f"https://api.demo.test/next?key={presented_token(exchange)}"
    exchange.reply(302, "moved\n", [("location", where)])


def reflect_chunks(exchange):
    """The echo cut into chunks of N bytes, so that the token is split at every offset in turn."""
    exchange.read_body()
    size = int(_argument(exchange, 1))
    text = f"start [{presented_token(exchange)}] end".encode()
    exchange.head(200, [("transfer-encoding", "chunked")])
    for at in range(0, len(text), size):
        piece = text[at : at + size]
        exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    exchange.send(b"0\r\n\r\n")


REPLIES = {
    "/fixed": fixed,
    "/status": status,
    "/chunked": chunked,
    "/sse": events,
    "/ticks": ticks,
    "/down": down,
    "/up": up,
    "/held": held,
    "/basic": basic,
    "/expect": expect_continue,
    "/refuse-expect": refuse_expect,
    "/close-early": close_early,
    "/close-delimited": close_delimited,
    "/cut-off": cut_off,
    "/cut-chunks": cut_chunks,
    "/hang-up": hang_up,
    "/garbage": garbage,
    "/reflect/body": reflect_body,
    "/reflect/header": reflect_header,
    "/reflect/location": reflect_location,
    "/reflect/chunks": reflect_chunks,
}
