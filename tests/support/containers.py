"""podman for tests: storage, state and locks in the test's own directory, an image of this
machine's programs, with root or as a user of the test's own. Nothing is pulled and nothing is left behind."""

import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.home import ROOT, binary
from support.networks import ran
from support.waiting import wait_until

HOOK = ROOT / "sandbox-glue/container/egret-hook.json"
IMAGE = "localhost/egret-e2e"
UID = 64242
needs_podman = pytest.mark.skipif(
    os.getuid() != 0 or not shutil.which("podman"),
    reason="NOT CHECKED: needs root (for namespaces, and for an ordinary user) and podman",
)

STORAGE = """[storage]
driver = "overlay"
graphroot = "{0}/graph"
rootless_storage_path = "{0}/graph"
runroot = "{0}/run"
"""
ENGINE = """[engine]
tmp_dir = "{0}/tmp"
lock_type = "file"
events_logger = "file"
hooks_dir = ["{0}/hooks"]
runtime = "runc"
cgroup_manager = "cgroupfs"
"""

# An ordinary user with a range of ids, in a mount and a process namespace of the test's own.
USER = """
set -e
mount --make-rshared /
for file in passwd group subuid subgid; do mount --bind {0}/$file /etc/$file; done
echo ready
exec sleep 600
"""


class RootfulPodman:
    """`environment` is for egret and podman; `within` begins every command line."""

    name = "rootful"

    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir()
        (self.directory / "storage.conf").write_text(STORAGE.format(self.directory))
        (self.directory / "containers.conf").write_text(ENGINE.format(self.directory))
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "CONTAINERS_STORAGE_CONF": str(self.directory / "storage.conf"),
            "CONTAINERS_CONF": str(self.directory / "containers.conf"),
        }
        (self.directory / "hooks").mkdir()
        self.within = []

    def add_hook(self, config):
        """The project's own hook file, with this build's binary and the test's configuration."""
        hook = json.loads(HOOK.read_text())
        hook["hook"]["path"] = str(binary())
        hook["hook"]["args"][-1] = str(config)
        (self.directory / "hooks" / HOOK.name).write_text(json.dumps(hook))

    def adopt(self, home):
        """Makes egret of this home run as the user of this podman, with its storage."""
        own = {key: value for key, value in self.environment.items() if key != "HOME"}
        home.environment.update(own)
        home.within = [*home.within, *self.within]

    def command(self, *words):
        return [*self.within, *map(str, words)]

    def ran(self, *command):
        return ran(*self.command(*command), env=self.environment)

    def containers(self):
        return self.ran("podman", "ps", "--all", "--format", "{{.Names}}").split()

    def import_image(self, tar):
        self.ran("podman", "import", "--quiet", tar, IMAGE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ran("podman", "rm", "--force", "--all", "--time", "0")
        # podman leaves its storage mounted over itself.
        subprocess.run(["umount", self.directory / "graph" / "overlay"], capture_output=True)


class RootlessPodman(RootfulPodman):
    name = "rootless"

    def __enter__(self):
        files = {
            "passwd": f"egret-e2e:x:{UID}:{UID}::{self.directory}:/bin/sh\n",
            "group": f"egret-e2e:x:{UID}:\n",
            "subuid": f"egret-e2e:{UID * 10}:65536\n",
            "subgid": f"egret-e2e:{UID * 10}:65536\n",
        }
        for name, text in files.items():
            own = Path("/etc") / name
            kept = own.read_text() if name in ("passwd", "group") else ""
            (self.directory / name).write_text(kept + text)
        (self.directory / "runtime").mkdir(mode=0o700)
        self.environment["XDG_RUNTIME_DIR"] = str(self.directory / "runtime")
        self.own(self.directory)
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
             "sh", "-c", USER.format(self.directory)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        if self._holder.stdout.readline() != "ready\n":
            why = self._holder.communicate(timeout=10)[1].strip()
            pytest.skip(f"NOT CHECKED: no namespaces for an ordinary user's podman here: {why}")
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        self._pid = wait_until(lambda: children.read_text().split(), what="the user's process 1")[0]
        self.within = ["nsenter", f"--target={self._pid}", "--mount", "--pid", "--wd=.", "--",
                       "setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]  # fmt: skip
        return self

    def __exit__(self, *_):
        with contextlib.suppress(subprocess.CalledProcessError):
            self.ran("podman", "rm", "--force", "--all", "--time", "0")
        self._holder.kill()  # and with it everything that this user has started
        self._holder.communicate()

    def own(self, directory):
        directory.parent.chmod(0o755)
        for path in [directory, *directory.rglob("*")]:
            os.chown(path, UID, UID, follow_symlinks=False)

    def adopt(self, home):
        self.own(home.directory)
        super().adopt(home)


    def hide_from_user(self, program):
        """Takes a program away from this user, and from nobody else."""
        inside = ["nsenter", f"--target={self._pid}", "--mount", "--"]
        ran(*inside, "mount", "--bind", "/dev/null", shutil.which(program))


KINDS = {kind.name: kind for kind in (RootfulPodman, RootlessPodman)}
