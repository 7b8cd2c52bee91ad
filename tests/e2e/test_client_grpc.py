"""gRPC inside a sandbox: python3-grpcio's client and server, all four kinds of call."""

import json
import textwrap

import pytest

from support.grpc_origin import GrpcOrigin

PRELUDE = """
import grpc, json, os, sys

def channel(host="grpc.demo.test"):
    options = [("grpc.max_receive_message_length", 1 << 24),
               ("grpc.max_send_message_length", 1 << 24)]
    return grpc.secure_channel(host + ":443", grpc.ssl_channel_credentials(), options)

def failure(call):
    try:
        call()
    except grpc.RpcError as error:
        return [error.code().name, error.details(), dict(error.trailing_metadata() or ())]
    return ["OK", "", {}]

def tell(*values):
    print(json.dumps(values))
"""


@pytest.fixture
def grpc_origin(authority):
    with GrpcOrigin(authority) as running:
        yield running


@pytest.fixture
def home(make_home, demo, grpc_origin, canary):
    config = demo(secrets=["DEMO_TOKEN"], rules=[{"allow": "grpc.demo.test"}],
                  pins={"grpc.demo.test": grpc_origin.pin})  # fmt: skip
    config["secrets"]["DEMO_TOKEN"]["hosts"] = ["grpc.demo.test"]
    return make_home(config, {"DEMO_REAL": canary.value}, [canary])


def python(home, code):
    done = home.run("/usr/bin/python3", "-c", PRELUDE + textwrap.dedent(code), seconds=40)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_unary_call_carries_metadata_and_trailers_both_ways(home, grpc_origin, canary):
    code = """
        token = "Bearer " + os.environ["DEMO_TOKEN"]
        answer, call = channel().unary_unary("/demo.Words/Echo").with_call(
            b"hello", metadata=[("authorization", token), ("x-data-bin", b"\\xff\\0")], timeout=20)
        trailers = {k: v if isinstance(v, str) else list(v) for k, v in call.trailing_metadata()}
        tell(answer.decode(), dict(call.initial_metadata()).get("x-initial"), trailers)
    """
    assert python(home, code) == ["hello", "one", {"x-trailing": "two", "x-binary-bin": [0, 1, 2]}]
    assert grpc_origin.metadata[0]["authorization"] == f"Bearer {canary.value}"
    assert grpc_origin.metadata[0]["x-data-bin"] == b"\xff\0"
    assert 0 < grpc_origin.seconds_left[0] <= 20
    record = home.audit.one(event="request", path="/demo.Words/Echo")
    assert record["request"]["version"] == "2"


def test_messages_of_some_mib_arrive_whole(home):
    code = """
        big = os.urandom(5_000_000)
        echo = channel().unary_unary("/demo.Words/Echo")
        tell([echo(big, timeout=30) == big for _ in range(3)])
    """
    assert python(home, code) == [[True] * 3]


def test_client_streaming(home):
    code = """
        words = (str(number).encode() for number in range(500))
        tell(channel().stream_unary("/demo.Words/Join")(words, timeout=20).decode())
    """
    assert python(home, code) == [" ".join(map(str, range(500)))]


def test_server_streaming(home):
    code = """
        text = b" ".join(str(number).encode() for number in range(500))
        answers = channel().unary_stream("/demo.Words/Split")(text, timeout=20)
        tell([answer.decode() for answer in answers])
    """
    assert python(home, code) == [[str(number) for number in range(500)]]


def test_bidirectional_streaming_as_a_conversation(home):
    """Each message is sent only once the answer to the one before has come."""
    code = """
        import queue
        says = queue.Queue()
        answers = channel().stream_stream("/demo.Words/Talk")(iter(says.get, None), timeout=20)
        heard = []
        for number in range(20):
            says.put(str(number).encode())
            heard.append(next(answers).decode())
        says.put(None)
        tell(heard, len(list(answers)), answers.code().name)
    """
    assert python(home, code) == [[f"heard {number}" for number in range(20)], 0, "OK"]


def test_a_hundred_calls_at_once_share_one_connection(home):
    code = """
        echo = channel().unary_unary("/demo.Words/Echo")
        calls = [echo.future(str(number).encode(), timeout=30) for number in range(100)]
        tell([int(call.result()) for call in calls] == list(range(100)))
    """
    assert python(home, code) == [True]
    records = home.audit.wait_for(100, event="request", path="/demo.Words/Echo")
    assert len({record["connection"] for record in records}) == 1


def test_the_servers_own_status_and_its_trailers_arrive(home):
    code = """
        tell(failure(lambda: channel().unary_unary("/demo.Words/Fail")(b"", timeout=20)))
    """
    ((status, words, trailers),) = python(home, code)
    assert (status, words) == ("NOT_FOUND", "no such word: größer 100%")
    assert trailers["x-trailing"] == "two"


def test_a_deadline_ends_the_call_on_both_sides(home, grpc_origin):
    code = """
        wait = channel().unary_unary("/demo.Words/Wait")
        tell(failure(lambda: wait(b"", timeout=1.5))[0])
    """
    assert python(home, code) == ["DEADLINE_EXCEEDED"]
    assert grpc_origin.seconds_left[0] <= 1.5
    assert grpc_origin.cancelled.wait(10)


def test_a_cancelled_call_ends_at_the_server_too(home):
    """Without a deadline only the cancellation itself can tell the server. The channel lives on."""
    code = """
        line = channel()
        ask = line.unary_unary("/demo.Words/Tell")
        call = line.unary_unary("/demo.Words/Wait").future(b"")
        came = ask(b"waiting", timeout=30).decode()
        call.cancel()
        tell(came, call.code().name, ask(b"cancelled", timeout=30).decode())
    """
    assert python(home, code) == ["yes", "CANCELLED", "yes"]
    held = home.audit.one(event="request", path="/demo.Words/Wait")
    assert home.audit.response_to(held)["error"] == "client_gone"


@pytest.mark.parametrize("kind", ["unary_unary", "unary_stream"])
def test_a_refused_host_is_permission_denied_with_the_reason(home, grpc_origin, kind):
    code = f"""
        call = channel("evil.example").{kind}("/demo.Words/Echo")
        tell(failure(lambda: list(call(b"", timeout=10))))
    """
    (status,) = python(home, code)
    assert status[0] == "PERMISSION_DENIED", status
    assert "host_not_allowed" in status[1] and "evil.example" in status[1]
    assert grpc_origin.metadata == []


def test_a_foreign_credential_is_permission_denied_with_the_reason(home, grpc_origin):
    code = """
        call = channel().unary_unary("/demo.Words/Echo")
        head = [("authorization", "Bearer of-somebody-else")]
        tell(failure(lambda: call(b"", metadata=head, timeout=10)))
    """
    (status,) = python(home, code)
    assert status[0] == "PERMISSION_DENIED" and "foreign_credential" in status[1], status
    assert grpc_origin.metadata == []
