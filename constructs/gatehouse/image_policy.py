"""Releases of other gateways that must not run: malicious, or known to be open to attack."""

import re
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

VERSION = r"v?(\d+)\.(\d+)\.(\d+)([.\-+]?[0-9A-Za-z][0-9A-Za-z.\-+]*)?"
# Major, minor, patch; then 0, or -1 for what came before the release itself.
Version = tuple[int, int, int, int]


class Advisory(NamedTuple):
    """A weakness of LiteLLM's releases from `introduced` until before `fixed`.

    `published` is the day on which `source`, the page that says so, was.
    """

    identifier: str
    introduced: tuple[int, int, int]
    fixed: tuple[int, int, int]
    published: date
    summary: str
    source: str


_FIRST = (0, 0, 0)
_GITHUB = "https://github.com/BerriAI/litellm/security/advisories"

# Read on 2026-11-21. None is known for DIAL Core.
ADVISORIES: tuple[Advisory, ...] = (
    Advisory(
        "CVE-2026-35029",
        _FIRST,
        (1, 83, 0),
        date(2026, 4, 6),
        "any caller may rewrite the configuration and run code",
        f"{_GITHUB}/GHSA-53mr-6c8q-9789",
    ),
    Advisory(
        "CVE-2026-35030",
        _FIRST,
        (1, 83, 0),
        date(2026, 4, 6),
        "a forged token is taken for another user's",
        f"{_GITHUB}/GHSA-jjhc-v7c2-5hh6",
    ),
    Advisory(
        "PyPI 2026-03-24",
        (1, 82, 7),
        (1, 82, 9),
        date(2026, 3, 24),
        "packages of this version were malicious",
        "https://docs.litellm.ai/blog/security-update-march-2026",
    ),
    Advisory(
        "CVE-2026-42208",
        (1, 81, 16),
        (1, 83, 7),
        date(2026, 5, 8),
        "SQL injection before authentication, exploited in the wild",
        f"{_GITHUB}/GHSA-r75f-5x8p-qvmc",
    ),
    Advisory(
        "CVE-2026-42203",
        (1, 80, 5),
        (1, 83, 7),
        date(2026, 5, 8),
        "any caller may run code through a prompt template",
        f"{_GITHUB}/GHSA-xqmj-j6mv-4862",
    ),
    Advisory(
        "CVE-2026-42271",
        (1, 74, 2),
        (1, 83, 7),
        date(2026, 5, 8),
        "any caller may run commands through the MCP test endpoints, exploited in the wild",
        f"{_GITHUB}/GHSA-v4p8-mg3p-g94g",
    ),
    Advisory(
        "CVE-2026-40217",
        (1, 81, 8),
        (1, 83, 10),
        date(2026, 4, 10),
        "code of custom guardrails leaves its sandbox",
        "https://github.com/advisories/GHSA-wxxx-gvqv-xp7p",
    ),
    Advisory(
        "CVE-2026-47102",
        _FIRST,
        (1, 83, 10),
        date(2026, 5, 21),
        "users may make themselves administrators",
        "https://www.cve.org/CVERecord?id=CVE-2026-47102",
    ),
    Advisory(
        "CVE-2026-47101",
        _FIRST,
        (1, 83, 14),
        date(2026, 5, 21),
        "users may create keys for administrators' routes",
        "https://www.cve.org/CVERecord?id=CVE-2026-47101",
    ),
    Advisory(
        "CVE-2026-49468",
        _FIRST,
        (1, 84, 0),
        date(2026, 6, 16),
        "a forged Host header goes around authentication",
        f"{_GITHUB}/GHSA-4xpc-pv4p-pm3w",
    ),
)
# Images whose version is known, whatever a configuration says of them.
DIGESTS = {
    "sha256:7c311546c25e7bb6e8cafede9fcd3d0d622ac636b5c9418befaa32e85dfb0186": "1.82.6",
}
_LITELLM = re.compile(r"(^|/)litellm[^/]*$")


def parse_version(text: str) -> Version:
    """The parts of a version such as `v1.83.10-stable.patch.3` that say which of two came first.

    Raises ValueError for a text that does not match VERSION.
    """
    match = re.fullmatch(VERSION, text)
    if match is None:
        raise ValueError(f"{text!r} is no version: three numbers with dots, and a suffix at most")
    major, minor, patch, suffix = match.groups()
    early = re.search(r"rc|dev|alpha|beta|nightly|(?<![a-z])[ab]\d", suffix or "")
    return int(major), int(minor), int(patch), -1 if early else 0


def advisories(uri: str, version: str, *, is_litellm: bool) -> Iterator[Advisory]:
    """What is known against an image: by its digest, else by the version that it is said to have.

    `uri` ends with `@` and a digest. An image is LiteLLM's if it `is_litellm` or its repository is called so.
    """
    repository, _, digest = uri.partition("@")
    if not is_litellm and _LITELLM.search(repository) is None:
        return
    actual = parse_version(DIGESTS.get(digest, version))
    for advisory in ADVISORIES:
        if (*advisory.introduced, 0) <= actual < (*advisory.fixed, 0):
            yield advisory
