"""What package managers download from, small and made here: an npm registry, a simple index of
Python packages and a Debian repository, each as paths and bytes for the recording origin."""

import base64
import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import zipfile
from pathlib import Path


def serve(origin, files):
    """files: path → (content type, bytes). What is not listed is 404."""
    for folder in {"/" + path.split("/")[1] for path in files}:
        origin.on(folder, lambda exchange: exchange.reply(404, "no such file\n"))
    for path, (kind, content) in files.items():
        origin.on(path, _reply(kind, content))


def _reply(kind, content):
    def reply(exchange):
        exchange.read_body()
        exchange.reply(200, content, content_type=kind)

    return reply


# --- npm


def npm_registry(base):
    """Package `greeting`, which needs `greeting-words`; `base` is the URL that clients know."""
    words = {"index.js": "module.exports = ['hello', 'from', 'npm'];\n"}
    greeting = {"index.js": "module.exports = require('greeting-words').join(' ');\n"}
    return {
        **_npm_package(base, "greeting-words", words, {}),
        **_npm_package(base, "greeting", greeting, {"greeting-words": "^1.0.0"}),
    }


def _npm_package(base, name, files, dependencies):
    manifest = {"name": name, "version": "1.0.0", "dependencies": dependencies}
    ball = _tar({"package/package.json": json.dumps(manifest), **_below("package", files)})
    path = f"/{name}/-/{name}-1.0.0.tgz"
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(ball).digest()).decode()
    told = {**manifest, "dist": {"tarball": base + path, "integrity": integrity}}
    document = {"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": told}}
    return {
        f"/{name}": ("application/json", json.dumps(document).encode()),
        path: ("application/octet-stream", ball),
    }


def _below(folder, files):
    return {f"{folder}/{name}": text for name, text in files.items()}


def _tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


# --- pip


def simple_index(name="greeting_words"):
    """One wheel of one module."""
    wheel = f"{name}-1.0-py3-none-any.whl"
    content = _wheel(name)
    digest = hashlib.sha256(content).hexdigest()
    page = f'<!DOCTYPE html><a href="/files/{wheel}#sha256={digest}">{wheel}</a>\n'
    return {
        f"/simple/{name.replace('_', '-')}/": ("text/html", page.encode()),
        f"/files/{wheel}": ("application/octet-stream", content),
    }


def _wheel(name):
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "text = 'hello from pip'\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: e2e\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)
    return out.getvalue()


# --- apt


def debian_repository(directory, name="greeting-words"):
    """One package in a flat suite `stable`, main, for every architecture; not signed."""
    package = _debian_package(Path(directory), name)
    pool = f"pool/{name}_1.0_all.deb"
    index = (
        f"Package: {name}\nVersion: 1.0\nArchitecture: all\nMaintainer: e2e <e2e@demo.test>\n"
        f"Filename: {pool}\nSize: {len(package)}\nSHA256: {hashlib.sha256(package).hexdigest()}\n"
        "Description: made by a test\n\n"
    ).encode()
    architecture = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    ).stdout.strip()
    place = f"main/binary-{architecture}/Packages"
    listed = {place: index, place + ".gz": gzip.compress(index)}
    sums = "".join(f" {_sha256(data)} {len(data)} {path}\n" for path, data in listed.items())
    release = (
        f"Origin: e2e\nSuite: stable\nCodename: stable\nArchitectures: {architecture}\n"
        f"Components: main\nDate: Sat, 21 Nov 2026 00:00:00 UTC\nSHA256:\n{sums}"
    ).encode()
    files = {f"dists/stable/{path}": data for path, data in listed.items()}
    files |= {"dists/stable/Release": release, pool: package}
    return {f"/debian/{path}": ("application/octet-stream", data) for path, data in files.items()}


def _sha256(data):
    return hashlib.sha256(data).hexdigest()


def _debian_package(directory, name):
    root = directory / name
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: 1.0\nArchitecture: all\nMaintainer: e2e <e2e@demo.test>\n"
        "Description: made by a test\n"
    )
    (root / "words.txt").write_text("hello from apt\n")
    made = directory / f"{name}.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", str(root), str(made)],
        check=True,
        capture_output=True,
    )
    return made.read_bytes()
