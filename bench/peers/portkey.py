"""Portkey's open-source gateway on Node.js."""

import os
import shutil
from pathlib import Path

from bench.candidate import Candidate, Program, Surroundings, UnavailableError
from bench.load import Target
from bench.peers.installation import node_package, pinned
from bench.processes import free_port

# It listens on every address and has no setting for that. Its streams answer 500 from Node.js, as it adds
# to headers that fetch made immutable; a copy of them costs a few microseconds.
_SHIM = """
const { Server } = require("node:net");
const { listen } = Server.prototype;
Server.prototype.listen = function (port, ...rest) {
  return listen.call(this, port, "127.0.0.1", ...rest.filter((each) => typeof each !== "string"));
};
const { fetch } = globalThis;
globalThis.fetch = async (...request) => {
  const response = await fetch(...request);
  return Object.defineProperty(response, "headers", { value: new Headers(response.headers) });
};
"""


def _package(folder: Path) -> Path:
    return node_package(folder, "portkey", "@portkey-ai/gateway")


def _install(folder: Path) -> str:
    if shutil.which("node") is None:
        raise UnavailableError("Node.js is not installed; run: make install")
    _package(folder)
    version: str = pinned("portkey")["version"]
    return version


def _program(surroundings: Surroundings) -> Program:
    port = free_port()
    shim = surroundings.scratch / "shim.cjs"
    shim.write_text(_SHIM)
    server = _package(surroundings.installed) / "build/start-server.js"
    headers = {
        "authorization": "Bearer none",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": surroundings.upstream_url,
    }
    return Program(
        command=["node", "--require", str(shim), str(server), f"--port={port}", "--headless"],
        environment={"PATH": os.environ["PATH"], "NODE_ENV": "production"},
        target=Target(port=port, headers=headers),
    )


PORTKEY = Candidate(name="Portkey", duties="routes; no keys, no limits", install=_install, program=_program)
