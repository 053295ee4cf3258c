"""Reads the validation report of a synthesized cloud assembly and writes it as one page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operations.compliance.rule_packs import PACKS, Rule, rules_of, version_of_packs
from operations.errors import WrongUsageError

_REPORT = "validation-report.json"


@dataclass(frozen=True)
class Finding:
    """What a rule found at a construct; `reason` says why it is safe there, None where nobody has said so."""

    pack: str
    rule: str
    description: str
    construct: str
    reason: str | None


@dataclass(frozen=True)
class Pack:
    """A pack of rules that judged the stacks.

    rules: empty where only those that found something are known.
    """

    name: str
    version: str
    rules: Sequence[Rule]


@dataclass(frozen=True)
class Compliance:
    """The packs that judged an environment and all that they found."""

    environment: str
    packs: Sequence[Pack]
    findings: Sequence[Finding]

    @property
    def open(self) -> list[Finding]:
        """What nobody has acknowledged."""
        return [finding for finding in self.findings if finding.reason is None]

    @property
    def acknowledged(self) -> list[Finding]:
        """What has a reason."""
        return [finding for finding in self.findings if finding.reason is not None]


def read_compliance(environment: str, assembly: Path) -> Compliance:
    """Read the report in a cloud assembly; raises WrongUsageError where it holds none."""
    file = assembly / _REPORT
    if not file.is_file():
        raise WrongUsageError(
            f"{assembly} holds no {_REPORT}: write one with make synth-{environment}, with validation on"
        )
    reports = json.loads(file.read_text(encoding="utf-8"))["pluginReports"]
    return Compliance(
        environment=environment,
        packs=[_pack(report) for report in reports],
        findings=sorted(
            (finding for report in reports for finding in _findings(report)),
            key=lambda finding: (finding.pack, finding.rule, finding.construct),
        ),
    )


def _pack(report: dict[str, Any]) -> Pack:
    name = report["pluginName"]
    if name in PACKS:
        return Pack(name, version_of_packs(), rules_of(name))
    return Pack(name, report.get("pluginVersion", "-"), ())


def _findings(report: dict[str, Any]) -> Iterator[Finding]:
    for entry in (*report.get("violations", ()), *report.get("suppressedViolations", ())):
        for construct in entry["violatingConstructs"]:
            yield Finding(
                pack=report["pluginName"],
                rule=entry["ruleName"],
                description=entry["description"],
                construct=construct["constructPath"],
                reason=entry.get("reason"),
            )


def page(compliance: Compliance) -> str:
    """The report as one page of Markdown."""
    return "\n".join(_lines(compliance))


def _lines(compliance: Compliance) -> Iterator[str]:
    found, open_ = compliance.findings, compliance.open
    yield f"# Compliance of {compliance.environment}"
    yield ""
    yield "What the rule packs found in the templates that this environment is deployed from."
    yield ""
    yield from _table(
        ("Pack", "Version", "Rules", "Open findings", "Acknowledged findings"),
        (
            (
                pack.name,
                pack.version,
                str(len(pack.rules) or "-"),
                str(sum(finding.pack == pack.name for finding in open_)),
                str(sum(finding.pack == pack.name for finding in compliance.acknowledged)),
            )
            for pack in compliance.packs
        ),
    )
    yield from _section("Open findings", ("Rule", "Finding", "Construct"), map(_open_row, open_))
    yield from _section(
        "Acknowledged findings",
        ("Rule", "Finding", "Construct", "Why it is safe there"),
        map(_acknowledged_row, compliance.acknowledged),
    )
    for pack in compliance.packs:
        if pack.rules:
            rows = ((rule.id, rule.finding, _result(rule, found)) for rule in pack.rules)
            yield from _section(f"Rules of {pack.name}", ("Rule", "What it would find", "Result"), rows)


def _open_row(finding: Finding) -> Sequence[str]:
    return finding.rule, finding.description, finding.construct


def _acknowledged_row(finding: Finding) -> Sequence[str]:
    return *_open_row(finding), finding.reason or ""


def _result(rule: Rule, findings: Sequence[Finding]) -> str:
    # A rule's findings may name what they are about: AwsSolutions-IAM5[Resource::*].
    of_rule = [finding for finding in findings if finding.rule.partition("[")[0] == rule.id]
    unexplained = sum(finding.reason is None for finding in of_rule)
    if unexplained:
        return f"{unexplained} open"
    return f"{len(of_rule)} acknowledged" if of_rule else "nothing found"


def _section(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    listed = list(rows)
    if listed:
        yield from _table(columns, listed)
    else:
        yield "None."
        yield ""


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row(columns)
    yield _row(["---"] * len(columns))
    for row in rows:
        yield _row(row)
    yield ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    for special in "\\|*<>":
        text = text.replace(special, f"\\{special}")
    return " ".join(text.split())
