"""What a request's tokens cost, and what they can cost at the most."""

from fractions import Fraction

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.prices import Price, asks_for_long_writes, cost, highest_cost
from gateway.prices.price import KINDS, Rates, rates
from gateway.providers import Usage

# However slow the machine is.
_unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
_rate = st.integers(0, 10**9)
_tokens = st.integers(0, 3_000_000)
_rates = st.builds(Rates, **dict.fromkeys(KINDS, _rate))


@st.composite
def _prices(draw: st.DrawFn) -> Price:
    limits = sorted(draw(st.sets(st.integers(1, 2_000_000), max_size=3)))
    return Price(tiers=((0, draw(_rates)), *((limit, draw(_rates)) for limit in limits)))


@st.composite
def _usages(draw: st.DrawFn) -> Usage:
    written, output = draw(_tokens), draw(_tokens)
    return Usage(
        input_tokens=draw(_tokens),
        cache_read_tokens=draw(_tokens),
        cache_write_tokens=written,
        cache_write_1h_tokens=draw(st.integers(0, written)),
        output_tokens=output,
        reasoning_tokens=draw(st.integers(0, output)),
    )


def _exactly(price: Price, usage: Usage) -> Fraction:
    """The cost in nano-USD, token by token, without rounding."""
    each = next(each for above, each in reversed(price.tiers) if usage.prompt_tokens > above or not above)
    amounts = (
        (usage.input_tokens, each.input),
        (usage.cache_read_tokens, each.cache_read),
        (usage.cache_write_tokens - usage.cache_write_1h_tokens, each.cache_write),
        (usage.cache_write_1h_tokens, each.cache_write_1h),
        (usage.output_tokens - usage.reasoning_tokens, each.output),
        (usage.reasoning_tokens, each.reasoning),
    )
    return sum((Fraction(tokens * rate, 1000) for tokens, rate in amounts), Fraction(0))


@_unhurried
@given(_prices(), _usages())
def test_a_cost_is_exact_and_rounded_up(price: Price, usage: Usage) -> None:
    exactly = _exactly(price, usage)
    assert exactly <= cost(price, usage) < exactly + 1
    assert cost(price, usage) >= 0


@_unhurried
@given(_prices(), _usages(), _tokens, _tokens)
def test_nothing_costs_more_than_the_highest_cost(price: Price, usage: Usage, more: int, longer: int) -> None:
    highest = highest_cost(
        price, input_tokens=usage.prompt_tokens + more, output_tokens=usage.output_tokens + longer
    )
    assert cost(price, usage) <= highest


@_unhurried
@given(_prices(), _usages())
def test_without_long_writes_nothing_costs_more_either(price: Price, usage: Usage) -> None:
    usage = msgspec.structs.replace(usage, cache_write_1h_tokens=0)
    prompt, output = usage.prompt_tokens, usage.output_tokens
    highest = highest_cost(price, input_tokens=prompt, output_tokens=output, long_writes=False)
    assert cost(price, usage) <= highest <= highest_cost(price, input_tokens=prompt, output_tokens=output)


@pytest.mark.parametrize(
    ("body", "asks"),
    [
        (b'{"messages":[{"content":[{"cache_control":{"type":"ephemeral","ttl":"1h"}}]}]}', True),
        (b'{"prompt_cache_retention":"24h"}', True),
        (b'{"prompt_cache_options":{}}', True),
        (b'{"prompt_cache_\\u006fptions":{}}', True),
        (b'{"prompt\\u005Fcache_retention":"24h"}', True),
        (b'{"messages":[{"content":"It\\u2019s a caf\\u00e9."}]}', False),
        (b'{"prompt_cache_key":"a"}', False),
        (b'{"messages":[{"content":[{"cache_control":{"type":"ephemeral"}}]}]}', False),
        (b'{"messages":[{"content":"What does \\"ttl\\" mean?"}]}', False),
    ],
)
def test_who_asks_for_long_writes(body: bytes, asks: bool) -> None:
    assert asks_for_long_writes(body) is asks


