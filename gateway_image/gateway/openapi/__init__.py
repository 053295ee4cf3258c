"""GET /openapi.json: the description of this API. It names no model, so anybody may read it."""

from functools import cache
from pathlib import Path

from gateway.request import Request

# Written by `python -m gateway.openapi`.
DOCUMENT = Path(__file__).with_name("openapi.json")


async def describe(request: Request) -> None:
    """Answer with the document."""
    await request.respond(200, _document())


# Read when somebody asks: few do, and a small file is read faster than a thread is started.
@cache
def _document() -> bytes:
    return DOCUMENT.read_bytes()
