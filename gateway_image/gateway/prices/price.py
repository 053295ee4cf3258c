"""What tokens cost: exact sums of whole numbers, rounded up once, at the end."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from gateway.providers import Usage

# Rates are held in millionths of a millionth of a USD a token: USD per million tokens to six decimal places.
PICO_USD = 1_000_000_000_000
# How JSON can write an underscore or a small letter so that bytes do not show it.
_ESCAPES = (b"\\u005f", b"\\u005F", b"\\u006", b"\\u007")
_PER_MILLION = 1_000_000
_PICO_PER_NANO = 1000

# Fields of `Rates`, without the two that everything else follows from.
OPTIONAL = ("cache_read", "cache_write", "cache_write_1h", "reasoning")
KINDS = ("input", "output", *OPTIONAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What a token of each kind costs, in pico-USD; the kinds are those of Usage."""

    input: int
    output: int
    cache_read: int
    cache_write: int
    cache_write_1h: int
    reasoning: int

    def dearest_input(self, *, long_writes: bool) -> int:
        """What no token of a prompt costs more than; long_writes: of one that may be kept for an hour."""
        dearest = max(self.input, self.cache_read, self.cache_write)
        return max(dearest, self.cache_write_1h) if long_writes else dearest

    @property
    def dearest_output(self) -> int:
        """What no token of an answer costs more than."""
        return max(self.output, self.reasoning)

    def times(self, factor: Fraction) -> "Rates":
        """The rates multiplied, each rounded up."""
        return Rates(**{kind: _round_up(getattr(self, kind) * factor) for kind in KINDS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a deployment's tokens cost.

    tiers: at least one; each a length of prompt in tokens, the first 0, ascending, and the rates for all
    tokens of a request whose prompt is longer than that, up to the next.
    date: when the amounts were looked up, ISO 8601; None for the catalog's own.
    source: where the provider publishes them, or 'catalog'.
    """

    tiers: tuple[tuple[int, Rates], ...]
    date: str | None = None
    source: str = "catalog"

    def times(self, factor: Fraction) -> "Price":
        """The same with other rates."""
        return replace(self, tiers=tuple((above, rates.times(factor)) for above, rates in self.tiers))


def rates(usd: Mapping[str, Fraction | None]) -> Rates:
    """Rates from USD per million tokens, by the names of Rates; each is rounded up to a pico-USD.

    What is not given is never too low: reading from a cache costs as much as reading anew, writing to it 1.25
    times that, for an hour or longer twice as much again, and reasoning as much as other output.
    """
    given = {
        kind: None if (each := usd.get(kind)) is None else _round_up(each * _PER_MILLION) for kind in KINDS
    }
    read, said = given["input"] or 0, given["output"] or 0
    written = _or(given["cache_write"], _round_up(Fraction(5 * read, 4)))
    return Rates(
        input=read,
        output=said,
        cache_read=_or(given["cache_read"], read),
        cache_write=written,
        cache_write_1h=_or(given["cache_write_1h"], 2 * written),
        reasoning=_or(given["reasoning"], said),
    )


def cost(price: Price, usage: Usage) -> int:
    """What a request's tokens cost, in nano-USD, rounded up."""
    prompt = usage.prompt_tokens
    each = price.tiers[0][1]
    for above, of_tier in price.tiers:
        if prompt > above:
            each = of_tier
    for_an_hour = min(usage.cache_write_1h_tokens, usage.cache_write_tokens)
    reasoning = min(usage.reasoning_tokens, usage.output_tokens)
    return _nano_usd(
        usage.input_tokens * each.input
        + usage.cache_read_tokens * each.cache_read
        + (usage.cache_write_tokens - for_an_hour) * each.cache_write
        + for_an_hour * each.cache_write_1h
        + (usage.output_tokens - reasoning) * each.output
        + reasoning * each.reasoning
    )


def highest_cost(price: Price, *, input_tokens: int, output_tokens: int, long_writes: bool = True) -> int:
    """What no request with at most so many tokens of prompt and of answer costs more than, in nano-USD.

    That is so whatever is read from or written to a cache, and in whichever tier the prompt ends.
    long_writes: whether the request may have its prompt kept in a cache for an hour or longer.
    """
    highest = 0
    for position, (above, each) in enumerate(price.tiers):
        if above and above >= input_tokens:
            break
        longest = input_tokens
        if position + 1 < len(price.tiers):
            longest = min(longest, price.tiers[position + 1][0])
        highest = max(
            highest,
            longest * each.dearest_input(long_writes=long_writes) + output_tokens * each.dearest_output,
        )
    return _nano_usd(highest)


def asks_for_long_writes(body: bytes) -> bool:
    """Whether a request's body may ask to keep its prompt in a cache for longer than providers do by default.

    By the names of the fields, wherever they stand: Anthropic's ttl, and OpenAI's options.
    """
    names = (b'"ttl"', b'"prompt_cache_retention"', b'"prompt_cache_options"')
    return any(name in body for name in names) or may_hide_names(body)


def may_hide_names(body: bytes) -> bool:
    """Whether names of a body's fields may be written in such a way that a look at its bytes misses them."""
    return any(escape in body for escape in _ESCAPES)


def _nano_usd(pico_usd: int) -> int:
    return -(-pico_usd // _PICO_PER_NANO)


def _round_up(amount: Fraction | int) -> int:
    return -int(-amount // 1)


def _or(given: int | None, otherwise: int) -> int:
    return otherwise if given is None else given
