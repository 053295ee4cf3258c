"""The five patterns: what the article about them reports, and what happens here."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from local.patterns.requests import Gateways, Outcome, answered, by_deployment

# Who served a model's calls since the last question, as (region, count); None where that is not known.
Regions = Callable[[str], Sequence[tuple[str, int]] | None]

_CALLS = 10
_CALLS_OF_A_CONSUMER = 5


@dataclass(frozen=True)
class Bar:
    """One figure of a pattern: `count` of `total` requests."""

    label: str
    count: int
    total: int


@dataclass(frozen=True)
class Result:
    """A pattern's figures. expected: what the article reports; holds: whether that is what happened."""

    number: int
    name: str
    set_up: str
    expected: str
    measured: str
    holds: bool
    bars: tuple[Bar, ...]


def cross_region_inference(gateways: Gateways, regions: Regions) -> Result:
    """Ten parallel calls of one inference profile: all succeed, from more than one region."""
    count = answered(gateways.ask(["pattern-cross-region"] * _CALLS))
    served = regions("000000000000")
    bars = tuple(Bar(region, calls, _CALLS) for region, calls in served or [("any region", count)])
    told = (
        "/".join(str(calls) for _, calls in served) if served else "regions are in Bedrock's invocation log"
    )
    return Result(
        1,
        "Cross-region inference",
        "10 parallel calls to one inference profile",
        "10 of 10, served 1/7/2 by three regions",
        f"{count} of {_CALLS}, served {told}" if served else f"{count} of {_CALLS}; {told}",
        count == _CALLS and (served is None or len(served) > 1),
        bars,
    )


def account_sharding(gateways: Gateways, regions: Regions) -> Result:
    """Twenty requests, every other one to the second account: each account answers its ten."""
    outcomes = gateways.ask(["pattern-account-1", "pattern-account-2"] * _CALLS)
    counts = by_deployment(outcomes)
    first, second = counts["pattern-account-1"], counts["pattern-account-2"]
    bars = [Bar("account 1", first, _CALLS), Bar("account 2", second, _CALLS)]
    for name, account in (("account 1", "111111111111"), ("account 2", "222222222222")):
        bars += [Bar(f"{name}, {region}", calls, _CALLS) for region, calls in regions(account) or ()]
    return Result(
        2,
        "Account sharding",
        "20 calls, alternating between two accounts",
        "10 of 10 and 10 of 10",
        f"{first} of {_CALLS} and {second} of {_CALLS}",
        first == second == _CALLS,
        tuple(bars),
    )


def fallback(gateways: Gateways) -> Result:
    """A primary that takes three a minute: the other seven of ten are answered by its fallback."""
    counts = by_deployment(gateways.ask(["pattern-primary"] * _CALLS, apart_seconds=0.05))
    primary, other = counts["pattern-primary"], counts["pattern-fallback"]
    return Result(
        3,
        "Model fallback",
        "10 calls 0.05 s apart; primary takes 3 a minute",
        "3 by the primary, 7 by the fallback, none fails",
        f"{primary} by the primary, {other} by the fallback, {_CALLS - primary - other} failed",
        (primary, other) == (3, 7),
        (Bar("primary", primary, _CALLS), Bar("fallback", other, _CALLS)),
    )


def load_balancing(gateways: Gateways) -> Result:
    """Two deployments of three a minute share the load; what is beyond goes to a third."""
    counts = by_deployment(gateways.ask(["pattern-balanced"] * _CALLS, apart_seconds=0.1))
    first, second = counts["pattern-balanced-a"], counts["pattern-balanced-b"]
    overflow = counts["pattern-overflow"]
    failed = _CALLS - first - second - overflow
    return Result(
        4,
        "Load balancing",
        "10 calls 0.1 s apart; two deployments take 3 a minute each",
        "6 by the two, 4 by the overflow, none fails",
        f"{first + second} by the two, {overflow} by the overflow, {failed} failed",
        (first + second, overflow) == (6, 4),
        (
            Bar("deployment a", first, _CALLS),
            Bar("deployment b", second, _CALLS),
            Bar("overflow", overflow, _CALLS),
        ),
    )


def quota_isolation(gateways: Gateways) -> Result:
    """Three consumers at once; the one that may ask three times a minute does not harm the others."""

    def ask(key: str) -> list[Outcome]:
        return gateways.ask(["pattern-shared"] * _CALLS_OF_A_CONSUMER, key=key)

    with ThreadPoolExecutor(len(gateways.consumer_keys)) as pool:
        counts = [answered(outcomes) for outcomes in pool.map(ask, gateways.consumer_keys)]
    shares = " / ".join(f"{count / _CALLS_OF_A_CONSUMER:.0%}" for count in counts)
    bars = tuple(
        Bar(f"consumer {name}", count, _CALLS_OF_A_CONSUMER)
        for name, count in zip("ABC", counts, strict=True)
    )
    return Result(
        5,
        "Quota isolation",
        "consumers of 3, 10 and 10 a minute, 5 parallel calls each",
        "60% / 100% / 100%",
        shares,
        counts == [3, 5, 5],
        bars,
    )
