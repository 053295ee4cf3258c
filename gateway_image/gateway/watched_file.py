"""A file that may be written anew while the process runs."""

import asyncio
from pathlib import Path


class WatchedFile:
    """A file, read again when it has changed and has stopped changing."""

    poll_seconds = 0.5

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[int, ...] | None = None
        self._noticed: tuple[int, ...] | None = None

    async def fetch(self) -> bytes | None:
        """Return the content, None if it is the same as at the last fetch; raises OSError."""
        return await asyncio.to_thread(self._fetch)

    def _fetch(self) -> bytes | None:
        status = self._path.stat()
        version = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
        if version == self._read:
            return None
        if self._read is not None and version != self._noticed:
            # Whoever writes it may not have finished: look again at the next fetch.
            self._noticed = version
            return None
        content = self._path.read_bytes()
        self._read = version
        return content
