"""What the APIs of three model providers stream, as far as their command-line agents need it: any
question is answered with `ANSWER`, in pieces. Replies for the recording origin."""

import json

from support.websocket_origin import WebSocketOrigin

ANSWER = "The gate is open, says the fake model."
HOSTS = ("api.anthropic.com", "api.openai.com", "generativelanguage.googleapis.com")


def serve(origin):
    origin.on("/v1/messages", _anthropic)
    origin.on("/v1/responses", _openai)
    origin.on("/v1beta/models", _gemini)
    # Whatever else they ask for at their start is not there; they go on without.
    for path in ("/api", "/v1", "/mcp-registry", "/v1internal"):
        origin.on(path, _not_here)


def _not_here(exchange):
    exchange.read_body()
    exchange.reply(404, '{"error": "not here"}', content_type="application/json")


def _pieces():
    return [ANSWER[at : at + 7] for at in range(0, len(ANSWER), 7)]


def _stream(exchange, events):
    """events: (name or None, dict)"""
    exchange.head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])
    for name, data in events:
        text = f"event: {name}\n" if name else ""
        text += f"data: {json.dumps(data)}\n\n"
        exchange.send(b"%x\r\n%s\r\n" % (len(text), text.encode()))
    exchange.send(b"0\r\n\r\n")


def _anthropic(exchange):
    if exchange.request.path != "/v1/messages":
        return _not_here(exchange)
    asked = json.loads(exchange.read_body())
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": asked["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    if not asked.get("stream"):
        message |= {"content": [{"type": "text", "text": ANSWER}], "stop_reason": "end_turn"}
        return exchange.reply(200, json.dumps(message), content_type="application/json")
    text = {"type": "text", "text": ""}
    events = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": text},
    ]
    for piece in _pieces():
        delta = {"type": "text_delta", "text": piece}
        events.append({"type": "content_block_delta", "index": 0, "delta": delta})
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    events += [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]
    _stream(exchange, [(event["type"], event) for event in events])


def _openai(exchange):
    if exchange.request.method == "GET":
        # Codex would rather have a WebSocket; this answer makes it ask by POST at once.
        return exchange.reply(426, "no WebSocket here\n")
    exchange.read_body()
    _stream(exchange, [(event["type"], event) for event in _openai_events()])


class OpenaiSocket(WebSocketOrigin):
    """The same answer over a WebSocket, an event a message."""

    async def _talk(self, socket):
        self.handshakes.append((socket.path, list(socket.request_headers.raw_items())))
        async for message in socket:
            self.messages.append(message)
            for event in _openai_events():
                await socket.send(json.dumps(event))


def _openai_events():
    item = {"type": "message", "id": "item_1", "role": "assistant", "status": "in_progress"}
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    events = [
        {"type": "response.created", "response": {"id": "resp_1"}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
    ]
    for piece in _pieces():
        events.append(
            {
                "type": "response.output_text.delta",
                "item_id": "item_1",
                "output_index": 0,
                "content_index": 0,
                "delta": piece,
            }
        )
    text = {"type": "output_text", "text": ANSWER, "annotations": []}
    done = {**item, "status": "completed", "content": [text]}
    return [
        *events,
        {"type": "response.output_item.done", "output_index": 0, "item": done},
        {"type": "response.completed", "response": {"id": "resp_1", "usage": usage}},
    ]


def _gemini(exchange):
    exchange.read_body()
    if not exchange.request.path.endswith(":streamGenerateContent"):
        return exchange.reply(200, json.dumps(_gemini_part(ANSWER, "STOP")),
                              content_type="application/json")  # fmt: skip
    pieces = _pieces()
    events = [_gemini_part(piece, None) for piece in pieces[:-1]]
    events.append(_gemini_part(pieces[-1], "STOP"))
    _stream(exchange, [(None, event) for event in events])


def _gemini_part(text, finish):
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
    }
