"""Fixtures of the end-to-end tests. A test asks for `origin` and `gate`, or builds its own with
`start_gate` and `make_home` where it needs another config."""

import os
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.canary import Canary  # noqa: E402
from support.dns_server import DnsServer  # noqa: E402
from support.fetching import Fetching, pub_test_config  # noqa: E402
from support.gate import Gate  # noqa: E402
from support.home import Home  # noqa: E402
from support.host_mode import HostMode, host_config  # noqa: E402
from support.internet import Internet  # noqa: E402
from support.leak_matrix import LeakWorld  # noqa: E402
from support.nginx import Http2Origin  # noqa: E402
from support.origin import Origin  # noqa: E402
from support.pki import TestAuthority  # noqa: E402
from support.work_matrix import WorkWorld  # noqa: E402

TEST_SECONDS = 60


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(seconds): how long this test may take")


@pytest.fixture(autouse=True)
def time_limit(request):
    """Ends a test that hangs with an exception, so that its fixtures still clean up."""
    marker = request.node.get_closest_marker("limit")
    seconds = marker.args[0] if marker else TEST_SECONDS
    # A build with sanitizers, or a machine with much to do, may ask for more.
    seconds = int(seconds * float(os.environ.get("EGRET_TIME_FACTOR", "1")))

    def too_long(*_):
        raise TimeoutError(f"the test took longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def directory():
    """Short, because Unix socket paths are; removed after the test unless EGRET_KEEP is set."""
    path = Path(tempfile.mkdtemp(prefix="egret-e2e-"))
    yield path
    if "EGRET_KEEP" in os.environ:
        print(f"kept {path}")
    else:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def authority():
    with tempfile.TemporaryDirectory(prefix="egret-e2e-ca-") as path:
        yield TestAuthority(path)


@pytest.fixture
def origin(authority):
    with Origin(authority) as running:
        yield running


@pytest.fixture
def http2_origin(directory, authority, origin):
    """`origin` behind nginx with HTTP/2."""
    with Http2Origin(directory / "nginx", authority, origin) as running:
        yield running


@pytest.fixture
def canary():
    return Canary()


@pytest.fixture
def make_home(directory):
    made = []

    def make(config=None, environment=None, canaries=()):
        home = Home(directory / f"h{len(made)}", config, environment, canaries)
        made.append(home)
        return home

    yield make
    for home in made:
        home.sweep()


@pytest.fixture
def start_gate(make_home):
    """start_gate(config, …) → a running Gate. All are stopped, and checked, after the test."""
    gates = []

    def start(config=None, environment=None, canaries=(), home=None, wrap=None):
        gate = Gate(home or make_home(config, environment, canaries))
        gates.append(gate)
        return gate.start(wrap)

    yield start
    failures = []
    for gate in gates:
        try:
            gate.stop()
        except AssertionError as failure:
            failures.append(failure)
    if failures:
        raise failures[0]


@pytest.fixture
def demo(origin, authority):
    """demo(**changes) → a config whose sandbox `web` reaches the origin under several names."""
    from support.demo_config import demo_config

    return lambda **changes: demo_config(authority, origin, **changes)


@pytest.fixture
def client_home(make_home, demo, http2_origin, canary):
    """For `egret run`: h2.demo.test offers HTTP/2, api.demo.test HTTP/1.1 only; the placeholder of
    DEMO_TOKEN counts at both."""
    config = demo(secrets=["DEMO_TOKEN"], pins={"h2.demo.test": http2_origin.pin},
                  rules=[{"allow": "h2.demo.test"}])  # fmt: skip
    config["secrets"]["DEMO_TOKEN"]["hosts"] = ["api.demo.test", "h2.demo.test"]
    return make_home(config, {"DEMO_REAL": canary.value}, [canary])


@pytest.fixture
def gate(start_gate, demo):
    """The usual gate: sandbox `web` on TCP, no secrets."""
    return start_gate(demo())


@pytest.fixture
def secret_gate(start_gate, demo, canary):
    """A gate whose sandbox `web` has the secret DEMO_TOKEN for api.demo.test; `other` has its own
    placeholder for the same secret."""
    config = demo(secrets=["DEMO_TOKEN"])
    return start_gate(config, {"DEMO_REAL": canary.value}, [canary])


# --- what every kind of sandbox is tested with


@pytest.fixture
def leak_world():
    with LeakWorld() as world:
        yield world


@pytest.fixture
def work_world(directory, authority, origin, http2_origin, demo, canary):
    with WorkWorld(directory, authority, origin, http2_origin, demo, canary) as world:
        yield world


# --- a machine with an internet and a DNS of its own


@pytest.fixture(scope="module")
def internet():
    with tempfile.TemporaryDirectory(prefix="egret-e2e-net-") as path:
        with Internet(Path(path)) as running:
            yield running


@pytest.fixture
def dns(internet):
    """What the machine's resolv.conf names; at first no name exists."""
    kinds = (socket.SOCK_DGRAM, socket.SOCK_STREAM)
    udp, tcp = (internet.machine.bound("127.0.0.1", 53, kind) for kind in kinds)
    with DnsServer(udp, tcp) as server:
        yield server
    internet.resolver()


@pytest.fixture
def world(internet, authority):
    """The origin on port 443 of every address of the internet."""
    with Origin(authority, "*.pub.test", listener=internet.world.bound("::", 443)) as running:
        yield running


@pytest.fixture
def inside(internet, authority):
    """The origin on port 443 of every address of the gate's own machine, loopback among them."""
    with Origin(authority, "*.pub.test", listener=internet.machine.bound("::", 443)) as running:
        yield running


@pytest.fixture
def start_fetching(start_gate, make_home, internet, authority, dns, directory):
    """start_fetching(workers=1, **origins) → a Fetching behind a gate on the machine; it listens on
    gate.sock in the test's directory as well."""

    def start(**changes):
        unix = {"unix": str(directory / "gate.sock"), "sandbox": "web"}
        home = make_home(pub_test_config(authority, [unix], **changes))
        home.within = internet.machine.entering(home.work)
        return Fetching(start_gate(home=home))

    return start


@pytest.fixture
def fetch(start_fetching):
    return start_fetching()


# --- a user of the machine, without a namespace


@pytest.fixture
def host(leak_world, make_home, directory):
    """A machine with the gate's config, and no gate yet."""
    return HostMode(leak_world, make_home(host_config()), directory / "shared")


@pytest.fixture
def host_gate(host, start_gate):
    """The gate on it."""
    return start_gate(home=host.home)
