"""What a virtual machine boots in the tests: Debian's smallest packaged kernel, an initial RAM disk
of busybox and the kernel's virtio modules, and a disk with this host's own curl, git and Python.

The kernel's package is downloaded and unpacked, never installed: on a person's machine it would
become one to boot from. It is kept below build/."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.home import ROOT

CACHE = ROOT / "build" / "guest"
BUSYBOX = "/bin/busybox"
MODULES = (
    "virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk "
    "failover net_failover virtio_net virtio-rng qemu_fw_cfg"
).split()
PROGRAMS = ("curl", "git", "python3", "dash")
PYTHON = Path(f"/usr/lib/python{os.sys.version_info.major}.{os.sys.version_info.minor}")
NOT_OF_PYTHON = shutil.ignore_patterns(
    "test", "idlelib", "tkinter", "ensurepip", "config-*", "lib2to3", "pydoc_data"
)

# The first program of the guest: the modules, the disk as root, and there the line of the README.
# `egret.dhcp` on the kernel's command line asks for the addresses instead of being told.
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in {modules}; do insmod /lib/$module.ko; done
mount -t ext4 /dev/vda /disk
for tree in proc sys dev; do mount --move /$tree /disk/$tree; done
exec chroot /disk /bin/busybox sh /first
"""
FIRST = """
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /tmp
if grep -q egret.dhcp /proc/cmdline; then
  ip link set eth0 up
  udhcpc -i eth0 -n -q -s /dhcp
fi
. /sys/firmware/qemu_fw_cfg/by_name/opt/egret/setup/raw
poweroff -f
"""
DHCP = """#!/bin/busybox sh
[ "$1" = bound ] || exit 0
ip address add "$ip/$mask" dev "$interface"
ip route add default via "$router"
echo "nameserver $dns" >/etc/resolv.conf
"""


def ran(*command, **options):
    return subprocess.run(
        list(map(str, command)), check=True, capture_output=True, text=True, timeout=120, **options
    ).stdout


def unavailable(why):
    """A skip that says so; where the tests are the judge, a failure."""
    if "CI" in os.environ:
        pytest.fail(f"no virtual machine can be booted here: {why}")
    pytest.skip(f"NOT CHECKED: no virtual machine can be booted here: {why}")


def _download_kernel():
    """Unpacks the package that linux-image-cloud-amd64 stands for; where to."""
    depends = ran("apt-cache", "depends", "--important", "linux-image-cloud-amd64")
    package = next(word for word in depends.split() if word.startswith("linux-image-6"))
    place = CACHE / package
    if not place.exists():
        fresh = CACHE / f"{package}.{os.getpid()}"
        fresh.mkdir(parents=True)
        ran("apt-get", "download", "-q", package, cwd=fresh)
        ran("dpkg-deb", "-x", next(fresh.glob("*.deb")), fresh)
        next(fresh.glob("*.deb")).unlink()
        try:
            fresh.rename(place)
        except OSError:  # another test was quicker
            shutil.rmtree(fresh)
    return place


def _kernel_place():
    try:
        return _download_kernel()
    except (OSError, subprocess.SubprocessError, StopIteration) as first:
        if os.getuid() != 0:
            unavailable(first)
    try:  # a machine whose package lists are not there, or old
        ran("apt-get", "update", "-q")
        return _download_kernel()
    except (OSError, subprocess.SubprocessError, StopIteration) as error:
        unavailable(error)


class GuestImage:
    """kernel, initrd and disk: paths below `directory`."""

    def __init__(self, directory):
        for program in ("qemu-system-x86_64", "cpio", "mke2fs", "busybox"):
            if not shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin"):
                unavailable(f"{program} is not installed")
        if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
            unavailable("/dev/net/tun cannot be opened")
        self._directory = Path(directory)
        place = _kernel_place()
        self.kernel = next(place.glob("boot/vmlinuz-*"))
        self._modules = next(place.glob("lib/modules/*"))
        self.initrd = self._make_initrd()
        self.disk = self._make_disk()

    def flags(self):
        """Of `egret run`. Emulated everywhere, so that every machine tests the same."""
        return ["--vm", "--no-kvm", "--kernel", self.kernel, "--initrd", self.initrd,
                "--disk", self.disk, "--append", "quiet loglevel=0"]  # fmt: skip

    def _make_initrd(self):
        tree = self._directory / "initrd.tree"
        for name in ("bin", "lib", "proc", "sys", "dev", "disk"):
            (tree / name).mkdir(parents=True)
        shutil.copy(BUSYBOX, tree / "bin")
        for module in MODULES:
            shutil.copy(next(self._modules.rglob(f"{module}.ko")), tree / "lib")
        self._script(tree / "init", INIT.format(modules=" ".join(MODULES)))
        initrd = self._directory / "initrd"
        names = "".join(f"{path.relative_to(tree)}\n" for path in sorted(tree.rglob("*")))
        with open(initrd, "wb") as file:
            subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=tree, stdout=file,
                           input=names.encode(), check=True, timeout=60)  # fmt: skip
        return initrd

    def _make_disk(self):
        tree = self._directory / "disk.tree"
        for name in ("usr/bin", "usr/lib/git-core", "etc/ssl/certs", "proc", "sys", "dev", "run",
                     "tmp", "root"):  # fmt: skip
            (tree / name).mkdir(parents=True)
        for name, target in (("bin", "usr/bin"), ("sbin", "usr/bin"), ("lib", "usr/lib"),
                             ("lib64", "usr/lib64"), ("usr/sbin", "bin")):  # fmt: skip
            (tree / name).symlink_to(target)
        shutil.copytree(PYTHON, tree / PYTHON.relative_to("/"), ignore=NOT_OF_PYTHON)
        shutil.copytree("/usr/share/git-core", tree / "usr/share/git-core")
        self._copy_programs(tree)
        for name in ran(BUSYBOX, "--list").split():
            link = tree / "usr/bin" / name
            if not link.exists():
                link.symlink_to("busybox")
        (tree / "usr/bin/sh").unlink()
        (tree / "usr/bin/sh").symlink_to("dash")
        (tree / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        (tree / "etc/nsswitch.conf").write_text("hosts: files dns\n")
        (tree / "etc/resolv.conf").write_text("")
        (tree / "etc/ssl/certs/ca-certificates.crt").write_text("")  # becomes the sandbox's
        self._script(tree / "first", FIRST)
        self._script(tree / "dhcp", DHCP)
        disk = self._directory / "disk.raw"
        ran("/usr/sbin/mke2fs", "-q", "-t", "ext4", "-d", tree, disk, "256M")
        return disk

    def _copy_programs(self, tree):
        files = [f"/usr/bin/{name}" for name in PROGRAMS]
        files += [BUSYBOX, "/usr/lib/git-core/git-remote-http", "/usr/lib/git-core/git"]
        files += [str(path) for path in (PYTHON / "lib-dynload").glob("*.so")]
        libraries = set()
        for path in files:
            told = subprocess.run(["ldd", path], capture_output=True, text=True, timeout=30).stdout
            libraries |= {word for word in told.split() if word.startswith("/")}
        for path in [*files, *sorted(libraries)]:
            place = Path(path)
            place = tree / Path(str(place) if str(place).startswith("/usr") else f"/usr{place}"
                                ).relative_to("/")  # fmt: skip
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                shutil.copy(path, place)
        (tree / "usr/lib/git-core/git-remote-https").symlink_to("git-remote-http")

    @staticmethod
    def _script(path, text):
        path.write_text(text)
        path.chmod(0o755)
