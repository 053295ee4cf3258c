"""Regions that are lost for a while: the emulator refuses every request that is signed for one of them.

A region is lost while a file of its name is in the folder. Whoever asks all the same is written into it, so
that a test can see that nobody did.
"""

from pathlib import Path

from ministack.core.router import extract_signed_region

from local.emulator.asgi import Application, Receive, Scope, Send, answer, header


def with_outages(app: Application, folder: Path) -> Application:
    """The emulator's ASGI application, behind a front that refuses the regions of `folder`."""

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        lost = _lost_region(scope, folder)
        if lost is None:
            await app(scope, receive, send)
            return
        with lost.open("a") as asked:
            asked.write(f"{scope['method']} {scope['path']} {header(scope, b'x-amz-target')}\n")
        await answer(send, 503, "")  # as a load balancer without targets does

    return front


def _lost_region(scope: Scope, folder: Path) -> Path | None:
    region = extract_signed_region({"authorization": header(scope, b"authorization")})
    file = folder / region if region else None
    return file if file is not None and file.exists() else None
