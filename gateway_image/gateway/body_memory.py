"""How much memory the bodies of all running requests may take: each is kept until its answer is complete."""

import asyncio

from gateway.load_shedding import overloaded

# Smaller ones are bounded by the number of requests.
_SMALL_BYTES = 16 * 1024


class BodyMemory:
    """Counts the bytes of bodies; held_bytes is what they are now."""

    def __init__(self, limit_bytes: int) -> None:
        self.held_bytes = 0
        self._limit_bytes = limit_bytes

    def hold(self, size_bytes: int) -> None:
        """Count a body that is about to be read until the task of its request ends.

        Raises GatewayError 503 if there is no room for it.
        """
        if size_bytes < _SMALL_BYTES:
            return
        if self.held_bytes + size_bytes > self._limit_bytes:
            raise overloaded()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (each request runs in a task)
        self.held_bytes += size_bytes
        task.add_done_callback(lambda _: self._let_go(size_bytes))

    def _let_go(self, size_bytes: int) -> None:
        self.held_bytes -= size_bytes
