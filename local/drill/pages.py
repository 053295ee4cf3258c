"""What drills told, in files: a page for each, and one over all of them."""

import html
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from local.drill.drill import Result
from local.drill.measured import POINT_SECONDS, RECOVERY_SECONDS
from local.drill.scenario import TOLD
from operations.recovery.report import as_html, as_json, as_markdown

PROVES = (
    "This proves that the steps of the plan, in their order and with what each leaves undone when it is left "
    "out, bring gateways, database, keys, budgets and ledger from one place to another under load, and that "
    "the commands see a failed, repeated or abandoned execution to its end. It proves nothing of AWS: health "
    "checks, DNS, Region switch, scaling and the promotion of a replica are stand-ins here, a minute of the "
    "plan lasts half a second, and there is no object store, because no request needs one."
)
COLUMNS = (
    "Seed",
    "Fault",
    "Noticed",
    "Answered",
    "RTO",
    "RPO",
    "Rows missing",
    "Lost in the end",
    "Doubled",
    "Caller errors",
    "Budget drift",
    "Verdict",
)


def row(result: Result) -> tuple[str, ...]:
    """A drill's figures, as COLUMNS names them."""
    measured = result.measured
    missing, lost = measured.missing, measured.missing_finally
    return (
        str(result.scenario.seed),
        result.scenario.fault,
        f"{measured.detection_seconds:.1f} s",
        "-" if measured.answered_seconds is None else f"{measured.answered_seconds:.1f} s",
        f"{measured.recovery_seconds:.1f} s",
        f"{missing.oldest_lost_seconds:.1f} s",
        f"{missing.lost + missing.lost_later} of {measured.acknowledged}",
        str(lost.lost + lost.lost_later),
        str(lost.doubled),
        str(measured.errors),
        f"USD {measured.budget_drift_usd:+.2f}",
        "; ".join(result.missed) or "met",
    )


def write(folder: Path, results: Sequence[Result], broken_off: Sequence[str] = ()) -> Path:
    """Write every page as HTML, Markdown and JSON into a folder; the page over all of them.

    broken_off: what is told of drills without a result.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for result in results:
        name = f"seed-{result.scenario.seed}"
        for suffix, render in (("html", as_html), ("md", as_markdown), ("json", as_json)):
            (folder / f"{name}.{suffix}").write_text(render(result.report))
    (folder / "drills.json").write_text(json.dumps([as_record(each) for each in results], indent=2))
    (folder / "drills.md").write_text("".join(f"{line}\n" for line in _markdown(results, broken_off)))
    page = folder / "drills.html"
    page.write_text(_html(results, broken_off))
    return page


def as_record(result: Result) -> Mapping[str, Any]:
    """A drill for machines: what went wrong, what was measured, what was missed."""
    return {
        "scenario": asdict(result.scenario),
        "measured": asdict(result.measured),
        "missed": list(result.missed),
    }


def _markdown(results: Sequence[Result], broken_off: Sequence[str]) -> Iterator[str]:
    yield "# Drills on one machine"
    yield ""
    yield _objectives()
    yield ""
    for cells in (COLUMNS, ("---",) * len(COLUMNS), *map(row, results)):
        yield f"| {' | '.join(cells)} |"
    for told in (*broken_off, PROVES):
        yield ""
        yield told


def _html(results: Sequence[Result], broken_off: Sequence[str]) -> str:
    rows = "".join(_html_row(result) for result in results)
    is_met = not broken_off and not any(result.missed for result in results)
    return _PAGE.format(
        verdict="All met" if is_met else "Something was missed",
        objectives=html.escape(_objectives()),
        head="".join(f"<th>{html.escape(name)}</th>" for name in COLUMNS),
        rows=rows,
        broken_off="".join(f"<p>{html.escape(told)}</p>" for told in broken_off),
        proves=html.escape(PROVES),
    )


def _html_row(result: Result) -> str:
    verdict = "missed" if result.missed else "met"
    seed, *others = row(result)
    cells = [f"<a href='seed-{seed}.html'>{seed}</a>", *map(html.escape, others)]
    told = html.escape(TOLD[result.scenario.fault])
    return f"<tr class={verdict} title='{told}'>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _objectives() -> str:
    return (
        f"RTO: at most {RECOVERY_SECONDS:.0f} s from the decision until all is served. RPO: nothing that was "
        f"acknowledged more than {POINT_SECONDS:.0f} s before the fault is lost. No row twice, no key lost, "
        "no error for callers who try again for a minute."
    )


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Drills on one machine</title><style>
:root {{ color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }}
body {{ max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.5rem; margin-bottom: 0; }} p {{ max-width: 60rem; opacity: .75; }}
div {{ overflow-x: auto; }} table {{ border-collapse: collapse; white-space: nowrap; }}
th {{ text-align: left; font-weight: 500; }}
th, td {{ padding: .3rem 1rem .3rem 0; }} tr {{ border-bottom: 1px solid #8884; }}
.met td:last-child {{ color: #18794e; }}
.missed td:last-child {{ color: #cd2b31; font-weight: 600; white-space: normal; }}
</style></head><body>
<h1>Drills on one machine: {verdict}</h1><p>{objectives}</p>
<div><table><tr>{head}</tr>{rows}</table></div>{broken_off}
<p>{proves}</p>
</body></html>
"""
