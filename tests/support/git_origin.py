"""A real git server: git-http-backend behind fcgiwrap and nginx with TLS and Basic authentication,
as the current user, in one directory, on a port of its own."""

import os
import signal
import subprocess
from pathlib import Path

from support.nginx import Nginx
from support.waiting import wait_until

BACKEND = "/usr/lib/git-core/git-http-backend"

SERVER = """
    auth_basic "git"; auth_basic_user_file {dir}/users;
    location / {{
      fastcgi_pass unix:{dir}/fcgi.sock;
      fastcgi_read_timeout 300s;
      fastcgi_param SCRIPT_FILENAME {backend};
      fastcgi_param GIT_PROJECT_ROOT {dir}/repositories;
      fastcgi_param GIT_HTTP_EXPORT_ALL 1;
      fastcgi_param PATH_INFO $uri;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
      fastcgi_param REMOTE_USER $remote_user;
      fastcgi_param REMOTE_ADDR $remote_addr;
      fastcgi_param SERVER_PROTOCOL $server_protocol;
    }}
"""


class GitOrigin:
    """Accepts `user` with `token`. Holds one bare repository, demo.git, with one commit."""

    def __init__(
        self, directory, authority, token, user="x-access-token", name="git.demo.test", http2=False
    ):
        self.directory = Path(directory)
        self.directory.mkdir(mode=0o755)
        self._make_repository()
        self._fcgiwrap = self._start_fcgiwrap()
        (self.directory / "users").write_text(f"{user}:{{PLAIN}}{token}\n")
        server = SERVER.format(dir=self.directory, backend=BACKEND)
        self._nginx = Nginx(self.directory, authority.certificate(name), server, http2)
        self.port = self._nginx.port
        self.pin = self._nginx.pin
        self.access_log = self._nginx.access_log
        self.protocols = self._nginx.protocols

    @property
    def repository(self):
        return self.directory / "repositories" / "demo.git"

    def log_of(self, ref="main"):
        return git("log", "--format=%s", ref, cwd=self.repository).stdout.split("\n")[:-1]

    def stop(self):
        self._nginx.stop()
        # fcgiwrap does not take its workers with it: it is a group of its own.
        os.killpg(self._fcgiwrap.pid, signal.SIGTERM)
        try:
            self._fcgiwrap.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._fcgiwrap.pid, signal.SIGKILL)
            self._fcgiwrap.wait(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _make_repository(self):
        self.repository.mkdir(parents=True)
        git("init", "-q", "--bare", "-b", "main", ".", cwd=self.repository)
        git("config", "http.receivepack", "true", cwd=self.repository)
        seed = self.directory / "seed"
        git("clone", "-q", str(self.repository), str(seed), cwd=self.directory)
        # Large enough that the pack is streamed, and compressible, so that git sends it gzipped.
        (seed / "readme.txt").write_text("hello from the git origin\n" * 2000)
        git("add", ".", cwd=seed)
        git("commit", "-qm", "first", cwd=seed)
        git("push", "-q", "origin", "HEAD:main", cwd=seed)

    def _start_fcgiwrap(self):
        path = self.directory / "fcgi.sock"
        process = subprocess.Popen(
            ["fcgiwrap", "-c", "2", "-s", f"unix:{path}"],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(path.exists, what="fcgiwrap's socket")
        return process


def git_environment(extra=None):
    """git with no configuration but its own defaults, and never a prompt."""
    who = "e2e@demo.test"
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "e2e",
        "GIT_AUTHOR_EMAIL": who,
        "GIT_COMMITTER_NAME": "e2e",
        "GIT_COMMITTER_EMAIL": who,
        **(extra or {}),
    }


def git(*arguments, cwd, environment=None, check=True, seconds=60):
    return subprocess.run(
        ["git", *arguments],
        cwd=cwd,
        env=git_environment(environment),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=check,
    )
