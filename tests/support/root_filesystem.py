"""A root file system made of this machine's own programs (sh, Python, curl, git, ip, nft),
as a tar for `podman import` or an initramfs: nothing is downloaded."""

import io
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

PROGRAMS = (
    "sh cat cp env id ls head sleep stty touch true tty uname "
    "curl git python3 ip nft nsenter unshare"
).split()
GIT_HELPERS = ("git-remote-http",)
PYTHON = Path("/usr/lib/python3.11")
LEFT_OUT = re.compile(r"/(__pycache__|test|idlelib|lib2to3|tkinter|config-3|pydoc_data|ensurepip)")
LOADER = Path("/lib64/ld-linux-x86-64.so.2")
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n",
    "etc/group": "root:x:0:\nuser:x:1000:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
    # Only a marker: the gate's own bundle takes its place.
    "etc/ssl/certs/ca-certificates.crt": "# the image's own, empty\n",
}
LINKS = {
    "bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64",
    "usr/lib/git-core/git-remote-https": "git-remote-http",
}  # fmt: skip


def _libraries(binary):
    told = subprocess.run(["ldd", binary], capture_output=True, text=True).stdout
    return [Path(path) for path in re.findall(r"(/\S+\.so\S*) \(0x", told)]


def _place(path):
    """Where it lies inside: everything below /usr."""
    text = str(path).lstrip("/")
    return text if text.startswith("usr/") else "usr/" + text


def _host_files():
    """{path inside: path here}"""
    found = {}
    binaries = [Path(shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin")) for name in PROGRAMS]
    binaries += [Path("/usr/lib/git-core") / name for name in GIT_HELPERS]
    for path in PYTHON.rglob("*"):
        if path.is_file() and not LEFT_OUT.search(str(path)):
            found[_place(path)] = path
            if path.suffix == ".so":
                binaries.append(path)
    for binary in binaries:
        found[_place(binary)] = binary
        for library in _libraries(binary):
            found[_place(library)] = library
    found[_place(LOADER)] = LOADER
    return found


def _add(tar, name, kind=tarfile.REGTYPE, mode=0o755, data=b"", target=""):
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size, entry.linkname = kind, mode, len(data), target
    tar.addfile(entry, io.BytesIO(data))


def write_tar(path):
    with tarfile.open(path, "w") as tar:
        for name, mode in {"tmp": 0o1777, "proc": 0o755, "sys": 0o755, "dev": 0o755, "run": 0o755,
                           "root": 0o700, "home/user": 0o755}.items():  # fmt: skip
            _add(tar, name, tarfile.DIRTYPE, mode)
        for name, target in LINKS.items():
            _add(tar, name, tarfile.SYMTYPE, target=target)
        for name, text in FILES.items():
            _add(tar, name, mode=0o644, data=text.encode())
        for name, source in sorted(_host_files().items()):
            mode = 0o755 if source.stat().st_mode & 0o111 else 0o644
            _add(tar, name, mode=mode, data=source.read_bytes())
    return path
