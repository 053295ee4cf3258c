"""The tokens of several attempts at one call."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.providers import Usage

# However slow the machine is.
_unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
_usage = st.builds(Usage, **{name: st.integers(0, 2**53) for name in Usage.__struct_fields__})


@_unhurried
@given(_usage, _usage)
def test_each_kind_of_token_is_added_up(one: Usage, other: Usage) -> None:
    both = one + other
    for name in Usage.__struct_fields__:
        assert getattr(both, name) == getattr(one, name) + getattr(other, name)
    assert both.prompt_tokens == one.prompt_tokens + other.prompt_tokens
