"""What systemd has for a service: a socket for its messages, credentials, and listening sockets."""

import os
import socket
from pathlib import Path

from support.waiting import wait_until


class NotifySocket:
    """A datagram socket with a name in the file system, or abstract with `@`."""

    def __init__(self, name):
        self.name = str(name)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(self.name.replace("@", "\0", 1) if name[0] == "@" else self.name)
        self.heard = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def wait(self, first, seconds=20):
        """The next message, as a dict; its first word has to be `first`."""
        message = wait_until(self._next, seconds, f"{first} at the service manager")
        fields = dict(line.split("=", 1) for line in message.split("\n"))
        assert next(iter(fields)) == first, message
        return fields

    def _next(self):
        try:
            return self._socket.recv(4096).decode()
        except BlockingIOError:
            return None

    def silent(self):
        return self._next() is None


def credentials_directory(path, **values):
    """As systemd mounts it for a service: 0500, its files 0400."""
    path = Path(path)
    path.mkdir(mode=0o700)
    for name, value in values.items():
        file = path / name.replace("_", "-")
        file.write_text(value)
        file.chmod(0o400)
    path.chmod(0o500)
    return path


def passing_sockets(sockets, command):
    """(command, options of Popen) that start it with these as its descriptors 3, 4, …

    LISTEN_PID has to be the number of the process that becomes the gate: the shell's own."""
    sockets = list(sockets)
    high = [os.dup(one.fileno()) for one in sockets]
    moves = " ".join(f"{3 + i}<&{fd} {fd}<&-" for i, fd in enumerate(high))
    script = f'LISTEN_PID=$$ LISTEN_FDS={len(high)} exec "$@" {moves}'
    return ["bash", "-c", script, "bash", *command], {"pass_fds": high}