@_unhurried
@given(_prices(), _tokens, _tokens)
def test_some_request_of_so_many_tokens_or_fewer_costs_as_much_as_the_highest(
    price: Price, prompt: int, output: int
) -> None:
    reachable = [
        (limit, each)
        for position, (above, each) in enumerate(price.tiers)
        if above < prompt or not above
        for limit in [min([prompt, *(next_above for next_above, _ in price.tiers[position + 1 :][:1])])]
    ]
    exactly = max(
        Fraction(limit * each.dearest_input(long_writes=True) + output * each.dearest_output, 1000)
        for limit, each in reachable
    )
    assert exactly <= highest_cost(price, input_tokens=prompt, output_tokens=output) < exactly + 1


def test_a_long_prompt_costs_more_from_its_first_token_on() -> None:
    cheap, dear = (
        rates({"input": Fraction(1), "output": Fraction(5)}),
        rates({"input": Fraction(2), "output": Fraction(10)}),
    )
    price = Price(tiers=((0, cheap), (200_000, dear)))
    assert cost(price, Usage(input_tokens=200_000, output_tokens=10)) == 200_050_000
    assert cost(price, Usage(input_tokens=200_001, output_tokens=10)) == 400_102_000
    # What came out of a cache is part of the prompt's length.
    told = Usage(input_tokens=1, cache_read_tokens=200_000)
    assert cost(price, told) == 400_002_000


def test_the_highest_cost_is_that_of_the_dearest_tier_a_prompt_can_end_in() -> None:
    cheap = rates(dict.fromkeys(KINDS, Fraction(1)))
    dear = rates(dict.fromkeys(KINDS, Fraction(3)))
    ascending, descending = (
        Price(tiers=((0, first), (1000, second))) for first, second in ((cheap, dear), (dear, cheap))
    )

    def highest(price: Price, prompt: int) -> int:
        return highest_cost(price, input_tokens=prompt, output_tokens=0)

    assert [highest(ascending, prompt) for prompt in (999, 1000, 1001)] == [999_000, 1_000_000, 3_003_000]
    # A prompt that may be longer may also end just below the limit.
    assert [highest(descending, prompt) for prompt in (1000, 1001, 5000)] == [3_000_000, 3_000_000, 5_000_000]


def test_what_a_price_leaves_out_is_never_too_low() -> None:
    each = rates({"input": Fraction(3), "output": Fraction(15)})
    assert (each.input, each.output) == (3_000_000, 15_000_000)
    assert (each.cache_read, each.cache_write, each.cache_write_1h) == (3_000_000, 3_750_000, 7_500_000)
    assert each.reasoning == 15_000_000


def test_what_is_free_is_free_and_not_left_out() -> None:
    each = rates({kind: Fraction(0 if kind != "input" else 1) for kind in KINDS})
    assert (each.cache_read, each.cache_write, each.cache_write_1h, each.reasoning) == (0, 0, 0, 0)


def test_fractions_of_a_rate_are_rounded_up() -> None:
    each = rates({"input": Fraction("0.0000001"), "output": Fraction("0.0000011")})
    assert (each.input, each.output) == (1, 2)


@pytest.mark.parametrize(("tokens", "nano_usd"), [(0, 0), (1, 1), (1000, 35), (1001, 36)])
def test_less_than_a_nano_usd_is_one(tokens: int, nano_usd: int) -> None:
    price = Price(tiers=((0, rates({"input": Fraction("0.000035"), "output": Fraction(0)})),))
    assert cost(price, Usage(input_tokens=tokens)) == nano_usd


def test_counts_that_contradict_each_other_cost_no_less_than_nothing() -> None:
    price = Price(tiers=((0, rates({"input": Fraction(1), "output": Fraction(5)})),))
    odd = Usage(cache_write_tokens=1, cache_write_1h_tokens=9, output_tokens=1, reasoning_tokens=9)
    assert cost(price, odd) == 2_500 + 5_000
