"""What `egret init compose` and `egret init devcontainer` write: read as compose and containers.dev
read it, and the sidecar's rules and entry for real, in containers that podman starts with the flags
of the compose file. No docker engine runs here, and no image is built or pulled."""

import json
import os
import re
import shutil
import socket
import subprocess
import threading

import pytest

from support import compose
from support.denial import assert_denial_body
from support.gate_container import GateContainer, listener_in
from support.home import ROOT, binary
from support.leak_matrix import ATTEMPTS, CANARY
from support.networks import LeakNet, needs_root, ran
from support.origin import Origin

TEMPLATES = ROOT / "sandbox-glue/devcontainer"
WITH_SANITIZER = "EGRET_TIME_FACTOR" in os.environ  # tests/e2e/CMakeLists.txt
needs_podman = pytest.mark.skipif(
    os.getuid() != 0 or WITH_SANITIZER or not shutil.which("podman") or not shutil.which("runc"),
    reason="NOT CHECKED: needs root, podman, runc, and a program without a sanitizer",
)
needs_docker_compose = pytest.mark.skipif(
    not shutil.which("docker-compose"), reason="NOT CHECKED: no docker-compose"
)
KINDS = {
    "compose": (["compose"], "egret"),
    "proxy": (["compose", "--proxy"], "egret"),
    "devcontainer": (["devcontainer"], ".devcontainer"),
}


@pytest.fixture
def written(make_home):
    """written(kind) → (home, folder) after `egret init`, in an empty project."""

    def write(kind):
        home = make_home()
        words, folder = KINDS[kind]
        home.told = home.cli("init " + words[0], *words[1:], check=0).stdout
        return home, home.work / folder

    return write


# --- egret init


@pytest.mark.parametrize("kind", KINDS)
def test_init_says_what_it_wrote_and_what_to_do_next(written, kind):
    home, folder = written(kind)
    files = sorted(str(f.relative_to(home.work)) for f in folder.rglob("*") if f.is_file())
    assert sorted(re.findall(r"^wrote (.*)$", home.told, re.M)) == files
    assert 'cp "$(command -v egret)"' in home.told
    for path in folder.rglob("*"):
        runs = path.is_dir() or path.suffix == ".sh"
        assert path.stat().st_mode & 0o777 == (0o755 if runs else 0o644), path


@pytest.mark.parametrize("kind", KINDS)
def test_init_replaces_nothing_unless_forced(written, kind):
    home, folder = written(kind)
    changed = folder / "compose.yaml"
    changed.write_text("mine\n")
    words = KINDS[kind][0]
    (folder / "gate/Dockerfile").unlink()
    told = home.cli("init " + words[0], *words[1:], check=2)
    assert str(changed.relative_to(home.work)) in told.stderr and "--force" in told.stderr
    assert changed.read_text() == "mine\n" and not (folder / "gate/Dockerfile").exists()
    home.cli("init " + words[0], *words[1:], "--force", check=0)
    assert "services:" in changed.read_text() and (folder / "gate/Dockerfile").exists()


def test_init_takes_the_projects_folder_and_its_name(make_home):
    home = make_home()
    project = home.work / "My Project"
    project.mkdir()
    home.cli("init compose", str(project), check=0)
    assert compose.read_compose(project / "egret/compose.yaml")["name"] == "egret-my-project"


def test_init_help_names_the_three():
    told = ran(binary(), "init", "--help")
    for word in ("config", "compose", "devcontainer"):
        assert re.search(rf"^  {word} ", told, re.M)


# --- what the files say


@pytest.mark.parametrize("kind", KINDS)
def test_the_compose_files_have_only_known_keys_and_close_the_sandbox(written, kind):
    _, folder = written(kind)
    services = compose.read_compose(folder / "compose.yaml")["services"]
    gate = services.pop("egret")
    (sandbox,) = services.values()
    for service in (gate, sandbox):
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    assert "cap_add" not in sandbox and "environment" in gate
    assert sandbox["depends_on"]["egret"]["condition"] == "service_healthy"
    assert f".:/workspace/{folder.name}:ro" in sandbox["volumes"], "the policy is not the sandbox's"
    assert not any("egret-state" in volume for volume in sandbox["volumes"])
    if kind == "proxy":
        assert sandbox["networks"] == ["inside"] and "NET_ADMIN" not in gate["cap_add"]
    else:
        assert sandbox["network_mode"] == "service:egret"
        assert gate["cap_add"] == ["NET_ADMIN", "SETUID", "SETGID"]


def test_the_simple_variants_network_has_no_way_out(written):
    _, folder = written("proxy")
    assert compose.read_compose(folder / "compose.yaml")["networks"]["inside"]["internal"] is True


