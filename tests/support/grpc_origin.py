"""A gRPC server over TLS (python3-grpcio). Messages are plain bytes, so that nothing has to be
generated; the service is `demo.Words`."""

import threading
from concurrent import futures

import grpc

from support.pki import TestAuthority


class GrpcOrigin:
    def __init__(self, authority: TestAuthority, *names):
        self.metadata = []  # of each call, as a dict
        self.seconds_left = []  # of each call's deadline, None without
        self.waiting = threading.Event()  # a call of Wait has come
        self.cancelled = threading.Event()  # it has ended before its answer
        self._server = grpc.server(
            futures.ThreadPoolExecutor(max_workers=8),
            options=[("grpc.max_receive_message_length", 1 << 24)],
        )
        self._server.add_generic_rpc_handlers((self._service(),))
        pem = authority.certificate(*(names or ("grpc.demo.test",))).read_bytes()
        certificate, _, key = pem.partition(b"-----BEGIN PRIVATE KEY-----")
        credentials = grpc.ssl_server_credentials([(b"-----BEGIN PRIVATE KEY-----" + key,
                                                    certificate)])  # fmt: skip
        self.port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self._server.start()

    @property
    def pin(self):
        return f"127.0.0.1:{self.port}"

    def stop(self):
        self._server.stop(grace=None).wait(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _service(self):
        return grpc.method_handlers_generic_handler(
            "demo.Words",
            {
                "Echo": grpc.unary_unary_rpc_method_handler(self._echo),
                "Join": grpc.stream_unary_rpc_method_handler(self._join),
                "Split": grpc.unary_stream_rpc_method_handler(self._split),
                "Talk": grpc.stream_stream_rpc_method_handler(self._talk),
                "Fail": grpc.unary_unary_rpc_method_handler(self._fail),
                "Wait": grpc.unary_unary_rpc_method_handler(self._wait),
                "Tell": grpc.unary_unary_rpc_method_handler(self._tell),
            },
        )

    def _note(self, context):
        self.metadata.append(dict(context.invocation_metadata()))
        self.seconds_left.append(context.time_remaining())

    def _echo(self, request, context):
        self._note(context)
        context.send_initial_metadata([("x-initial", "one")])
        context.set_trailing_metadata([("x-trailing", "two"), ("x-binary-bin", b"\0\1\2")])
        return request

    def _join(self, requests, context):
        self._note(context)
        return b" ".join(requests)

    def _split(self, request, context):
        self._note(context)
        yield from request.split(b" ")

    def _talk(self, requests, context):
        self._note(context)
        for request in requests:
            yield b"heard " + request

    def _fail(self, request, context):
        self._note(context)
        context.set_trailing_metadata([("x-trailing", "two")])
        context.abort(grpc.StatusCode.NOT_FOUND, "no such word: größer 100%")

    def _wait(self, request, context):
        self._note(context)
        context.add_callback(self.cancelled.set)
        self.waiting.set()
        self.cancelled.wait(60)
        return request

    def _tell(self, request, context):
        """Answers once a call of Wait is `waiting` or `cancelled`."""
        event = {b"waiting": self.waiting, b"cancelled": self.cancelled}[request]
        return b"yes" if event.wait(20) else b"no"
