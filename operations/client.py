"""The gateway's admin API: asks again what may be asked again, and says plainly what went wrong."""

from __future__ import annotations

import random
import ssl
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import parse_qs, quote, urlsplit

import click

from operations.errors import RefusedError, UnreachableError, WrongUsageError
from operations.failures import is_certificate_error, is_lasting, reason_of
from operations.profile import Connection, is_loopback
from operations.text import clean

if TYPE_CHECKING:
    # Loading it takes longer than everything else that --help does.
    import httpx

ADMIN = "/admin/v1"
Query = Mapping[str, str | int | Sequence[str] | None]

# The gateway or what stands before it is away for a moment: a balancer answers 502 and 504 meanwhile.
_PASSING = frozenset({502, 503, 504})
# The code of a region that stands by, as it may for months.
_READ_ONLY_REGION = b'"read_only_region"'
_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 3.0
_CONNECT_SECONDS = 5.0
_PATIENCE_SECONDS = 2.0
# The admin API gives up to 500 of everything, and 5,000 rows of reports.
PAGE = 200
_CSV_PAGE = 5000


class Answer(NamedTuple):
    """What the gateway said. replayed: the change had been made by an earlier, lost try of this command."""

    body: Any
    etag: str | None
    replayed: bool


class Gateway:
    """One gateway's admin API. timeout_seconds bounds each request with all its repetitions."""

    def __init__(self, connection: Connection, key: str, *, quiet: bool = False) -> None:
        import httpx

        self.endpoint = connection.endpoint
        self._timeout_seconds = connection.timeout_seconds
        self._quiet = quiet
        self._client = httpx.Client(
            base_url=connection.endpoint,
            headers={"authorization": f"Bearer {key}", "accept": "application/json"},
            verify=_certificates(connection),
            # A proxy from the environment would get what is meant for this machine, unencrypted.
            trust_env=not is_loopback(httpx.URL(connection.endpoint).host),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, query: Query | None = None) -> Any:
        """Read one thing; raises RefusedError, UnreachableError."""
        return self.read(path, query).body

    def read(self, path: str, query: Query | None = None) -> Answer:
        """Read one thing with its ETag; raises as get."""
        return self._answer(self._send("GET", path, query=query))

    def csv_pages(self, path: str, query: Query, *, at_most: int | None = None) -> Iterator[str]:
        """Read a report as one CSV file, page by page, up to a number of rows; raises as get."""
        after: str | None = None
        seen = 0
        while at_most is None or seen < at_most:
            limit = _CSV_PAGE if at_most is None else min(_CSV_PAGE, at_most - seen)
            page = {**query, "format": "csv", "limit": limit, "after": after}
            response = self._send("GET", path, query=page, headers={"accept": "text/csv"})
            self._refuse(response)
            if not response.headers.get("content-type", "").startswith("text/csv"):
                raise self._is_none(response)
            header, rest = response.text.split("\r\n", 1)
            yield rest if after else f"{header}\r\n{rest}"
            seen += limit
            after = _next_page(response)
            if after is None:
                return

    def pages(
        self, path: str, query: Query | None = None, *, at_most: int | None = None, page_size: int = PAGE
    ) -> Iterator[Any]:
        """Read a list, page by page, up to a number of items; raises as get."""
        after: str | None = None
        seen = 0
        while at_most is None or seen < at_most:
            limit = page_size if at_most is None else min(page_size, at_most - seen)
            page = self.get(path, {**(query or {}), "limit": limit, "after": after})
            yield from page["data"]
            seen += len(page["data"])
            after = page.get("next")
            if not page.get("has_more") or after is None:
                return

    def change(
        self, method: str, path: str, body: object = None, *, etag: str | None = None, new: bool = False
    ) -> Answer:
        """Change something, once however often it is sent; raises as get.

        etag: change it only if it is still as it was read; new: only if it does not exist yet. A
        RefusedError of status 412 tells that it is not so.
        """
        headers = {"idempotency-key": uuid.uuid4().hex}
        if etag is not None:
            headers["if-match"] = etag
        if new:
            headers["if-none-match"] = "*"
        answer = self._answer(self._send(method, path, body=body, headers=headers))
        for warning in answer.body.get("warnings") or [] if isinstance(answer.body, dict) else []:
            click.echo(click.style("Warning: ", fg="yellow") + clean(warning_text(warning)), err=True)
        return answer

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        import httpx

        deadline = time.monotonic() + self._timeout_seconds
        wait = _FIRST_WAIT_SECONDS
        given = {name: value for name, value in (query or {}).items() if value is not None}
        with Patience(f"Waiting for {self.endpoint}", quiet=self._quiet) as patience:
            while True:
                left = max(deadline - time.monotonic(), 0.05)
                asked_to_wait = 0.0
                response = failure = None
                try:
                    response = self._client.request(
                        method,
                        ADMIN + path,
                        params=given,
                        json=body,
                        headers=headers,
                        timeout=httpx.Timeout(left, connect=min(left, _CONNECT_SECONDS)),
                    )
                    if not _passes(response):
                        return response
                    asked_to_wait = _retry_after_seconds(response)
                    patience.reason = f"it answers {response.status_code}"
                except httpx.TransportError as error:
                    failure = error
                    if is_lasting(error):
                        raise self._unreachable(failure) from None
                    patience.reason = reason_of(error)
                pause = max(asked_to_wait, random.uniform(wait / 2, wait))  # noqa: S311 (no secret)
                if time.monotonic() + pause >= deadline:
                    if response is not None:
                        return response
                    assert failure is not None  # noqa: S101 (one of the two was set above)
                    raise self._unreachable(failure) from None
                time.sleep(pause)
                wait = min(wait * 2, _LONGEST_WAIT_SECONDS)

    def _answer(self, response: httpx.Response) -> Answer:
        self._refuse(response)
        replayed = response.headers.get("idempotent-replayed") == "true"
        etag = response.headers.get("etag")
        if response.status_code == 204 or not response.content:
            return Answer(None, etag, replayed)
        try:
            return Answer(response.json(), etag, replayed)
        except ValueError:
            raise self._is_none(response) from None

    def _refuse(self, response: httpx.Response) -> None:
        if response.is_success:
            return
        try:
            error = response.json()["error"]
            message, code = error["message"], error.get("code")
        except (ValueError, LookupError, TypeError, AttributeError):
            raise self._is_none(response) from None
        request_id = response.headers.get("x-request-id", "none")
        lines = _field_errors(error) or [str(message)]
        lines.append(f"(HTTP {response.status_code}, {code}, request ID {request_id})")
        raise RefusedError("\n".join(map(clean, lines)), status=response.status_code, code=code)

    def _is_none(self, response: httpx.Response) -> UnreachableError:
        kind = clean(response.headers.get("content-type", "nothing"))
        return UnreachableError(
            f"what answers at {self.endpoint} is no gateway's admin API "
            f"(HTTP {response.status_code}, {kind}); is the endpoint right?"
        )

    def _unreachable(self, error: httpx.TransportError) -> UnreachableError:
        hint = ""
        if is_certificate_error(error):
            hint = "; if it comes from an authority of your own, name that with --ca-file"
        return UnreachableError(f"the gateway at {self.endpoint} cannot be reached: {reason_of(error)}{hint}")