@needs_docker_compose
@pytest.mark.parametrize("kind", KINDS)
def test_docker_compose_reads_the_files(written, directory, kind):
    """The one that Debian has, version 1, which does not know `name` yet."""
    _, folder = written(kind)
    file = folder / "compose.yaml"
    file.write_text(re.sub("^name: .*\n", "", file.read_text(), flags=re.M))
    told = ran("docker-compose", "-f", file, "config", env={"PATH": os.environ["PATH"]})
    assert "no-new-privileges:true" in told


@pytest.mark.parametrize("kind", KINDS)
def test_the_gates_configuration_is_one(written, kind):
    home, folder = written(kind)
    told = subprocess.run([str(binary()), "config", "check", "--config", folder / "gate/egret.yaml"],
                          capture_output=True, text=True, env=home.environment)  # fmt: skip
    assert told.returncode == 0, told.stderr


def test_the_numbers_agree(written):
    """uid and port stand in several files."""
    _, folder = written("compose")
    rules = (folder / "gate/rules.nft").read_text()
    uid = re.search(r"define gate_user = (\d+)", rules).group(1)
    port = re.search(r"define gate_port = (\d+)", rules).group(1)
    assert f"useradd --uid {uid} " in (folder / "gate/Dockerfile").read_text()
    assert f"redirect: 127.0.0.1:{port}\n" in (folder / "gate/egret.yaml").read_text()
    sandbox = compose.read_compose(folder / "compose.yaml")["services"]["sandbox"]
    assert uid not in sandbox["user"].split(":")


def test_the_devcontainer_names_what_is_there(written):
    _, folder = written("devcontainer")
    told = compose.read_devcontainer(folder / "devcontainer.json")
    file = compose.read_compose(folder / told["dockerComposeFile"])
    assert told["service"] in file["services"]
    assert any(v.endswith(f":{told['workspaceFolder']}")
               for v in file["services"][told["service"]]["volumes"])  # fmt: skip
    for feature in told["features"]:
        at = folder / feature
        known = json.loads((at / "devcontainer-feature.json").read_text())
        compose.checked(known, compose.FEATURE, feature)
        assert known["id"] == at.name and (at / "install.sh").stat().st_mode & 0o111


def test_the_image_has_every_library_of_the_program():
    """The Dockerfile's packages are those that the program is linked to."""
    linked = re.findall(r"=> (/\S+)", ran("ldd", binary()))
    names = [os.path.basename(os.path.realpath(path)) for path in linked]
    # Some lie in /usr/lib and are registered in /lib.
    told = subprocess.run(["dpkg", "-S", *(f"*-linux-gnu/{name}" for name in names)],
                          capture_output=True, text=True).stdout  # fmt: skip
    packages = {line.split(":")[0] for line in told.splitlines() if "-linux-gnu/" in line}
    packages = {package for package in packages if not package.endswith("-dev")}
    assert len(packages) > 8, told
    named = set((TEMPLATES / "gate/Dockerfile").read_text().replace("\\", " ").split())
    sanitizers = {"libasan8", "libubsan1", "libtsan2"}
    of_the_base = {"libc6", "libidn2-0", "libunistring2"}  # and what libpsl5 brings
    assert packages - named - of_the_base - sanitizers == set()


def test_the_feature_wires_every_shell_once(written, directory):
    """install.sh on a root of its own: a second run adds nothing."""
    _, folder = written("devcontainer")
    root = directory / "root"
    for name in ("etc/zsh/zshenv", "etc/bash.bashrc"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("# theirs\n")
    script = (folder / "egret-feature/install.sh").read_text().replace("/etc/", f"{root}/etc/")
    for _ in range(2):
        ran("sh", "-c", script)
    line = "[ ! -r /egret/env ] || . /egret/env"
    assert (root / "etc/profile.d/egret.sh").read_text() == f"{line}\n"
    assert (root / "etc/bash.bashrc").read_text() == f"# theirs\n{line}\n"
    assert (root / "etc/zsh/zshenv").read_text() == f"# theirs\n{line}\n"


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="NOT CHECKED: no shellcheck")
def test_the_scripts_have_no_faults():
    ran("shellcheck", *sorted(TEMPLATES.rglob("*.sh")))


def test_the_page_on_existing_devcontainers_has_a_configuration_that_is_one(make_home):
    page = (TEMPLATES / "existing.md").read_text()
    block = re.search(r"# egret.yaml\n((?:        .*\n)+)", page).group(1)
    told = make_home(re.sub("^        ", "", block, flags=re.M)).cli("config check", check=0)
    assert "ok, 2 sandboxes" in told.stdout


# --- egret env for a container


