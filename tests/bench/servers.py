"""The servers that the clients are measured against, started on the spot and pinned to a core.

nginx serves a fixed file with a content length; ``streams.c``, compiled here, sends one HTTP chunk an
event, all at once or paced. nginx also stands before that one where TLS is asked for.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import trustme

from tests.bench.cores import pinned

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).with_name("streams.c")

NGINX = """\
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  default_type text/event-stream;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  open_file_cache max=16;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ root {directory}; try_files /reply =404; error_page 405 =200 /reply; }}
  }}
}}
"""


TLS = """\
daemon off;
master_process off;
pid {directory}/tls.pid;
error_log stderr warn;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {directory}/tls-body;
  proxy_temp_path {directory}/tls-proxy;
  keepalive_requests 100000000;
  upstream streams {{ server {upstream}; keepalive 2000; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} ssl backlog=4096;
    ssl_certificate {directory}/tls.pem;
    ssl_certificate_key {directory}/tls.pem;
    location / {{
      proxy_pass http://streams;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


class MissingToolError(Exception):
    """A program that the suite needs is not installed; the message says how to get it."""


@contextmanager
def whole(body: bytes, directory: Path, core: int | None) -> Iterator[str]:
    """nginx, answering every request with the body and its content length. Yields its base URL."""
    port = _free_port()
    (directory / "reply").write_bytes(body)
    (directory / "nginx.conf").write_text(NGINX.format(directory=directory, port=port))
    command = [find("nginx", "nginx-light"), "-e", "stderr", "-p", str(directory), "-c", "nginx.conf"]
    with _running(command, core):
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def streamed(body: bytes, directory: Path, core: int | None, *, pace: float | None) -> Iterator[str]:
    """The C server: one HTTP chunk an event, ``pace`` events a second a stream, or all at once."""
    program = compiled(directory)
    (directory / "reply").write_bytes(body)
    interval = str(round(1e6 / pace)) if pace else "0"
    with _running([str(program), str(directory / "reply"), interval], core) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"


@contextmanager
def encrypted(base_url: str, directory: Path, core: int | None) -> Iterator[str]:
    """nginx, passing on what the server there sends, event by event, over TLS. Yields its own base URL.

    The authority that clients must trust is in ``authority.pem``.
    """
    port = _free_port()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "authority.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(directory / "tls.pem")
    conf = TLS.format(directory=directory, port=port, upstream=base_url.removeprefix("http://"))
    (directory / "tls.conf").write_text(conf)
    command = [find("nginx", "nginx-light"), "-e", "stderr", "-p", str(directory), "-c", "tls.conf"]
    with _running(command, core):
        _wait_for(port)
        yield f"https://127.0.0.1:{port}"


def standing(base_url: str) -> dict[str, int]:
    """What the C server has sent, and how late it was itself."""
    with urlopen(base_url) as response:
        value: dict[str, int] = json.load(response)
    return value


def compiled(directory: Path) -> Path:
    """The C server's program."""
    program = directory / "streams"
    if not program.exists():
        command = [find("cc", "gcc"), "-O2", "-Wall", "-Wextra", "-o", str(program), str(SOURCE)]
        subprocess.run(command, check=True)
    return program


def find(program: str, package: str) -> str:
    """Where a program is. Raises ``MissingToolError``."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if path is None:
        raise MissingToolError(f"{program} is not installed; on Debian: apt-get install {package}")
    return path


@contextmanager
def _running(command: list[str], core: int | None) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([*pinned(core), *command], stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server
        finally:
            server.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise MissingToolError("nginx did not start")
