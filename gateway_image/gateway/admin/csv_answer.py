"""Reports as CSV (RFC 4180)."""

import csv
import io
from collections.abc import Iterable, Sequence
from urllib.parse import urlencode

from gateway.admin.front import Answer, Asked
from gateway.limits import NANO_USD

# Spreadsheets take text that begins so for a formula, and run it; the wide forms are read like the others.
_FORMULA_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_CSV = b"text/csv; charset=utf-8; header=present"


def wants_csv(asked: Asked, format: str | None) -> bool:
    """Whether the answer is to be CSV: the parameter `format` says so, or else the header `accept`."""
    if format is not None:
        return format == "csv"
    accepted = (asked.request.header(b"accept") or "").lower().split(",")
    return any(each.partition(";")[0].strip() == "text/csv" for each in accepted)


def csv_answer(
    asked: Asked, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]], next: str | None
) -> Answer:
    """Rows as a file; if there are more, the header `link` leads to them (RFC 8288)."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    headers = [(b"content-disposition", f'attachment; filename="{name}.csv"'.encode())]
    if next is not None:
        query = {key: values[0] for key, values in asked.request.query.items()}
        link = f'<{asked.request.path}?{urlencode(query | {"after": next})}>; rel="next"'
        headers.append((b"link", link.encode()))
    return Answer(text.getvalue().encode(), headers=headers, content_type=_CSV)


def usd_text(nano_usd: int | None) -> str | None:
    """An amount of money in USD, exactly."""
    if nano_usd is None:
        return None
    whole, rest = divmod(nano_usd, NANO_USD)
    return f"{whole}.{rest:09d}"


def _cell(value: object) -> object:
    """A cell that no spreadsheet takes for more than it is."""
    if isinstance(value, str) and value.startswith(_FORMULA_BEGINNINGS):
        return "'" + value
    return value
