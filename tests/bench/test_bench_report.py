import json
from dataclasses import replace
from xml.etree import ElementTree

from bench import chart, report
from bench.gatehouse import gatehouse
from bench.peers import LITELLM, NGINX
from bench.targets import Results

_CANDIDATES = (gatehouse(), NGINX, LITELLM)


def _without_litellm(results: Results) -> Results:
    figures = {name: each for name, each in results.figures.items() if name != LITELLM.name}
    return replace(results, figures=figures, reasons={LITELLM.name: "uv failed: no network"})


def test_a_peer_that_is_missing_is_named_with_the_reason(results: Results) -> None:
    text = report.text(_without_litellm(results), _CANDIDATES, {NGINX.name: "1.22.1"}, "quiet machine")
    (line,) = (each for each in text.splitlines() if each.startswith(LITELLM.name))
    assert line.endswith("not measured: uv failed: no network")
    assert "nginx proxy_pass 1.22.1" in text
    assert text.endswith("quiet machine")


def test_every_requirement_has_its_line_and_mark(results: Results) -> None:
    lines = report.text(results, _CANDIDATES, {}, "").splitlines()
    assert sum("✓" in line for line in lines) == 15
    assert any("50 x ours" in line and "≥ 30" in line and "≥ 70" in line for line in lines)


def test_a_limit_in_milliseconds_stands_beside_what_nginx_takes(results: Results) -> None:
    figures = {**results.figures, NGINX.name: replace(results.figures[NGINX.name], added_p50_ms=3.2)}
    text = report.text(replace(results, figures=figures), _CANDIDATES, {}, "")
    p50, p99 = (
        each for each in text.splitlines() if each.startswith("added latency, p") and "beyond n" not in each
    )
    assert p50.endswith("✓   3.2 ms, beyond the limit too")
    assert p99.endswith("✓   1.5 ms")


def test_json_says_what_the_text_says(results: Results) -> None:
    written = json.loads(json.dumps(report.document(_without_litellm(results), {}, "")))
    assert written["not_measured"] == {LITELLM.name: "uv failed: no network"}
    assert written["figures"][gatehouse().name]["cpu_ms_per_request"] == 0.4
    assert {each["verdict"] for each in written["requirements"]} == {"must", "not measured"}
    assert written["scaling"]["factor"] > 1.8


def test_the_picture_is_well_formed_and_holds_each_candidate(results: Results) -> None:
    figures = dict(results.figures)
    picture = chart.draw(figures, [gatehouse().name], ["quiet <machine>"])
    root = ElementTree.fromstring(picture)
    circles = [each for each in root.iter() if each.tag.endswith("circle")]
    assert len(circles) == 3 * len(figures)
    assert sum(each.get("class") == "ours" for each in circles) == 3
    # The more it costs, the further to the right.
    first_panel = sorted(circles[: len(figures)], key=lambda each: float(each.get("cx", "0")))
    assert first_panel[0] is circles[list(figures).index(NGINX.name)]
    assert first_panel[-1] is circles[list(figures).index(LITELLM.name)]
