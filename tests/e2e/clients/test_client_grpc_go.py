"""grpc-go inside a sandbox, as Debian packages it."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.grpc_origin import GrpcOrigin


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grpc-go")
    shutil.copy(Path(__file__).with_name("client.go"), folder)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GOPATH": "/usr/share/gocode",
        "GOCACHE": str(folder / "cache"),
        "GO111MODULE": "off",
        "GOFLAGS": "-p=2",
        "CGO_ENABLED": "0",
    }
    subprocess.run(["go", "build", "-o", "client", "client.go"], cwd=folder, env=environment,
                   check=True, timeout=300)  # fmt: skip
    shutil.rmtree(folder / "cache")
    return folder / "client"


@pytest.mark.limit(400)
def test_four_kinds_of_call_status_deadline_and_refusal(client, make_home, demo, authority):
    with GrpcOrigin(authority) as server:
        home = make_home(
            demo(rules=[{"allow": "grpc.demo.test"}], pins={"grpc.demo.test": server.pin})
        )
        shutil.copy(client, home.work)
        done = home.run("./client", seconds=60)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        refusal = told.pop("denied")
        wait = told.pop("wait")
        assert told == {
            "echo": "hello",
            "large": True,
            "join": ["a b c"],
            "split": ["a", "b", "c"],
            "talk": ["heard a", "heard b", "heard c"],
            "fail": ["NotFound", "no such word: größer 100%"],
        }
        assert wait[0] == "DeadlineExceeded"
        assert refusal[0] == "PermissionDenied", refusal
        assert "host_not_allowed" in refusal[1] and "evil.example" in refusal[1]
        assert server.cancelled.wait(10)
        assert all(seen["x-from"] == "grpc-go" for seen in server.metadata if "x-from" in seen)
