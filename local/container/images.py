"""The gateway's image, and a stand-in for its base image where no registry can be reached."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from local.container.docker import Docker
from local.errors import LocalError

CONTEXT = Path(__file__).parents[2] / "gateway_image"
_CA_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_BUILD_SECONDS = 600
# What of this machine's pip configuration makes sense within a build.
_PIP_OPTIONS = ("index-url", "extra-index-url", "trusted-host", "proxy")


class ImageError(LocalError):
    """An image cannot be made; the message says why."""


def base_image() -> str:
    """The base image that the Dockerfile names, such as python:3.13-slim-trixie. Raises ImageError."""
    match = re.search(r"^ARG BASE_IMAGE=(\S+)$", (CONTEXT / "Dockerfile").read_text(), re.MULTILINE)
    if match is None:
        raise ImageError("gateway_image/Dockerfile has no line ARG BASE_IMAGE=<image>")
    return match[1]


def import_base_image(docker: Docker) -> None:
    """Make the base image from Debian's packages, under its own name.

    It trusts the certificate authorities that this machine trusts, as its network may need.
    Raises ImageError.
    """
    name = base_image()
    match = re.fullmatch(r"python:(\d+\.\d+)-slim-([a-z]+)", name)
    if match is None:
        raise ImageError(
            f"no stand-in for the base image {name}; there is one for python:<version>-slim-<release>"
        )
    version, release = match.groups()
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "base.tar")
        command = [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            "--include=ca-certificates,python3,python3-pip",
            f"--customize-hook=upload {_CA_CERTIFICATES} {_CA_CERTIFICATES}",
            # The first fails where Debian's Python is not the version that the name promises.
            f'--customize-hook=test -x "$1/usr/bin/python{version}"',
            f'--customize-hook=ln -s /usr/bin/python{version} "$1/usr/local/bin/python"',
            release,
            str(archive),
        ]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise ImageError(f"mmdebstrap cannot make {name}:\n{result.stderr.strip()}")
        path = "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        docker.run("import", "--change", path, str(archive), name)


def build_gateway_image(docker: Docker, tag: str) -> None:
    """Build the Dockerfile; pip in it uses the indexes that this machine's pip uses. Raises DockerError."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as pip_configuration:
        pip_configuration.write(_pip_configuration())
        pip_configuration.flush()
        secret = f"id=pip,src={pip_configuration.name}"
        docker.run(
            "build",
            "--network=host",
            "--secret",
            secret,
            "--tag",
            tag,
            str(CONTEXT),
            timeout_seconds=_BUILD_SECONDS,
        )


def _pip_configuration() -> str:
    command = [sys.executable, "-m", "pip", "config", "list"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise ImageError(f"pip does not tell its configuration:\n{result.stderr.strip()}")
    lines = ["[global]", f"cert = {_CA_CERTIFICATES}"]
    for name, value in re.findall(r"^(?:global|:env:)\.([a-z-]+)='(.*)'$", result.stdout, re.MULTILINE):
        # A folder of this machine is none of the build's.
        remote = [word for word in value.split() if not word.startswith(("/", "file:"))]
        if name in _PIP_OPTIONS and remote:
            lines.append(f"{name} = {' '.join(remote)}")
    return "\n".join(lines) + "\n"
