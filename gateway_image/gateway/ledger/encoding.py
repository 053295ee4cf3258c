"""Rows as they wait, as they are sent and as they stand in the log: JSON."""

import msgspec

from gateway.ledger.row import UsageRow

_ENCODER = msgspec.json.Encoder()
# PostgreSQL's text can hold every character but this one.
_NUL = b"\\u0000"


def encode(row: UsageRow) -> bytes:
    """A row that PostgreSQL can take: characters that it or UTF-8 cannot hold are replaced."""
    try:
        encoded = _ENCODER.encode(row)
    except UnicodeEncodeError:
        encoded = _NUL
    return _ENCODER.encode(_with_clean_text(row)) if _NUL in encoded else encoded


def _with_clean_text(row: UsageRow) -> UsageRow:
    texts = {
        name: value.encode(errors="replace").decode().replace("\0", "�")
        for name, value in msgspec.structs.asdict(row).items()
        if isinstance(value, str)
    }
    return msgspec.structs.replace(row, **texts)
