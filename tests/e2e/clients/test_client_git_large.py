"""git with a repository of 200 MiB over smart HTTP, a placeholder as the password of Basic
authentication, inside a sandbox."""

import os
import random

import pytest

from support.git_origin import GitOrigin, git

HOST = "git.demo.test"
MIB = int(os.environ.get("EGRET_REPOSITORY_MIB", "200"))
# What is random cannot be compressed: git would only spend minutes on finding that out.
QUICK = {"core.compression": "0", "core.bigFileThreshold": "1m"}


def fill(directory, mib, seed):
    """Incompressible, so that the pack is as large as the files."""
    source = random.Random(seed)
    for number in range(mib // 10):
        (directory / f"{seed}-{number}.bin").write_bytes(source.randbytes(10 << 20))


@pytest.mark.limit(400)
@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
def test_clone_and_push_of_a_large_repository(make_home, demo, directory, authority, canary, http2):
    with GitOrigin(directory / "git", authority, canary.value, name=HOST, http2=http2) as server:
        seed = server.directory / "seed"
        fill(seed, MIB, "old")
        for key, value in QUICK.items():
            git("config", key, value, cwd=seed)
            git("config", key, value, cwd=server.repository)
        git("add", ".", cwd=seed)
        git("commit", "-qm", "large", cwd=seed)
        git("push", "-q", "origin", "HEAD:main", cwd=seed, seconds=200)

        config = demo(secrets=["DEMO_TOKEN"], pins={HOST: server.pin})
        config["secrets"]["DEMO_TOKEN"]["hosts"] = [HOST]
        home = make_home(config, {"DEMO_REAL": canary.value}, [canary])
        # Not through the sandbox's private /tmp, which is memory.
        (home.work / "new").mkdir()
        fill(home.work / "new", MIB, "new")
        quick = " ".join(f"-c {key}={value}" for key, value in QUICK.items())
        script = f"""
          set -e
          export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
          git clone -q {quick} "https://x-access-token:$DEMO_TOKEN@{HOST}/demo.git" clone
          cd clone
          mv ../new/* .
          git add . ; git commit -qm "larger"
          git push -q origin HEAD:main
        """
        done = home.run("sh", "-c", script, seconds=300)
        assert done.returncode == 0, done.stderr
        assert server.log_of() == ["larger", "large", "first"]
        git("fsck", "--no-dangling", cwd=server.repository, seconds=120)
        assert set(server.protocols()) == {"HTTP/2.0" if http2 else "HTTP/1.1"}

    ends = home.audit.records(event="response")
    down = [end for end in ends if end["bytes"]["down"] > MIB << 20]
    up = [end for end in ends if end["bytes"]["up"] > MIB << 20]
    assert len(down) == len(up) == 1
    assert [end for end in down + up if end.get("error")] == []