def test_env_exports_what_a_container_needs_at_its_own_path(start_gate, demo, directory, canary):
    config = demo(secrets=["DEMO_TOKEN"])
    gate = start_gate(config, {"DEMO_REAL": canary.value}, [canary])
    shared = directory / "shared"
    told = gate.home.cli("env", "--sandbox", "web", "--files", shared, "--proxy-at", "egret:3128",
                         check=0)  # fmt: skip
    (shared / "env").write_text(told.stdout)
    shown = ran("sh", "-c", f". {shared}/env; env")
    variables = dict(line.split("=", 1) for line in shown.splitlines())
    assert variables["HTTPS_PROXY"] == "http://egret:3128"
    assert variables["SSL_CERT_FILE"] == str(shared / "ca-bundle.pem")
    assert f"trustStore={shared}/truststore.jks" in variables["JAVA_TOOL_OPTIONS"]
    assert variables["DEMO_TOKEN"].startswith("ghp_egret")
    for name in ("ca-bundle.pem", "truststore.jks"):
        assert (shared / name).stat().st_mode & 0o777 == 0o644


def test_env_of_a_redirected_sandbox_names_no_proxy(make_home, demo):
    listen = [{"redirect": "127.0.0.1:3129", "sandbox": "web"}]
    home = make_home({**demo(), "listen": listen})
    assert "PROXY" not in home.cli("env", "--sandbox", "web", check=0).stdout


@pytest.mark.parametrize("bad", ["egret", "egret:", ":3128", "http://egret:3128", "a@b:1", "e:3x"])
def test_env_refuses_a_place_that_is_no_host_and_port(make_home, demo, bad):
    told = make_home(demo()).cli("env", "--sandbox", "web", "--proxy-at", bad, check=2)
    assert "HOST:PORT" in told.stderr


# --- the sidecar, for real


@pytest.fixture
def leak_net():
    with LeakNet() as net:
        yield net


@pytest.fixture
def world(leak_net, authority):
    """The origin on a port of the neighbour, in both families one address."""
    listener = listener_in(leak_net.neighbour, leak_net.V4, 0)
    with Origin(authority, listener=listener) as running:
        yield running


@pytest.fixture
def sidecar(written, leak_net, world, authority, directory, canary):
    """A gate and its sandbox in one namespace, from the files as written; the policy is the test's."""
    home, folder = written("compose")
    shutil.copy(authority.ca_file, folder / "gate/test-ca.pem")
    config = folder / "gate/egret.yaml"
    text = config.read_text()
    text = text.replace("rules: []", "rules: [{allow: api.demo.test}]")
    text = text.replace("    secrets: []", "    secrets: [DEMO_TOKEN]")
    text += f"""
origins:
  ca_files: [/etc/egret/test-ca.pem]
  resolve: {{api.demo.test: "{leak_net.V4}:{world.port}"}}
secrets:
  DEMO_TOKEN: {{from: "env:DEMO_REAL", hosts: [api.demo.test]}}
"""
    config.write_text(text)
    with GateContainer(folder, leak_net.host, directory, {"DEMO_REAL": canary.value}) as container:
        container.start()
        yield container


CURL = "curl -sS --max-time 20"


@needs_podman
@pytest.mark.limit(120)
def test_the_sandbox_works_through_the_gate_without_knowing_it(sidecar, world, canary):
    """Allowed, with a secret put in, and denied in words, by name and by DNS; then reloaded."""
    script = f"""
{CURL} -H "Authorization: Bearer $DEMO_TOKEN" https://api.demo.test/fixed/3; echo
{CURL} https://evil.example/; echo
getent hosts api.demo.test | wc -l
env | grep -c -i proxy
id -u; grep -E 'Cap(Eff|Prm|Bnd|Amb)|NoNewPrivs' /proc/self/status | cut -f 2
"""
    got = list(filter(None, sidecar.sandbox("sh", "-c", script).splitlines()))
    assert got[0] == "xxx"
    assert world.requests[-1].head.all("Authorization") == [f"Bearer {canary.value}"]
    assert_denial_body(got[1], "host_not_allowed", "evil.example", 443)
    assert got[2:5] == ["1", "0", "1000"]
    assert got[5:] == ["0000000000000000"] * 4 + ["1"]
    config = sidecar.folder / "gate/egret.yaml"
    config.write_text(config.read_text().replace("allow: api.demo.test", "deny: api.demo.test"))
    done = sidecar.entry("reload")
    assert done.returncode == 0, done.stderr
    denied = sidecar.sandbox("sh", "-c", f"{CURL} https://api.demo.test/fixed/3")
    assert_denial_body(denied, "host_not_allowed", "api.demo.test", 443)


