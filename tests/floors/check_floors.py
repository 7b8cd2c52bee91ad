"""Includes point down only, and a few libraries and file names have one place or none: see README.md.

    check_floors.py [ROOT]     prints every include that points up or sideways; exit status 1 if any
"""

import re
import sys
from pathlib import Path

# A folder may include itself, and what stands behind it here. Nothing else of ours.
FLOORS = {
    "policy": [],
    "certs": ["policy"],
    "proxy/wire": ["policy"],
    "proxy/exchange": ["policy", "certs", "proxy/wire"],
    "config": ["policy", "proxy/exchange"],
    "sandbox-glue/namespace": ["policy"],
    "sandbox-glue/keeper": ["policy", "sandbox-glue/namespace"],
    "sandbox-glue/process": ["policy", "sandbox-glue/namespace"],
    "sandbox-glue/host": ["policy", "sandbox-glue/namespace"],
    "sandbox-glue/devcontainer": [],
    "sandbox-glue/container": ["policy", "sandbox-glue/namespace", "sandbox-glue/process"],
    "sandbox-glue/vm": ["policy", "sandbox-glue/namespace", "sandbox-glue/process"],
    "sandbox-glue/inside": ["sandbox-glue/process"],
    "proxy/audit": ["policy", "proxy/wire"],
    "proxy/secrets": ["policy", "certs", "config"],
    "proxy/io": ["policy", "certs", "proxy/wire", "proxy/exchange", "sandbox-glue/namespace"],
}
FLOORS["proxy/session"] = [
    *("policy", "certs", "config", "proxy/wire", "proxy/exchange"),
    *("proxy/io", "proxy/secrets", "proxy/audit", "sandbox-glue/namespace"),
]
FLOORS["proxy/server"] = [
    *FLOORS["proxy/session"],
    *("proxy/session", "sandbox-glue/process", "sandbox-glue/keeper", "sandbox-glue/container"),
    *("sandbox-glue/vm", "sandbox-glue/host", "sandbox-glue/devcontainer"),
]
FLOORS["proxy/main"] = [*FLOORS["proxy/server"], "proxy/server"]

# Which folders may see which library.
LIBRARIES = {
    "boost/asio": ["proxy/io", "proxy/session", "proxy/server"],
    "boost/beast": [],
    "openssl/": ["certs", "proxy/io", "proxy/audit", "proxy/session", "proxy/server"],
    "ares": ["proxy/io", "proxy/server"],
    "yaml-cpp/": ["config"],
    "libpsl": ["config"],
    "nlohmann/": ["proxy/secrets", "proxy/audit", "proxy/server", "sandbox-glue/container"],
    "CLI/": ["proxy/main"],
    "zlib": ["proxy/wire", "proxy/exchange"],
    "brotli/": ["proxy/exchange"],
    "zstd": ["proxy/exchange"],
    "seccomp": ["sandbox-glue/process"],
}

FORBIDDEN_NAMES = {"util", "utils", "common", "misc", "helpers", "helper", "manager"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


def floor_of(path):
    parts = path.split("/")
    return next((f for f in ("/".join(parts[:2]), parts[0]) if f in FLOORS), None)


def faults_of_include(path, line, ours, theirs):
    here = floor_of(path)
    if ours:
        there = floor_of(ours)
        if there is None:
            yield f'{path}:{line}: "{ours}" is not a path from the repository root to a known floor'
        elif there != here and there not in FLOORS[here]:
            yield f'{path}:{line}: {here} must not include {there} ("{ours}")'
        return
    for library, folders in LIBRARIES.items():
        if theirs.startswith(library) and here not in folders:
            yield f"{path}:{line}: {here} must not include <{theirs}>"


def faults_of_text(path, text):
    for number, content in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(content)
        if match:
            yield from faults_of_include(path, number, *match.groups())


def faults_of_name(path):
    words = set(re.split(r"[-_.]", Path(path).name.lower()))
    if words & FORBIDDEN_NAMES:
        yield f"{path}: call a file by what is in it"


def sources(root):
    for top in ("policy", "certs", "config", "proxy", "sandbox-glue"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".h", ".cpp"):
                yield path.relative_to(root).as_posix(), path


def faults_of_tree(root):
    count = 0
    for name, path in sources(root):
        count += 1
        if floor_of(name) is None:
            yield f"{name}: belongs to no floor of tests/floors/check_floors.py"
            continue
        yield from faults_of_text(name, path.read_text())
    for path in root.rglob("*"):
        name = path.relative_to(root)
        if not name.parts[0].startswith(("build", ".")) and path.is_file():
            yield from faults_of_name(name.as_posix())
    if count < 100:
        yield f"{root}: only {count} sources found; is this the repository?"


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    root = root if root.is_dir() else root.parents[2]
    faults = list(faults_of_tree(root))
    for fault in faults:
        print(fault)
    print(f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
