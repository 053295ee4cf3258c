"""The rules that cdk-nag's packs ask: its reports hold only those that found something."""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass
from importlib.metadata import distribution, version
from pathlib import Path

# Each pack's name and the module of it within the library.
PACKS = {"AwsSolutions": "aws-solutions", "NIST.800.53.R5": "nist-800-53-r5"}
_STRING = r"""(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")"""
_RULE = re.compile(
    rf"applyRule\(\{{\s*(?:ruleSuffixOverride: '(?P<suffix>\w+)',\s*)?info: {_STRING},"
    r".*?rule: \w+\.(?P<name>\w+),",
    re.DOTALL,
)


@dataclass(frozen=True)
class Rule:
    """A rule by its ID, such as AwsSolutions-S1.

    finding: what it says where it finds something, with the controls of the standard that it belongs to.
    """

    id: str
    finding: str


def rules_of(pack: str) -> list[Rule]:
    """The rules of a pack, one of PACKS, in the order of their IDs."""
    source = _source(f"package/lib/packs/{PACKS[pack]}.js")
    found = {
        f"{pack}-{match['suffix'] or match['name']}": _unescaped(match[2] or match[3])
        for match in _RULE.finditer(source)
    }
    return [Rule(id_, found[id_]) for id_ in sorted(found)]


def version_of_packs() -> str:
    """The version of cdk-nag, which all packs share."""
    return version("cdk-nag")


def _source(member: str) -> str:
    # The Python package carries the library as its authors wrote it and no list of its own. It is found
    # without being imported: that would start Node.js.
    (archive,) = Path(str(distribution("cdk-nag").locate_file("cdk_nag"))).glob("_jsii/*.tgz")
    with tarfile.open(archive) as library:
        file = library.extractfile(member)
        if file is None:
            raise FileNotFoundError(member)
        return file.read().decode()


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