@pytest.fixture
def services():
    """On the loopback and an abstract socket of the machine: what no container may reach."""
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind("\0egret-e2e-devcontainer")
    abstract.listen()
    tcp = socket.create_server(("127.0.0.1", 0))

    def serve(server):
        while True:
            try:
                peer, _ = server.accept()
            except OSError:
                return
            peer.sendall(CANARY.encode())
            peer.close()

    for server in (abstract, tcp):
        threading.Thread(target=serve, args=(server,), daemon=True).start()
    yield tcp.getsockname()[1]
    for server in (abstract, tcp):
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def given(net, port):
    return json.dumps({
        "v4": net.V4, "v6": net.V6, "host_v4": net.HOST_V4, "host_v6": net.HOST_V6,
        "loopback_port": port, "other_port": 1, "control": "/var/lib/egret/control",
        "abstract": "egret-e2e-devcontainer", "canary": CANARY,
    })  # fmt: skip


@needs_podman
@pytest.mark.limit(180)
@pytest.mark.parametrize("user", ["1000:1000", "0:0"])
def test_nothing_gets_out_beside_the_gate(sidecar, leak_net, services, user):
    """The leak matrix, as the compose file's user and as root, which has no capability either."""
    before = leak_net.packets()
    words = ["/usr/bin/python3", "-c", ATTEMPTS.read_text(), given(leak_net, services)]
    told = json.loads(sidecar.sandbox(*words, flags=[f"--user={user}"], seconds=120))
    print(json.dumps(told, indent=1))
    assert leak_net.packets() - before == 0
    assert {name: got for name, got in told.items() if "REACHED" in got} == {}
    for name, got in told.items():
        if name.startswith(("raw", "packet", "sctp", "icmp")):
            assert got.startswith("refused"), f"{name}: {got}"
    assert len(told) > 120, "some attempts did not report"


@needs_podman
@pytest.mark.limit(120)
def test_the_sandbox_cannot_become_the_gates_user_nor_change_its_files(sidecar, leak_net):
    """ATTACKS G11: who could become uid 63128 would be out."""
    script = f"""
import os, subprocess
uid = {sidecar.uid}
def tried(what, does):
    try:
        does()
        print(what, "DONE")
    except OSError as error:
        print(what, error.strerror)
tried("setuid", lambda: os.setuid(uid))
tried("setresuid", lambda: os.setresuid(-1, uid, -1))
tried("policy", lambda: open("/workspace/egret/gate/egret.yaml", "a"))
tried("rename", lambda: os.rename("/workspace/egret", "/workspace/other"))
tried("variables", lambda: open("/egret/env", "a"))
for words in (["setpriv", f"--reuid={{uid}}", "true"], ["nft", "flush", "ruleset"],
              ["unshare", "--user", f"--map-users=0,{{uid}},1", "setpriv", "--reuid=0", "true"]):
    done = subprocess.run(words, capture_output=True)
    print(words[0], "DONE" if done.returncode == 0 else "refused")
"""
    for user in ("1000:1000", "0:0"):
        got = sidecar.sandbox("/usr/bin/python3", "-c", script, flags=[f"--user={user}"])
        assert "DONE" not in got, f"{user}: {got}"
        assert len(got.splitlines()) == 8


@needs_podman
@pytest.mark.limit(120)
def test_when_the_gate_is_gone_nothing_leaves(sidecar, leak_net):
    """kill -9: the rules stay with the namespace, and what was redirected meets nobody."""
    sidecar.kill()
    before = leak_net.packets()
    script = f"""
for at in {leak_net.V4} [{leak_net.V6}]; do curl -sS -m 3 http://$at/ && echo REACHED; done
echo out > /dev/udp/{leak_net.V4}/9999
echo done
"""
    assert sidecar.sandbox("bash", "-c", script) == "done\n"
    assert leak_net.packets() - before == 0


@needs_podman
@pytest.mark.limit(120)
def test_without_its_rules_the_gate_does_not_start(written, leak_net, directory):
    home, folder = written("compose")
    rules = folder / "gate/rules.nft"
    rules.write_text(rules.read_text().replace("policy drop", "policy dorp", 1))
    with GateContainer(folder, leak_net.host, directory) as container:
        with pytest.raises(AssertionError):
            container.start()
        assert "dorp" in container.log() and "egret: ready" not in container.log()


@needs_root
def test_the_rules_load_again_and_refuse_both_families(leak_net, written):
    """One transaction, twice; beside the tables of others."""
    _, folder = written("compose")
    leak_net.host.ran("nft", "add table inet theirs")
    for _ in range(2):
        leak_net.host.ran("nft", "-f", folder / "gate/rules.nft")
    tables = leak_net.host.ran("nft", "list", "tables").split("\n")
    assert tables.count("table inet egret") == 1 and "table inet theirs" in tables
    before = leak_net.packets()
    for at in (leak_net.V4, leak_net.V6):
        done = subprocess.run(leak_net.host.entering("ping", "-c1", "-W1", at), capture_output=True)
        assert done.returncode != 0
    assert leak_net.packets() - before == 0
