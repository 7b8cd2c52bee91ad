"""Starts a program under the system call rules of a systemd unit, where no systemd runs:

    python3 unit_sandbox.py egret.service PROGRAM ARGUMENTS…

SystemCallFilter= (its groups as systemd-analyze names them), SystemCallErrorNumber=,
RestrictAddressFamilies=, RestrictNamespaces=, MemoryDenyWriteExecute=, NoNewPrivileges= and UMask=
as systemd sets them; the rest of a unit needs systemd itself."""

import errno
import mmap
import os
import socket
import subprocess
import sys
from pathlib import Path

MMAP_PROTECTION = mmap.PROT_WRITE | mmap.PROT_EXEC


def settings(unit):
    """{name: [value of each line]} of the unit's [Service] section and the others."""
    out = {}
    for line in Path(unit).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, value = line.split("=", 1)
            out.setdefault(name, []).append(value)
    return out


def calls_of(word):
    if not word.startswith("@"):
        return {word}
    told = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", word],
                          capture_output=True, text=True, check=True).stdout  # fmt: skip
    words = (line.strip() for line in told.splitlines()[1:])
    return set().union(*(calls_of(w) for w in words if w and not w.startswith("#")))


def allowed_calls(lines):
    allowed = calls_of("@default")  # which systemd always adds
    for line in lines:
        for word in line.lstrip("~").split():
            allowed = allowed - calls_of(word) if line[0] == "~" else allowed | calls_of(word)
    return allowed


def load(unit):
    import seccomp

    told = settings(unit)
    error = getattr(errno, told["SystemCallErrorNumber"][0])
    rules = seccomp.SyscallFilter(defaction=seccomp.ERRNO(error))
    allowed = allowed_calls(told["SystemCallFilter"]) - {"socket", "mmap", "mprotect", "clone3"}
    for call in sorted(allowed):
        try:
            rules.add_rule(seccomp.ALLOW, call)
        except RuntimeError:
            continue  # a call that this machine's kind does not have
    for family in told["RestrictAddressFamilies"][0].split():
        is_family = seccomp.Arg(0, seccomp.EQ, getattr(socket, family))
        rules.add_rule(seccomp.ALLOW, "socket", is_family)
    assert told["MemoryDenyWriteExecute"] == told["RestrictNamespaces"] == ["yes"]
    for protection in (0, mmap.PROT_WRITE, mmap.PROT_EXEC):
        either = seccomp.Arg(2, seccomp.MASKED_EQ, MMAP_PROTECTION, protection)
        rules.add_rule(seccomp.ALLOW, "mmap", either)
    never_executable = seccomp.Arg(2, seccomp.MASKED_EQ, mmap.PROT_EXEC, 0)
    rules.add_rule(seccomp.ALLOW, "mprotect", never_executable)
    # Its flags are behind a pointer: not there, so that callers fall back to clone.
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    os.umask(int(told["UMask"][0], 8))
    rules.load()  # sets no_new_privs


if __name__ == "__main__":
    load(sys.argv[1])
    os.execv(sys.argv[2], sys.argv[2:])
