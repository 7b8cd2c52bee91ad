"""The containers of `egret init compose`, started with podman's own flags from the compose file. No
image can be pulled here: a skeleton with this machine's own /usr stands in for one, with the files
and the user that the Dockerfile would have put there."""

import ctypes
import os
import re
import shutil
import socket
import subprocess
import threading
import uuid
from pathlib import Path

from support import compose
from support.home import binary
from support.waiting import wait_until

CLONE_NEWNET = 0x40000000
# A hard limit may be in the way of podman's own.
PODMAN = ["podman", "--runtime", "runc"]
USR = [f"--volume=/usr/{name}:/usr/{name}:ro"
       for name in ("bin", "sbin", "lib", "lib32", "lib64", "libexec", "share")
       if Path("/usr", name).is_dir()]  # fmt: skip
RUN = ["run", "--rm", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"]


def listener_in(namespace, address, port):
    """A listening socket inside a network namespace, for a server of this process."""
    made = []

    def enter():
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"{namespace.proc}/ns/net") as file:
            assert libc.setns(file.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        made.append(socket.create_server((address, port), family=family))

    thread = threading.Thread(target=enter)  # only this thread is in there, and ends
    thread.start()
    thread.join()
    return made[0]


def root_file_system(path):
    """What an image of Debian has, but for /usr."""
    for name in ("etc/ssl/certs", "proc", "sys", "dev", "run", "tmp", "root", "usr/local/bin",
                 "var/tmp"):  # fmt: skip
        (path / name).mkdir(parents=True)
    (path / "tmp").chmod(0o1777)
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        (path / name).symlink_to(f"usr/{name}")
    for name in ("passwd", "group", "nsswitch.conf", "ld.so.cache", "alternatives",
                 "ssl/openssl.cnf", "ssl/certs/ca-certificates.crt"):  # fmt: skip
        source, target = Path("/etc") / name, path / "etc" / name
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        elif source.exists():
            shutil.copy(source, target)
    return path


class GateContainer:
    """The service egret of `folder`/compose.yaml in `namespace`, which stands for what an engine
    gives to a container: loopback, one interface, a default route."""

    def __init__(self, folder, namespace, directory, environment=None):
        self.folder, self._namespace = Path(folder), namespace
        self._directory, self._environment = Path(directory), environment or {}
        self.file = compose.read_compose(self.folder / "compose.yaml")
        dockerfile = (self.folder / "gate/Dockerfile").read_text()
        self.uid = int(re.search(r"useradd --uid (\d+) ", dockerfile).group(1))
        self._name = f"egret-e2e-{uuid.uuid4().hex[:12]}"
        self._process = None
        self.volumes = {}

    def __enter__(self):
        for name in self.file["volumes"]:
            self.volumes[name] = self._directory / name
            self.volumes[name].mkdir()
            os.chown(self.volumes[name], self.uid, self.uid)
        self.volumes["egret-state"].chmod(0o700)
        own = f"egret:x:{self.uid}:"
        self._roots = {name: root_file_system(self._directory / f"{name}-root")
                       for name in ("egret", "sandbox")}  # fmt: skip
        for name, line in (("passwd", f"{own}{self.uid}::/var/lib/egret:/bin/false"), ("group", own)):
            with (self._roots["egret"] / "etc" / name).open("a") as file:
                file.write(line + "\n")
        return self

    def start(self):
        self._log = (self._directory / "gate.log").open("w")
        extra = [f"--env={k}={v}" for k, v in self._environment.items()]
        added = [f"--volume={binary().resolve()}:/usr/local/bin/egret:ro",
                 f"--volume={self.folder}/gate/entry.sh:/usr/local/bin/egret-gate:ro"]  # fmt: skip
        words = ["/bin/sh", "/usr/local/bin/egret-gate", "serve"]
        command = self._command("egret", words, *extra, f"--name={self._name}", *added)
        self._process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)
        try:
            wait_until(lambda: self.entry("status").returncode == 0 or self._ended(), 40,
                       "the gate's container to be healthy")  # fmt: skip
        except AssertionError:
            print(self.log())
            raise
        assert not self._ended(), self.log()
        return self

    def _ended(self):
        return self._process.poll() is not None

    def __exit__(self, *_):
        if self._process:
            self.kill()
            self._log.close()

    def kill(self, signal="KILL"):
        subprocess.run([*PODMAN, "kill", f"--signal={signal}", self._name], capture_output=True)
        self._process.wait(20)

    def log(self):
        return (self._directory / "gate.log").read_text()

    def entry(self, *words):
        """egret-gate STATUS, as the health check and a person run it."""
        command = [*PODMAN, "exec", self._name, "sh", "/usr/local/bin/egret-gate", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=30)

    def _command(self, service, words, *flags):
        told = compose.podman_flags(self.file["services"][service], self.folder, self.volumes)
        network = f"--network=ns:{self._namespace.proc}/ns/net"
        return [*PODMAN, *RUN, network, *told, *USR, *flags,
                "--rootfs", str(self._roots[service]), *words]  # fmt: skip

    def sandbox(self, *command, flags=(), seconds=60, check=True):
        """Runs a command as the compose file's sandbox; what it printed."""
        words = compose.command_of(self.file["services"]["sandbox"], *command)
        done = subprocess.run(self._command("sandbox", words, "-i", *flags),
                              capture_output=True, text=True, timeout=seconds)  # fmt: skip
        if check:
            assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{self.log()}"
        return done.stdout
