"""nginx's proxy_pass: no gateway, but the least that forwarding can cost."""

import re
import shutil
import subprocess
from pathlib import Path

from bench.candidate import Candidate, Program, Surroundings, UnavailableError
from bench.load import Target
from bench.peers.installation import run
from bench.processes import free_port

_CONFIGURATION = """
daemon off;
worker_processes 1;
pid {scratch}/nginx.pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {scratch}; proxy_temp_path {scratch};
  fastcgi_temp_path {scratch}; uwsgi_temp_path {scratch}; scgi_temp_path {scratch};
  keepalive_requests 10000000;
  upstream provider {{ server {provider}; keepalive 128; keepalive_requests 10000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


def _program_file(folder: Path) -> Path:
    found = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    return Path(found) if found else folder / "nginx/usr/sbin/nginx"


def _install(folder: Path) -> str:
    program = _program_file(folder)
    if not program.exists():
        root = folder / "nginx"
        root.mkdir(parents=True, exist_ok=True)
        try:
            # Unpacked, not installed: Debian's package would start a server on port 80.
            run(["apt-get", "download", "nginx"], root)
            package = next(root.glob("nginx_*.deb"))
            run(["dpkg-deb", "--extract", str(package), str(root)])
        except UnavailableError as error:
            raise UnavailableError(f"nginx is not installed, and {error}") from error
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=False).stderr
    version = re.search(r"nginx/([\d.]+)", said)
    if version is None:
        raise UnavailableError(f"nginx does not start: {said.strip()}")
    return version[1]


def _program(surroundings: Surroundings) -> Program:
    port = free_port()
    configuration = surroundings.scratch / "nginx.conf"
    provider = surroundings.upstream_url.removeprefix("http://").removesuffix("/v1")
    configuration.write_text(
        _CONFIGURATION.format(scratch=surroundings.scratch, port=port, provider=provider)
    )
    command = [str(_program_file(surroundings.installed)), "-e", "stderr", "-c", str(configuration)]
    return Program(command=command, target=Target(port=port))


NGINX = Candidate(name="nginx proxy_pass", duties="nothing: the limit", install=_install, program=_program)
