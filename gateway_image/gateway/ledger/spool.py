"""Rows that wait to be written, in memory and within bounds."""

from collections import deque
from itertools import islice

# About two minutes of 800 requests a second; longer at the pace of one process.
MOST_ROWS = 100_000
MOST_BYTES = 64 * 1024 * 1024
# Of one batch.
_BATCH_BYTES = 4 * 1024 * 1024


class Spool:
    """Encoded rows, the oldest first. They stay until they are removed: whoever writes them may fail."""

    def __init__(self, *, most_rows: int = MOST_ROWS, most_bytes: int = MOST_BYTES) -> None:
        self._most_rows = most_rows
        self._most_bytes = most_bytes
        self._rows: deque[bytes] = deque()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: bytes) -> bool:
        """Take a row; False if it is full."""
        if len(self._rows) >= self._most_rows or self.bytes + len(row) > self._most_bytes:
            return False
        self._rows.append(row)
        self.bytes += len(row)
        return True

    def batch(self, most_rows: int) -> list[bytes]:
        """The oldest rows, at least one if there is any; they stay."""
        batch: list[bytes] = []
        size = 0
        for row in islice(self._rows, most_rows):
            size += len(row)
            if batch and size > _BATCH_BYTES:
                break
            batch.append(row)
        return batch

    def remove(self, count: int) -> None:
        """Forget the oldest rows."""
        for _ in range(count):
            self.take()

    def take(self) -> bytes:
        """Take the oldest row out; IndexError if there is none."""
        row = self._rows.popleft()
        self.bytes -= len(row)
        return row
