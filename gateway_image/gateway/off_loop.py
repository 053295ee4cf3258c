"""Keeps work whose time grows with a request's size away from the event loop."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

ParametersT = ParamSpec("ParametersT")
ResultT = TypeVar("ResultT")

# A thread costs about 0.1 ms, as much as decoding this much JSON.
LARGE_BYTES = 1024 * 1024


async def off_loop(
    size: int,
    function: Callable[ParametersT, ResultT],
    *arguments: ParametersT.args,
    **named: ParametersT.kwargs,
) -> ResultT:
    """Return function(*arguments): called right here for a usual size in bytes, in a thread for a large one.

    Other requests go on meanwhile, except while one call into C holds the interpreter.
    """
    if size < LARGE_BYTES:
        return function(*arguments, **named)
    return await asyncio.to_thread(function, *arguments, **named)
