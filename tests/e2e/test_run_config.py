"""What a command inside `egret run` can do about the configuration that governs it: nothing."""

import pytest

from support.home import yaml

ATTACK = """
cat {file} 2>/dev/null
echo '# changed' >> {file}
rm -f {file}; mv {file} moved.yaml; echo 'version: 1' > fresh && mv -f fresh {file}
true
"""


def curl_inside(home, url="http://evil.example/", flags=()):
    ask = ("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", url)
    return home.run(*ask, flags=flags)


@pytest.fixture
def home(make_home):
    return make_home()


def test_the_file_of_the_working_directory_cannot_be_changed_from_inside(home, demo):
    file = home.work / "egret.yaml"
    before = yaml(demo())
    file.write_text(before)
    done = home.run("sh", "-c", ATTACK.format(file="egret.yaml"), flags=("--sandbox", "web"))
    assert done.returncode == 0, done.stderr
    assert file.read_text() == before


def test_a_file_named_on_the_command_line_cannot_be_changed_from_inside(home, demo):
    file = home.work / "deeper" / "mine.yaml"
    file.parent.mkdir()
    before = yaml(demo())
    file.write_text(before)
    flags = ("--config", str(file), "--sandbox", "web")
    done = home.run("sh", "-c", ATTACK.format(file=file), flags=flags)
    assert done.returncode == 0, done.stderr
    assert file.read_text() == before


@pytest.mark.parametrize("move", ["mv deeper old", "rm -rf deeper"])
def test_the_folder_of_the_file_cannot_be_moved_away(home, demo, move):
    file = home.work / "deeper" / "mine.yaml"
    file.parent.mkdir()
    before = yaml(demo())
    file.write_text(before)
    script = f"{move}; mkdir -p deeper; echo 'version: 1' > deeper/mine.yaml; true"
    done = home.run("sh", "-c", script, flags=("--config", str(file), "--sandbox", "web"))
    assert done.returncode == 0, done.stderr
    assert file.read_text() == before


def test_a_link_to_the_file_that_the_command_could_replace_is_refused(home, demo):
    real = home.directory / "elsewhere.yaml"
    real.write_text(yaml(demo()))
    link = home.work / "egret.yaml"
    link.symlink_to(real)
    done = home.run("sh", "-c", "rm egret.yaml; echo 'version: 1' > egret.yaml", flags=())
    assert done.returncode == 77 and "link" in done.stderr, done.stderr
    assert link.is_symlink()


def test_a_program_that_gives_a_secret_cannot_be_changed_from_inside(home):
    """The next run would start it on the host."""
    program = home.work / "program"
    text = "#!/bin/sh\necho value-of-the-secret\n"
    program.write_text(text)
    program.chmod(0o700)
    config = {
        "version": 1,
        "secrets": {"T": {"from": f"exec:{program}", "hosts": ["api.demo.test"]}},
        "sandboxes": {"default": {"secrets": ["T"]}},
    }
    file = home.directory / "mine.yaml"
    file.write_text(yaml(config))
    done = home.run("sh", "-c", ATTACK.format(file="program"), flags=("--config", str(file)))
    assert done.returncode == 0, done.stderr
    assert program.read_text() == text


def test_a_file_that_a_command_leaves_behind_does_not_govern_the_next_run(home):
    opening = yaml({"version": 1, "sandboxes": {"default": {"rules": [{"allow": "evil.example"}]}}})
    done = home.run("sh", "-c", f"cat > egret.yaml <<'END'\n{opening}END", flags=())
    assert done.returncode == 0, done.stderr
    again = curl_inside(home)
    assert again.stdout == "403", again.stderr
    home.audit.one(event="request", decision="deny", reason="host_not_allowed")


def test_a_file_found_in_the_working_directory_runs_no_program(home):
    """It may have come with a cloned repository; `--config` says that a person has read it."""
    program = home.directory / "program"
    program.write_text(f"#!/bin/sh\ntouch {home.directory}/ran\necho value-of-the-secret\n")
    program.chmod(0o700)
    config = {
        "version": 1,
        "secrets": {"T": {"from": f"exec:{program}", "hosts": ["api.demo.test"]}},
        "sandboxes": {"default": {"secrets": ["T"]}},
    }
    file = home.work / "egret.yaml"
    file.write_text(yaml(config))
    done = home.run("true", flags=())
    assert done.returncode == 2 and "--config" in done.stderr, done.stderr
    assert not (home.directory / "ran").exists()
    assert home.run("true", flags=("--config", str(file))).returncode == 0
    assert (home.directory / "ran").exists()


def test_variables_that_feed_a_secret_never_get_inside(make_home, demo, canary):
    """Not even that of a secret which this sandbox has not been granted."""
    config = demo(secrets=["DEMO_TOKEN"])
    config["sandboxes"]["other"] = {"rules": [{"allow": "api.demo.test"}]}
    home = make_home(config, {"DEMO_REAL": canary.value}, [canary])
    for sandbox in ("web", "other"):
        done = home.run("env", flags=("--sandbox", sandbox))
        assert done.returncode == 0, done.stderr
        assert "DEMO_REAL" not in done.stdout
