"""A user's home for one test: a directory, an environment and an egret.yaml of its own, and the
egret binary run in it. Nothing of the real home is read or written."""

import json
import os
import re
import subprocess
from pathlib import Path

from support.audit_file import AuditFile

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_BINARY = ROOT / "build/dev/bin/egret"
SANITIZERS = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS")
SANITIZER_REPORT = re.compile(
    r"(Address|Thread|Leak|UndefinedBehavior)Sanitizer|:\d+:\d+: runtime error:"
)


def binary():
    path = Path(os.environ.get("EGRET", DEFAULT_BINARY))
    assert path.exists(), f"no egret binary at {path}: build it, or set EGRET"
    return path


def yaml(value, indent=0):
    """Block YAML of dicts, lists and scalars, one key a line, so that line numbers tell."""
    pad = " " * indent
    if isinstance(value, dict):
        return "".join(_entry(f"{pad}{_key(key)}:", item, indent) for key, item in value.items())
    return "".join(f"{pad}- {yaml(item, indent + 2).lstrip()}" for item in value)


def _key(key):
    return key if key.replace("_", "").isalnum() else json.dumps(key)


def _entry(head, item, indent):
    if isinstance(item, dict) and item or isinstance(item, list) and _has_dicts(item):
        return f"{head}\n{yaml(item, indent + 2)}"
    return f"{head} {json.dumps(item)}\n"


def _has_dicts(items):
    return any(isinstance(item, dict) for item in items)


class Home:
    """`config` is a dict (written as YAML), text, or None for no file at all. `canaries` are the
    real secrets of this home: every artefact that leaves the program is searched for them."""

    def __init__(self, directory, config=None, environment=None, canaries=()):
        self.directory = Path(directory)
        self.work = self.directory / "work"
        self.work.mkdir(parents=True, exist_ok=True)
        for name in ("home", "state", "runtime", "config"):
            (self.directory / name).mkdir(mode=0o700, exist_ok=True)
        self.canaries = list(canaries)
        self.within = []  # what every command begins with, where it runs in another namespace
        self.environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "HOME": str(self.directory / "home"),
            "XDG_STATE_HOME": str(self.directory / "state"),
            "XDG_CONFIG_HOME": str(self.directory / "config"),
            "XDG_RUNTIME_DIR": str(self.directory / "runtime"),
            **{name: os.environ[name] for name in SANITIZERS if name in os.environ},
            **(environment or {}),
        }
        self.state = self.directory / "state" / "egret"
        self.audit = AuditFile(self.state / "audit.jsonl")
        self.config_file = self.directory / "egret.yaml"
        self.has_config = config is not None
        if self.has_config:
            self.write_config(config)

    def write_config(self, config):
        """Replaces the file in one step, as an editor does."""
        text = config if isinstance(config, str) else yaml(config)
        fresh = self.config_file.with_suffix(".new")
        fresh.write_text(text)
        fresh.chmod(0o600)
        fresh.rename(self.config_file)

    def command(self, verb, *arguments):
        verbs = verb.split()
        config = ["--config", str(self.config_file)] if self.has_config else []
        return [*self.within, str(binary()), *verbs, *config, *map(str, arguments)]

    def cli(self, verb, *arguments, stdin="", seconds=30, check=None, environment=None):
        """egret VERB --config F ARGUMENTS; `check` is the exit status expected, if any."""
        done = subprocess.run(
            self.command(verb, *arguments),
            input=stdin,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=seconds,
            cwd=self.work,
            env={**self.environment, **(environment or {})},
        )
        self.assert_no_canary(
            **{f"stdout of {verb}": done.stdout, f"stderr of {verb}": done.stderr}
        )
        assert not SANITIZER_REPORT.search(done.stderr), done.stderr
        if check is not None:
            assert done.returncode == check, (
                f"egret {verb} {arguments} ended with {done.returncode}, not {check}\n"
                f"stdout: {done.stdout}\nstderr: {done.stderr}"
            )
        return done

    def run(self, *command, flags=("--sandbox", "web"), **options):
        """egret run FLAGS -- COMMAND"""
        return self.cli("run", *flags, "--", *command, **options)

    def client_environment(self, sandbox="web"):
        """The environment of a client, as `eval "$(egret env)"` makes it."""
        exports = self.cli("env", "--sandbox", sandbox, check=0).stdout
        clean = {k: self.environment[k] for k in ("PATH", "LANG", "HOME")}
        done = subprocess.run(
            ["sh", "-c", 'eval "$EXPORTS"; unset EXPORTS; env -0'],
            env={**clean, "EXPORTS": exports},
            capture_output=True,
            timeout=10,
            check=True,
        )
        pairs = (line.split("=", 1) for line in done.stdout.decode().split("\0") if line)
        return dict(pairs)

    def assert_no_canary(self, **artefacts):
        for canary in self.canaries:
            canary.assert_absent(**artefacts)

    def sweep(self):
        """No real secret in the audit file nor in anything kept below the state directory."""
        files = [path for path in self.state.rglob("*") if path.is_file()] if self.canaries else []
        self.assert_no_canary(**{str(path): path.read_bytes() for path in files})
