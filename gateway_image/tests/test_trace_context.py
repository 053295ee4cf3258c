import re

import pytest

from gateway.trace_context import trace_id_of

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_the_callers_trace_goes_on() -> None:
    assert trace_id_of(f"00-{TRACE}-{SPAN}-01") == TRACE


def test_a_later_version_may_say_more() -> None:
    assert trace_id_of(f"cc-{TRACE}-{SPAN}-00-what-comes") == TRACE


@pytest.mark.parametrize(
    "traceparent",
    [
        None,
        "",
        "x",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-0g",
    ],
)
def test_what_is_not_valid_is_replaced(traceparent: str | None) -> None:
    trace_id = trace_id_of(traceparent)
    assert re.fullmatch("[0-9a-f]{32}", trace_id)
    assert trace_id not in {TRACE, "0" * 32}
