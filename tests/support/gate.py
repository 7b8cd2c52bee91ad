"""`egret serve` as a process: started with a config, ready when it says so, always stopped, and
never allowed to have crashed."""

import re
import signal
import subprocess
import threading

from support.home import SANITIZER_REPORT, Home
from support.http1 import Closed
from support.waiting import wait_until

LISTENING = re.compile(r"egret: listening on (\S+)(?: \((?:sandbox )?(.*?)\))?$")
SHARED = "credentials name the sandbox"  # instead of a name, in that line
READY_SECONDS = 30
STOP_SECONDS = 20


class Gate:
    def __init__(self, home: Home):
        self.home = home
        self.process = None
        self.stderr_lines = []
        self._environments = {}
        self._reader = None
        self._changed = threading.Condition()

    @property
    def audit(self):
        return self.home.audit

    @property
    def pid(self):
        return self.process.pid

    def start(self, wrap=None):
        """`wrap` makes of the command another one with options of Popen, as a service manager
        would start it; its process has to become the gate's."""
        command, options = self.home.command("serve"), {}
        if wrap:
            command, options = wrap(command)
        self.stderr_lines = []
        self._environments = {}
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
            cwd=self.home.work,
            env=self.home.environment,
            **options,
        )
        self._reader = threading.Thread(target=self._read_stderr, args=(self.process,), daemon=True)
        self._reader.start()
        ended = lambda: self.process.poll() is not None
        self._wait_line(lambda line: line == "egret: ready", READY_SECONDS, ended)
        return self

    def stop(self):
        """SIGTERM must end it in order, with status 0, and no secret may have got out."""
        if self.process is None:
            return
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            status = "still running 20 s after SIGTERM"
        self._reader.join(5)
        text = self.stderr()
        print(f"--- egret serve, stderr\n{text}--- its last records")
        print("\n".join(self.audit.lines()[-15:]))
        assert status == 0, f"egret serve ended with {status}\n{text}"
        assert not SANITIZER_REPORT.search(text), text
        self.home.assert_no_canary(stderr=text)
        self.home.sweep()

    def kill(self):
        """kill -9, for tests of what survives it."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)
        self._reader.join(5)
        self.process = None

    def stderr(self):
        with self._changed:
            return "".join(line + "\n" for line in self.stderr_lines)

    def wait_stderr(self, pattern, seconds=10):
        return self._wait_line(re.compile(pattern).search, seconds)

    # --- where it listens

    def listeners(self):
        """[(address, sandbox)] from its own announcements."""
        matches = [LISTENING.match(line) for line in self.stderr_lines]
        return [(m.group(1), m.group(2)) for m in matches if m]

    def address(self, sandbox="web"):
        """(host, port) of the TCP listener of this sandbox, or of all of them."""
        for where, name in self.listeners():
            if name in (sandbox, SHARED) and not where.startswith(("unix:", "/")):
                host, port = where.rsplit(":", 1)
                return host.strip("[]"), int(port)
        raise AssertionError(f"no listener for {sandbox}: {self.listeners()}")

    def url(self, scheme="http", sandbox="web", credentials=""):
        host, port = self.address(sandbox)
        return f"{scheme}://{credentials}{host}:{port}"

    def client_environment(self, sandbox="web"):
        """As `egret env` gives it first (later the file may be broken on purpose); it names the
        port that this gate really got."""
        if sandbox not in self._environments:
            self._environments[sandbox] = self.home.client_environment(sandbox)
        return dict(self._environments[sandbox])

    def ca_file(self, sandbox="web"):
        return self.client_environment(sandbox)["SSL_CERT_FILE"]

    # --- what it says about itself

    def resident_peak_kib(self):
        """The most memory it has held since reset_resident_peak()."""
        return self._status_field("VmHWM")

    def resident_kib(self):
        return self._status_field("VmRSS")

    def reset_resident_peak(self):
        with open(f"/proc/{self.pid}/clear_refs", "w") as file:
            file.write("5")

    def _status_field(self, name):
        with open(f"/proc/{self.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name))

    # --- inside

    def _read_stderr(self, process):
        for line in process.stderr:
            with self._changed:
                self.stderr_lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _wait_line(self, matches, seconds, given_up=lambda: False):
        def found():
            with self._changed:
                line = next((line for line in self.stderr_lines if matches(line)), None)
            return line or given_up()

        line = wait_until(found, seconds, "the expected line on egret's stderr")
        assert isinstance(line, str), f"egret serve ended at start-up:\n{self.stderr()}"
        return line


def refused(operation):
    """True where the peer ends the connection in any way instead of answering."""
    try:
        operation()
    except (Closed, OSError):
        return True
    return False
