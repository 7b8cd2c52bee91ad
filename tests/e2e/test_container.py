"""`egret run --container`: podman's containers behind the gate, with root and without."""

import contextlib
import functools
import json
import os
import pty
import re
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from support.containers import IMAGE, KINDS, RootfulPodman, RootlessPodman, needs_podman
from support.home import ROOT
from support.leak_matrix import assert_nothing_gets_out
from support.root_filesystem import write_tar
from support.waiting import wait_until
from support.work_matrix import assert_work_succeeds

pytestmark = [needs_podman, pytest.mark.limit(120)]


@pytest.fixture(scope="module")
def image_tar(tmp_path_factory):
    folder = tmp_path_factory.mktemp("image")
    folder.chmod(0o755)
    for above in folder.parents[:2]:
        above.chmod(0o755)
    yield write_tar(folder / "root.tar")
    (folder / "root.tar").unlink()


@pytest.fixture(scope="module")
def podmans(image_tar):
    """podmans(kind) → one of that kind that has the image; each is made once."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def get(kind):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="egret-e2e-"))
            running = stack.enter_context(KINDS[kind](Path(folder) / "podman"))
            running.import_image(image_tar)
            return running

        yield get


@pytest.fixture(params=KINDS)
def podman(request, podmans):
    return podmans(request.param)


@pytest.fixture
def rootful(podmans):
    return podmans("rootful")


@pytest.fixture
def bare(directory):
    """podman without any image."""
    with RootfulPodman(directory / "podman") as running:
        yield running


def in_container(home, *command, flags=(), **options):
    return home.run(*command, flags=["--sandbox", "web", "--container", IMAGE, *flags], **options)


def shell(home, script, **options):
    done = in_container(home, "sh", "-c", script, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_nothing_left(podman):
    assert podman.containers() == []
    assert_no_folder_left(podman)


def assert_no_folder_left(podman):
    folders = [podman.directory / "runtime", *map(Path, ("/run", "/tmp"))]
    left = [str(path) for folder in folders for path in folder.glob("egret-container-*")]
    assert left == []


# --- the two matrices


def test_nothing_gets_out_of_a_container(podman, leak_world, make_home):
    home = make_home()
    podman.adopt(home)

    def run(command):
        words = home.command("run", "--container", IMAGE, "--", *command)
        return leak_world.ran(words, home)

    other = make_home()
    assert_nothing_gets_out(leak_world, home, run, other=other)
    assert_nothing_left(podman)


def test_everyday_work_succeeds_in_a_container(podman, work_world, make_home, canary):
    config = work_world.config()
    home = make_home(config, work_world.environment, [canary])
    roots = home.directory / "roots.pem"
    roots.write_bytes(work_world.authority.ca_file.read_bytes())
    config["origins"]["ca_files"] = [str(roots)]
    home.write_config(config)
    podman.adopt(home)

    def run(command):
        done = in_container(home, *command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert_work_succeeds(work_world, home, run)
    assert_nothing_left(podman)


# --- the command


@pytest.fixture
def home(rootful, make_home, demo):
    home = make_home(demo())
    rootful.adopt(home)
    return home


def test_streams_status_and_arguments_pass_through(home, rootful):
    odd = ["a b", "", "*", "$HOME", "--config", "'\"", "-x", "ü", "a,b"]
    code = "import sys, json; print(json.dumps([sys.stdin.read(), *sys.argv[1:]])); sys.exit(7)"
    done = in_container(home, "python3", "-c", code, *odd, stdin="first\nsecond\n" * 5000)
    assert done.returncode == 7, done.stderr
    assert json.loads(done.stdout) == ["first\nsecond\n" * 5000, *odd]
    assert_nothing_left(rootful)


def test_a_container_finds_its_own_system_the_working_folder_and_what_egret_adds(home):
    (home.work / "here").write_text("mine")
    more = home.directory / "more"
    more.mkdir()
    home.environment.update(HTTP_PROXY="http://192.0.2.1:1", PASSED="as it is", OTHER="not passed")
    script = f"""
        cat here; pwd; echo made > made; echo made > {more}/made
        cat /etc/resolv.conf; grep() {{ :; }}; env
        test -s /etc/ssl/certs/ca-certificates.crt && head -n 1 /etc/ssl/certs/ca-certificates.crt
        test -e {ROOT} && echo "the host is visible"
        python3 -c 'print(open("/proc/self/status").read())'"""
    text = shell(home, script, flags=["--rw", str(more), "--env", "PASSED"])
    assert text.startswith(f"mine{home.work}\nnameserver 127.0.0.1\n")
    assert (home.work / "made").read_text() == (more / "made").read_text() == "made\n"
    assert "EGRET_SANDBOX=web\n" in text and "PASSED=as it is\n" in text
    assert "192.0.2.1" not in text and "not passed" not in text and "the host is" not in text
    assert "SSL_CERT_FILE=/run/egret/ca-bundle.pem\n" in text and "image's own" not in text
    for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"):
        assert line in text


def test_what_governs_the_container_is_hidden_from_it(make_home, demo, rootful):
    """State, audit and configuration lie in the working folder here."""
    home = make_home()
    rootful.adopt(home)
    config = demo(state=str(home.work / "state"))
    home.has_config = True
    home.config_file = home.work / "egret.yaml"
    home.write_config(config)
    text = shell(home, "ls -A . state; cat egret.yaml; touch egret.yaml state/x 2>/dev/null; true")
    assert text == ".:\negret.yaml\nstate\n\nstate:\n"
    assert "resolve" in home.config_file.read_text()
    done = in_container(home, "true", flags=["--rw", str(home.work / "state")])
    assert done.returncode == 77 and "must stay hidden" in done.stderr


def test_a_home_is_not_shown_as_a_whole(home):
    home.work = home.directory / "home"
    (home.work / "private").write_text("x")
    done = in_container(home, "sh", "-c", "pwd; ls -A " + str(home.work))
    assert done.stdout == "/\n" and "is not shown to the command" in done.stderr


def started(home, script, **options):
    words = home.command("run", "--sandbox", "web", "--container", IMAGE, "--", "sh", "-c", script)
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                            cwd=home.work, env=home.environment, **options)  # fmt: skip


def test_signals_reach_the_command(home, rootful):
    script = "trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    with started(home, script) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "caught\n"
        assert process.wait(20) == 5
    assert_nothing_left(rootful)


def test_a_killed_egret_takes_its_container_with_it(home, rootful):
    with started(home, "echo ready; sleep 600") as process:
        assert process.stdout.readline() == "ready\n"
        assert len(rootful.containers()) == 1
        process.kill()
        process.wait(10)
    wait_until(lambda: rootful.containers() == [], 20, "the end of the container")
    left = "/run/egret-container-*"
    wait_until(lambda: not list(Path("/run").glob("egret-container-*")), 20, left)


def test_at_a_terminal_the_command_has_one(home):
    main, terminal = pty.openpty()
    words = home.command("run", "--sandbox", "web", "--container", IMAGE, "--", "sh", "-c",
                         "tty; read line; echo got $line")  # fmt: skip
    with subprocess.Popen(words, stdin=terminal, stdout=terminal, stderr=terminal,
                          cwd=home.work, env=home.environment, start_new_session=True) as process:
        os.close(terminal)
        seen = read_until(main, b"/dev/pts/")
        os.write(main, b"typed\n")
        seen += read_until(main, b"got typed")
        assert process.wait(20) == 0
    os.close(main)
    assert b"not a tty" not in seen


def read_until(descriptor, wanted):
    seen = b""
    while wanted not in seen:
        seen += os.read(descriptor, 4096)
    return seen


# --- what cannot be


REFUSED = """--network=host --net=host --privileged --cap-add=NET_ADMIN --pid=host
--ipc=host --uts=host --userns=keep-id --volume=/:/host -v=/:/host --mount=type=bind,source=/,destination=/host
--device=/dev/net/tun --security-opt=seccomp=unconfined --security-opt=label=type:x --publish=80:80
--dns=8.8.8.8 --add-host=a:1.2.3.4 --pod=x --volumes-from=x --env-host --env=A=B --sysctl=a=b
--group-add=keep-groups --annotation=io.podman.annotations.privileged=TRUE --rootfs --hooks-dir=/x
--network --secret=x --cgroups=disabled --systemd=always --http-proxy network""".split()


def test_an_option_that_opens_the_network_or_the_host_is_refused(bare, make_home, demo):
    home = make_home(demo())
    bare.adopt(home)
    for option in REFUSED:
        done = in_container(home, "true", flags=[f"--container-option={option}"])
        assert done.returncode == 2, f"{option}: {done.stderr}"
        assert option in done.stderr and done.stdout == ""
    done = home.run("true", flags=["--container-option=--memory=1g"])
    assert done.returncode == 2 and "without --container" in done.stderr


def test_options_for_resources_are_handed_on(home):
    script = "id -u; python3 -c 'import resource as r; print(r.getrlimit(r.RLIMIT_NOFILE))'"
    flags = ["--container-option=--user=1000", "--container-option", "ulimit=nofile=333:444"]
    assert shell(home, script, flags=flags) == "1000\n(333, 444)\n"


def test_a_missing_image_is_told_and_leaves_nothing(bare, make_home, demo):
    home = make_home(demo())
    bare.adopt(home)
    done = in_container(home, "true", flags=["--container-option=--pull=never"])
    assert done.returncode == 77 and done.stdout == ""
    assert f"there is no image {IMAGE} here" in done.stderr
    assert_nothing_left(bare)


def test_podman_that_is_missing_or_may_not_is_told(bare, make_home, demo):
    home = make_home(demo())
    bare.adopt(home)
    hide = "mount --bind /dev/null $(command -v podman); exec \"$@\""
    home.within = ["unshare", "--mount", "sh", "-c", hide, "sh"]
    done = in_container(home, "true")
    assert done.returncode == 77 and "podman is not installed" in done.stderr, done.stderr
    assert "apt install podman" in done.stderr
    home.within = []
    home.environment["CONTAINERS_STORAGE_CONF"] = "/dev/null/nowhere"
    done = in_container(home, "true")
    assert done.returncode == 77 and "/dev/null/nowhere" in done.stderr, done.stderr
    assert_nothing_left(bare)


def test_a_user_without_a_range_of_ids_is_told(directory, make_home, demo):
    with RootlessPodman(directory / "podman") as podman:
        home = make_home()
        podman.adopt(home)
        podman.hide_from_user("newuidmap")
        done = home.run("true", flags=["--container", IMAGE])
        assert done.returncode == 77 and "podman has no user namespace" in done.stderr, done.stderr
        assert "apt install uidmap" in done.stderr
        assert_no_folder_left(podman)


def test_dry_run_prints_rules_sockets_and_commands_and_starts_nothing(bare, make_home, demo):
    home = make_home(demo())
    bare.adopt(home)
    done = in_container(home, "true", flags=["--dry-run", "--container-option=--memory=1g"])
    assert done.returncode == 0, done.stderr
    for words in ("tcp  0.0.0.0:TCP_PORT", "table inet egret", "podman create", "--cap-drop all",
                  "--network ns:", "--memory=1g", f"-- {IMAGE} true", "podman rm"):  # fmt: skip
        assert words in done.stdout
    assert re.search(rf'source={home.work}","destination={home.work}"', done.stdout)
    assert_nothing_left(bare)
