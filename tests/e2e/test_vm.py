"""`egret run --vm`: a whole machine whose only network is the gate. One machine does many checks:
booting takes seconds where it is emulated."""

import os
import re
import shlex
import subprocess
import tempfile
from pathlib import Path

import pytest

from support.attached import Netns, entering
from support.guest_image import GuestImage
from support.leak_matrix import assert_nothing_gets_out
from support.networks import Outputs, needs_root, ran
from support.waiting import wait_until
from support.work_matrix import assert_work_succeeds

BEGIN, END = "--- begins", "--- ends"

# Root of a kernel of its own sends whatever it likes: frames of no protocol, packets of every
# protocol, with other people's addresses, in fragments, and as if it were the router.
FRAMES = r"""
import os, random, socket, struct
V4, V6 = %r, %r
card = bytes.fromhex(open("/sys/class/net/eth0/address").read().strip().replace(":", ""))
neighbours = [line.split() for line in open("/proc/net/arp")][1:]
gateway = bytes.fromhex(neighbours[0][3].replace(":", "")) if neighbours else b"\xff" * 6
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
out.bind(("eth0", 0))

def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff

def v4(protocol, payload, source="10.107.0.2", to=V4, fragment=0):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), random.getrandbits(16), fragment,
                       64, protocol, 0, socket.inet_aton(source), socket.inet_aton(to))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload

def v6(protocol, payload, source="fd65:6772:6574:1::2", to=V6):
    return (struct.pack("!IHBB", 6 << 28, len(payload), protocol, 255) +
            socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, to) +
            payload)

sent = 0
def send(kind, packet, to=gateway):
    global sent
    out.send(to + card + struct.pack("!H", kind) + packet)
    sent += 1

udp = struct.pack("!HHHH", 5000, 9999, 12, 0) + b"out!"
for protocol in range(256):
    send(0x0800, v4(protocol, udp))
    send(0x86dd, v6(protocol, udp))
for source in ("127.0.0.1", "10.107.0.1", "203.0.113.2", "8.8.8.8", "0.0.0.0", "255.255.255.255"):
    for to in (V4, "127.0.0.1", "203.0.113.2", "255.255.255.255", "224.0.0.1", "10.107.0.3"):
        for protocol in (1, 6, 17):
            send(0x0800, v4(protocol, udp, source, to))
for source in ("::1", "fe80::1", "2001:db8:113::2", "::", "ff02::1"):
    for to in (V6, "::1", "2001:db8:113::2", "ff02::1", "fe80::1"):
        for protocol in (6, 17, 58):
            send(0x86dd, v6(protocol, udp, source, to))
for offset in (0x2000, 0x2001, 1, 100):
    send(0x0800, v4(17, udp * 4, fragment=offset))
router = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 9000, 0, 0)
send(0x86dd, v6(58, router, "fe80::2", "ff02::1"), bytes.fromhex("333300000001"))
for kind in (0x0806, 0x8100, 0x88a8, 0x8863, 0x8864, 0x88cc, 0x0842, 0x9000, 0x88f7, 0x0001):
    for to in (gateway, b"\xff" * 6, bytes.fromhex("0180c2000000")):
        send(kind, os.urandom(60), to)
print("frames sent:", sent)
"""


@pytest.fixture(scope="module")
def image():
    with tempfile.TemporaryDirectory(prefix="egret-e2e-vm-") as directory:
        yield GuestImage(directory)


def in_guest(image, command, *more):
    """The arguments of `egret run` that run `command` in a machine; printed() finds its output."""
    marked = f"echo {shlex.quote(BEGIN)}; {shlex.join(command)}; code=$?; echo {shlex.quote(END)}"
    return [*image.flags(), *more, "--", "sh", "-c", f"{marked}; exit $code"]


def printed(console):
    """A serial console ends its lines with carriage returns."""
    text = console.replace("\r", "")
    assert BEGIN in text and END in text, text
    return text.split(BEGIN + "\n", 1)[1].split(END, 1)[0]


