"""A plain TCP server that greets first, as ssh and many databases do, then echoes, and counts what
it was sent."""

import socket
import threading


class TcpOrigin:
    def __init__(self, greeting=b"", down_bytes=0):
        self.greeting = greeting
        self.down_bytes = down_bytes  # sent when the client has ended its side, instead of echoing
        self.received = bytearray()
        self.received_bytes = 0
        self.connections = 0
        self.ended_by_client = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def port(self):
        return self._listener.getsockname()[1]

    def __enter__(self):
        self._threads[0].start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock):
        try:
            with sock:
                sock.settimeout(20)
                sock.sendall(self.greeting)
                while data := sock.recv(1 << 16):
                    self.received_bytes += len(data)
                    if len(self.received) < 1 << 20:
                        self.received += data
                    if not self.down_bytes:
                        sock.sendall(data)
                self.ended_by_client.set()
                left = self.down_bytes
                while left:
                    piece = bytes(min(left, 1 << 16))
                    sock.sendall(piece)
                    left -= len(piece)
        except OSError:
            pass
