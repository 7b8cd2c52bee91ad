"""nginx as an origin: as the current user, in one directory, on a port of its own."""

import os
import signal
import socket
import subprocess
from pathlib import Path

from support.waiting import wait_until

MAIN = """
daemon off;
{user}
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/nginx-error.log;
events {{ worker_connections 256; }}
http {{
  log_format seen '$request_method $request_uri $status $remote_user "$http_authorization" '
                  '$server_protocol';
  access_log {dir}/nginx-access.log seen;
  client_body_temp_path {dir}/tmp; proxy_temp_path {dir}/tmp; fastcgi_temp_path {dir}/tmp;
  uwsgi_temp_path {dir}/tmp; scgi_temp_path {dir}/tmp;
  client_max_body_size 0;
  ssl_certificate {certificate}; ssl_certificate_key {certificate};
  ssl_protocols TLSv1.2 TLSv1.3;
  server {{
    listen 127.0.0.1:{port} ssl {http2};
    {server}
  }}
}}
"""


class Nginx:
    """`server` is the inside of the one server block, `http2` whether it offers h2 beside
    HTTP/1.1. `directory` is made if need be."""

    def __init__(self, directory, certificate, server, http2=False):
        self.directory = Path(directory)
        self.directory.mkdir(mode=0o755, exist_ok=True)
        (self.directory / "tmp").mkdir()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        config = self.directory / "nginx.conf"
        config.write_text(
            MAIN.format(
                user="user root;" if os.getuid() == 0 else "",
                dir=self.directory,
                port=self.port,
                certificate=certificate,
                http2="http2" if http2 else "",
                server=server,
            )
        )
        # nginx takes over listening sockets named in this variable (its own way of upgrading
        # binaries), so the port is ours from the start and no other program can take it.
        descriptor = self._listener.fileno()
        self._process = subprocess.Popen(
            ["nginx", "-c", str(config), "-e", str(self.directory / "nginx-error.log")],
            env={"PATH": os.environ["PATH"], "NGINX": f"{descriptor};"},
            pass_fds=[descriptor],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until((self.directory / "nginx.pid").exists, what="nginx's pid file")

    @property
    def pin(self):
        """How `origins.resolve` names this origin."""
        return f"127.0.0.1:{self.port}"

    def access_log(self):
        """One line a request: method, target, status, user, "Authorization", protocol."""
        path = self.directory / "nginx-access.log"
        return path.read_text() if path.exists() else ""

    def protocols(self):
        """The protocol of each request, in the order in which they ended."""
        return [line.rsplit(" ", 1)[1] for line in self.access_log().splitlines()]

    def stop(self):
        self._listener.close()
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


RELAY = """
    location / {{
      proxy_pass http://127.0.0.1:{port};
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header X-Protocol $server_protocol;
      proxy_request_buffering off;
      proxy_buffering off;
    }}
    {more}
"""


class Http2Origin(Nginx):
    """The recording origin (origin.py) behind nginx with HTTP/2: it answers and records as always,
    and `x-protocol` of each request tells what arrived at nginx. `more` are locations beside."""

    def __init__(self, directory, authority, behind, *names, more=""):
        certificate = authority.certificate(*(names or ("*.demo.test", "demo.test")))
        relay = RELAY.format(port=behind.port, more=more)
        super().__init__(directory, certificate, relay, http2=True)
