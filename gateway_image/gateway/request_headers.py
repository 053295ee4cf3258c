"""A request's headers, for those who may see them: without the caller's credentials."""

from collections.abc import Iterator, Mapping

_CREDENTIAL_HEADERS = frozenset(
    {b"authorization", b"proxy-authorization", b"x-api-key", b"api-key", b"cookie"}
)


class RequestHeaders(Mapping[str, str]):
    """Decodes a header when it is asked for: most requests are answered without looking at any."""

    def __init__(self, raw: Mapping[bytes, bytes]) -> None:
        self._raw = raw

    def __getitem__(self, name: str) -> str:
        key = name.encode("latin-1", errors="replace")
        if key in _CREDENTIAL_HEADERS:
            raise KeyError(name)
        return self._raw[key].decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return (name.decode("latin-1") for name in self._raw if name not in _CREDENTIAL_HEADERS)

    def __len__(self) -> int:
        return sum(1 for _ in self)