@needs_root
@pytest.mark.limit(180)
def test_nothing_gets_out_of_the_machine(image, leak_world, make_home):
    home = make_home()
    frames = ["/usr/bin/python3", "-c", FRAMES % (leak_world.net.V4, leak_world.net.V6)]
    notes = []

    def run(command):
        both = ["sh", "-c", f"{shlex.join(frames)} && {shlex.join(command)}"]
        told = printed(leak_world.ran(home.command("run", *in_guest(image, both)), home, 150))
        note, rest = told.split("\n", 1)
        notes.append(note)
        return rest

    assert_nothing_gets_out(leak_world, home, run, own_kernel=True)
    assert re.fullmatch(r"frames sent: 7\d\d", notes[0]), notes


@pytest.mark.limit(120)
def test_work_succeeds_in_the_machine(image, work_world, make_home):
    home = make_home(work_world.config(), work_world.environment, [work_world.canary])

    def run(command):
        flags = ("--sandbox", "web", *in_guest(image, command))
        return printed(home.cli("run", *flags, seconds=100, check=0).stdout)

    assert_work_succeeds(work_world, home, run)


@pytest.mark.limit(90)
def test_qemu_holds_no_power_and_ends_with_its_gate(image, make_home):
    home = make_home()
    command = home.command("run", *image.flags(), "--", "sh", "-c", "echo is up; cat")
    with Outputs(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
                 cwd=home.work, env=home.environment) as running:  # fmt: skip
        wait_until(lambda: any("is up" in line for line in running.lines), 60, "the machine")
        qemu = the_qemu_below(running.process.pid)
        status = Path(f"/proc/{qemu}/status").read_text()
        for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert re.search(rf"^{name}:\s0+$", status, re.M), status
        assert re.search(r"^NoNewPrivs:\s1$", status, re.M)
        assert os.readlink(f"/proc/{qemu}/ns/net") != os.readlink("/proc/self/ns/net")
        assert sorted(os.listdir(f"/proc/{qemu}/root")) == ["dev", "etc", "lib", "lib64", "run", "usr"]
        assert os.listdir(f"/proc/{qemu}/root/etc") == ["ld.so.cache"]
        running.process.kill()
        running.process.wait()
        wait_until(lambda: not Path(f"/proc/{qemu}").exists(), 10, "the end of QEMU")


def the_qemu_below(pid):
    """The QEMU among this process's descendants."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            before, after = stat.read_text().rsplit(")", 1)
        except OSError:
            continue
        parents[int(before.split()[0])] = int(after.split()[1])
    below = [child for child in parents if descends(child, pid, parents)]
    found = [child for child in below if command_line(child).startswith(b"/usr/bin/qemu-system")]
    assert len(found) == 1, found
    return found[0]


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return b""


def descends(child, ancestor, parents):
    while child in parents:
        child = parents[child]
        if child == ancestor:
            return True
    return False


# A guest that asks for its addresses. It ends with a status that no other program has.
ASKED = """
for _ in $(seq 100); do ip -6 route | grep -q '^default via fe80::1' && break; sleep 0.1; done
for _ in $(seq 100); do ip -6 address show dev eth0 | grep -q tentative || break; sleep 0.1; done
ip address show dev eth0; ip route; ip -6 route; cat /etc/resolv.conf
for family in -4 -6; do curl -sS $family -m 20 -o /dev/null -w '%{http_code} ' https://a.example/; done
exit 7
"""


@pytest.mark.limit(90)
def test_a_guest_can_ask_for_its_addresses_and_its_exit_status_is_the_commands(image, make_home):
    home = make_home()
    flags = in_guest(image, ["sh", "-c", ASKED])
    flags[flags.index("quiet loglevel=0")] += " egret.dhcp"
    done = home.cli("run", *flags, seconds=80, check=7)
    told = printed(done.stdout)
    assert "inet 10.107.0.2/30" in told, told
    assert "default via 10.107.0.1 dev eth0" in told
    assert re.search(r"inet6 fd65:6772:6574:1:[0-9a-f:]+/64 scope global dynamic", told), told
    assert "default via fe80::1 dev eth0" in told
    assert "nameserver 10.107.0.1" in told
    assert told.endswith("403 403 "), told
    assert "2 requests, 2 denials" in done.stderr


# The guest of another program: it has addresses of its own and knows nothing of Egret.
OTHERS = """
ip link set lo up; ip link set eth0 up
ip address add 10.9.8.7/24 dev eth0; ip route add default via 10.9.8.1
echo nameserver 9.9.9.9 >/etc/resolv.conf
echo begins
for url in http://api.demo.test/h1 http://evil.example/; do
  curl -sS -m 20 -o /dev/null -w '%{http_code} ' $url
