"""pip, apt and wget inside a sandbox, against servers on loopback; npm is in clients/.
apt and wget know no variable for authorities: they find Egret's in the system's own file."""

import shutil

import pytest

from support.registries import debian_repository, serve, simple_index

PIP = """
  set -e
  /usr/bin/python3 -m pip --isolated --disable-pip-version-check --no-cache-dir install -q \\
    --index-url "$1/simple/" --target target --root-user-action ignore greeting-words
  PYTHONPATH=target /usr/bin/python3 -c 'import greeting_words; print(greeting_words.text)'
"""

APT = """
  set -e
  mkdir -p apt/lists/partial apt/cache/archives/partial apt/etc/apt.conf.d apt/etc/preferences.d
  echo "deb [trusted=yes] $1/debian stable main" > apt/etc/sources.list
  : > apt/status
  cat > apt.conf <<END
    Dir::State "$PWD/apt"; Dir::State::lists "$PWD/apt/lists"; Dir::State::status "$PWD/apt/status";
    Dir::Cache "$PWD/apt/cache"; Dir::Etc "$PWD/apt/etc"; Dir::Log "$PWD/apt";
    APT::Sandbox::User ""; Acquire::Languages "none"; Acquire::Retries "0";
END
  export APT_CONFIG="$PWD/apt.conf"
  apt-get update
  apt-get install -y --download-only greeting-words
  dpkg-deb --fsys-tarfile apt/cache/archives/greeting-words_1.0_all.deb | tar xO ./words.txt
"""

HOSTS = pytest.mark.parametrize("host", ["api.demo.test", "h2.demo.test"])


def ran(home, script, base):
    done = home.run("sh", "-c", script, "sh", base, seconds=50)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@HOSTS
def test_pip_installs_from_a_simple_index(client_home, origin, host):
    serve(origin, simple_index())
    assert ran(client_home, PIP, f"https://{host}") == "hello from pip\n"
    assert client_home.audit.records(event="request", decision="deny") == []


def test_pip_says_that_its_index_is_refused(client_home, origin):
    done = client_home.run("sh", "-c", PIP, "sh", "https://evil.example")
    assert done.returncode != 0 and "greeting-words" in done.stderr
    client_home.audit.wait_for(event="request", decision="deny", host="evil.example")
    origin.assert_untouched()


@pytest.mark.parametrize("base", ["https://api.demo.test", "http://api.demo.test",
                                  "https://h2.demo.test"])  # fmt: skip
def test_apt_updates_and_downloads_from_a_mirror(client_home, directory, origin, base):
    assert shutil.which("apt-get"), "these tests are for Debian"
    serve(origin, debian_repository(directory))
    assert ran(client_home, APT, base).endswith("hello from apt\n")


def test_apt_says_that_its_mirror_is_refused(client_home, origin):
    done = client_home.run("sh", "-c", APT, "sh", "http://evil.example")
    assert done.returncode != 0 and "403" in done.stdout + done.stderr
    origin.assert_untouched()


@HOSTS
def test_wget_downloads(client_home, origin, host):
    done = client_home.run("wget", "-nv", "-O", "got", f"https://{host}/fixed/1000")
    assert done.returncode == 0, done.stderr
    assert (client_home.work / "got").read_bytes() == b"x" * 1000


def test_the_systems_own_file_of_authorities_names_egrets(client_home):
    done = client_home.run("sh", "-c", 'cmp /etc/ssl/certs/ca-certificates.crt "$SSL_CERT_FILE"')
    assert done.returncode == 0, done.stdout
