"""A real git server: git-http-backend behind fcgiwrap and nginx with TLS and Basic authentication,
as the current user, in one directory, on a port of its own."""

import os
import signal
import socket
import subprocess
from pathlib import Path

from support.waiting import wait_until

BACKEND = "/usr/lib/git-core/git-http-backend"

NGINX = """
daemon off;
{user}
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/nginx-error.log;
events {{ worker_connections 64; }}
http {{
  log_format seen '$request_method $request_uri $status $remote_user "$http_authorization"';
  access_log {dir}/nginx-access.log seen;
  client_body_temp_path {dir}/tmp; proxy_temp_path {dir}/tmp; fastcgi_temp_path {dir}/tmp;
  uwsgi_temp_path {dir}/tmp; scgi_temp_path {dir}/tmp;
  client_max_body_size 0;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {certificate}; ssl_certificate_key {certificate};
    ssl_protocols TLSv1.2 TLSv1.3;
    auth_basic "git"; auth_basic_user_file {dir}/users;
    location / {{
      fastcgi_pass unix:{dir}/fcgi.sock;
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
  }}
}}
"""


class GitOrigin:
    """Accepts `user` with `token`. Holds one bare repository, demo.git, with one commit."""

    def __init__(self, directory, authority, token, user="x-access-token", name="git.demo.test"):
        self.directory = Path(directory)
        self.directory.mkdir(mode=0o755)
        (self.directory / "tmp").mkdir()
        self._processes = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        (self.directory / "users").write_text(f"{user}:{{PLAIN}}{token}\n")
        self._make_repository()
        self._start_fcgiwrap()
        self._start_nginx(authority.certificate(name))

    @property
    def pin(self):
        return f"127.0.0.1:{self.port}"

    @property
    def repository(self):
        return self.directory / "repositories" / "demo.git"

    def access_log(self):
        path = self.directory / "nginx-access.log"
        return path.read_text() if path.exists() else ""

    def log_of(self, ref="main"):
        return git("log", "--format=%s", ref, cwd=self.repository).stdout.split("\n")[:-1]

    def stop(self):
        self._listener.close()
        for process in reversed(self._processes):
            # fcgiwrap does not take its workers with it: each program is a group of its own.
            os.killpg(process.pid, signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)

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
        self._processes.append(
            subprocess.Popen(
                ["fcgiwrap", "-c", "2", "-s", f"unix:{path}"],
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        wait_until(path.exists, what="fcgiwrap's socket")

    def _start_nginx(self, certificate):
        config = self.directory / "nginx.conf"
        config.write_text(
            NGINX.format(
                user="user root;" if os.getuid() == 0 else "",
                dir=self.directory,
                port=self.port,
                certificate=certificate,
                backend=BACKEND,
            )
        )
        # nginx takes over listening sockets named in this variable (its own way of upgrading
        # binaries), so the port is ours from the start and no other program can take it.
        descriptor = self._listener.fileno()
        self._processes.append(
            subprocess.Popen(
                ["nginx", "-c", str(config), "-e", str(self.directory / "nginx-error.log")],
                env={"PATH": os.environ["PATH"], "NGINX": f"{descriptor};"},
                pass_fds=[descriptor],
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        wait_until((self.directory / "nginx.pid").exists, what="nginx's pid file")


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