done
ping -c 1 -W 1 10.9.8.1 >/dev/null && echo pinged
echo ends; poweroff -f
"""


@needs_root
@pytest.mark.limit(120)
def test_another_programs_machine_is_put_behind_the_gate_by_its_tap_device(image, start_gate, demo):
    config = demo()
    del config["listen"]
    gate, netns = start_gate(config), Netns()
    attach = ["--sandbox", "web", "--netns", netns.path]
    try:
        done = gate.home.cli("attach", *attach, "--tap", "tap0", check=77)
        assert "has no device tap0" in done.stderr
        ran("ip", "netns", "exec", netns.name, "ip", "tuntap", "add", "tap0", "mode", "tap")
        ran("ip", "-n", netns.name, "address", "add", "10.9.8.1/24", "dev", "tap0")
        done = gate.home.cli("attach", *attach, check=77)
        assert "has the interface tap0" in done.stderr
        gate.home.cli("attach", *attach, "--tap", "tap0", check=0)
        qemu = ["qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu", "max", "-m", "512",
                "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
                "-kernel", image.kernel, "-initrd", image.initrd,
                "-append", "console=ttyS0 quiet loglevel=0 panic=-1",
                "-drive", f"if=virtio,format=raw,snapshot=on,file={image.disk}",
                "-netdev", "tap,id=n,ifname=tap0,script=no,downscript=no",
                "-device", "virtio-net-pci,netdev=n,romfile=",
                "-fw_cfg", f"name=opt/egret/setup,string={OTHERS.replace(',', ',,')}"]  # fmt: skip
        told = subprocess.run(
            list(map(str, entering(netns.path, *qemu))), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=90, check=True,
        ).stdout  # fmt: skip
        assert "begins\n200 403 ends" in told.replace("\r", ""), told
        record = gate.audit.one(event="request", path="/h1")
        assert (record["sandbox"], record["capture"]) == ("web", "netns")
    finally:
        netns.delete()


def test_a_device_name_that_is_none_is_a_usage_error(make_home):
    done = make_home().cli("attach", "--sandbox", "x", "--netns", "/x", "--tap", 'a";b', check=2)
    assert "--tap" in done.stderr


def test_a_dry_run_says_everything_and_starts_nothing(image, make_home):
    done = make_home().cli("run", *image.flags(), "--dry-run", "--", "true", check=0)
    for part in ('iifname != "egret0"', "10.107.0.1/30", "-sandbox on", "--cap-drop ALL",
                 "opt/egret/setup", str(image.disk), "tap,id=net"):  # fmt: skip
        assert part in done.stdout, part


@pytest.mark.parametrize(
    "flags, says",
    [
        (["--vm"], "--kernel or --disk"),
        (["--vm", "--kernel", "/nonexistent"], "--kernel /nonexistent"),
        (["--vm", "--kernel", "/"], "not a file"),
        (["--vm", "--disk", "DISK", "--initrd", "DISK"], "for a --kernel"),
        (["--vm", "--disk", "DISK", "--memory", "1"], "--memory"),
        (["--vm", "--disk", "DISK", "--cpus", "0"], "--cpus"),
        (["--vm", "--disk", "DISK", "--rw", "/tmp"], "--rw"),
        (["--vm", "--disk", "DISK", "--container", "x"], "--vm or --container"),
        (["--kernel", "DISK"], "--vm"),
        (["--no-kvm"], "--vm"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(make_home, flags, says):
    home = make_home()
    disk = home.directory / "disk.raw"
    disk.write_bytes(bytes(512))
    done = home.cli("run", *[disk if flag == "DISK" else flag for flag in flags], "--", "true")
    assert done.returncode == 2 and says in done.stderr, done.stderr
