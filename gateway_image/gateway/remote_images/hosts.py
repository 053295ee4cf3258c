"""Which hosts images may be fetched from."""

import json
import re
from dataclasses import dataclass

# Of letters, digits, '-' and '_'; the last label is no number, which would make it an address.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}$)(?:{_LABEL}\.)*(?!0x[0-9a-f]*$|[0-9]+$){_LABEL}")
_ANY = "*"
_RULE = 'is neither a host name, such as "images.example.com", nor "*.example.com" for all below one, nor "*"'


@dataclass(frozen=True, slots=True)
class ImageHosts:
    """The hosts that are allowed.

    names: exact ones. parents: those of which every host below is, each with its leading dot. any: all.
    """

    names: frozenset[str] = frozenset()
    parents: tuple[str, ...] = ()
    any: bool = False

    def __bool__(self) -> bool:
        """Whether there are any."""
        return self.any or bool(self.names or self.parents)

    def allow(self, host: str) -> bool:
        """Whether a host, in lower case, is one of them; an address never is."""
        if not is_host_name(host):
            return False
        return self.any or host in self.names or host.endswith(self.parents)


def is_host_name(host: str) -> bool:
    """Whether this is a name, in lower case and ASCII, and no address in any spelling."""
    return _NAME.fullmatch(host) is not None


def parse_image_hosts(text: str) -> ImageHosts:
    """Read a JSON array of host names; raises ValueError naming every entry that is wrong."""
    try:
        entries = json.loads(text)
    except ValueError:
        entries = None
    if not isinstance(entries, list):
        raise ValueError('is not a JSON array of host names, such as ["images.example.com"]')
    problems = [f"entry {n} {_RULE}" for n, entry in enumerate(entries, start=1) if not _is_valid(entry)]
    if problems:
        raise ValueError("; ".join(problems))
    hosts = [entry.lower() for entry in entries]
    return ImageHosts(
        names=frozenset(host for host in hosts if not host.startswith("*")),
        parents=tuple(sorted({host[1:] for host in hosts if host.startswith("*.")})),
        any=_ANY in hosts,
    )


def _is_valid(entry: object) -> bool:
    return isinstance(entry, str) and (entry == _ANY or is_host_name(entry.removeprefix("*.").lower()))