class Patience:
    """Says on stderr, once, what a command is waiting for, if it takes longer than people like."""

    def __init__(self, what: str, *, quiet: bool) -> None:
        self.reason: str | None = None
        self._what = what
        self._timer = threading.Timer(_PATIENCE_SECONDS, self._say)
        self._timer.daemon = True
        self._quiet = quiet

    def __enter__(self) -> Self:
        if not self._quiet:
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _say(self) -> None:
        click.echo(f"{self._what}{f': {self.reason}' if self.reason else ''} ...", err=True)


def part(text: str) -> str:
    """A name or ID as one part of a path."""
    return quote(text, safe="")


def warning_text(warning: object) -> str:
    """A warning of the gateway: a text, or an object with a message."""
    return str(warning.get("message", warning) if isinstance(warning, dict) else warning)


def _certificates(connection: Connection) -> ssl.SSLContext | bool:
    if connection.ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=connection.ca_file)
    except (OSError, ssl.SSLError):
        raise WrongUsageError(
            f"the CA file {connection.ca_file} cannot be read or holds no certificate"
        ) from None


def _field_errors(error: Any) -> list[str]:
    """What the gateway says of each of several fields at fault."""
    details = error.get("errors")
    if not isinstance(details, list) or len(details) < 2:
        return []
    lines = [f"{len(details)} fields have to change:"]
    for detail in details:
        value = detail.get("value")
        given = "is missing" if value is None else f"is {value}"
        lines.append(f"  {detail.get('field')} {given}; allowed: {detail.get('allowed')}")
    return lines


def _passes(response: httpx.Response) -> bool:
    """Whether the same request may soon be answered otherwise."""
    return response.status_code in _PASSING and _READ_ONLY_REGION not in response.content


def _retry_after_seconds(response: httpx.Response) -> float:
    try:
        return max(0.0, float(response.headers.get("retry-after", "")))
    except ValueError:
        return 0.0


def _next_page(response: httpx.Response) -> str | None:
    """What asks for the page behind this one, as the header `link` has it (RFC 8288)."""
    link = response.links.get("next", {}).get("url", "")
    found = parse_qs(urlsplit(link).query).get("after")
    return found[0] if found else None
