"""What a refused request must look like to the one who asked (DESIGN part 6, Denials)."""

import json

BODY_FIELDS = "error reason host port sandbox id rule hint".split()


def assert_denied(response, reason, host=None, port=None, sandbox="web", status=403):
    """`response` has status, get() and body. Returns the parsed body."""
    assert response.status == status, f"{response.head.start}: {response.body!r}"
    assert response.get("content-type") == "application/json"
    expected = f'egret; error=http_request_denied; details="{reason}"'
    assert response.get("proxy-status") == expected
    return assert_denial_body(response.body, reason, host, port, sandbox)


def assert_denial_body(body, reason, host=None, port=None, sandbox="web"):
    told = json.loads(body)
    assert (told["error"], told["reason"]) == ("egress_denied", reason), told
    assert [name for name in told if name not in BODY_FIELDS] == []
    assert told["sandbox"] == sandbox and told["id"] and told["hint"]
    if host is not None:
        assert told["host"] == host
    if port is not None:
        assert told["port"] == port
    return told
