"""What must hold between the parts of a catalog."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from gateway.catalog.deployments import BedrockDeployment
from gateway.catalog.strategies import Condition, Conditional, Optimized, Percentage
from gateway.prices import price_of
from gateway.validation import Breach

if TYPE_CHECKING:
    from gateway.catalog import Model

_Path = tuple[str | int, ...]
# Thirds and sevenths of a hundred, written with two digits, do not add up exactly.
_ROUNDING = 0.05
_TESTS = ("is_in", "not_in", "at_least", "at_most")


def breaches(models: "Sequence[Model]") -> Iterator[Breach]:
    """Every rule that the models break, each with the path from the catalog."""
    yield from _names(models)
    by_name = {model.name: model for model in models}
    for index, model in enumerate(models):
        path: _Path = ("models", index)
        yield from _arns(path, model)
        yield from _fallbacks(path, model, by_name)
        yield from _guardrails(path, model, by_name)
        yield from _tiers(path, model)
        yield from _strategy((*path, "strategy"), model)


def _names(models: "Sequence[Model]") -> Iterator[Breach]:
    yield from _repeated(((("models", i, "name"), model.name) for i, model in enumerate(models)), "model")
    deployments = (
        (("models", i, "deployments", j, "name"), deployment.name)
        for i, model in enumerate(models)
        for j, deployment in enumerate(model.deployments)
    )
    yield from _repeated(deployments, "deployment")


def _repeated(names: Iterable[tuple[_Path, str]], kind: str) -> Iterator[Breach]:
    seen: set[str] = set()
    for path, name in names:
        if name in seen:
            yield Breach(path, name, f"a name no other {kind} of the catalog has", "rename one of the two")
        seen.add(name)


def _arns(path: _Path, model: "Model") -> Iterator[Breach]:
    """What is named by ARN is where its deployment is called, and in the account that calls it."""
    for index, deployment in enumerate(model.deployments):
        if not isinstance(deployment, BedrockDeployment):
            continue
        place = (*path, "deployments", index)
        role, profile = deployment.role_arn, deployment.application_profile_arn
        guardrail = deployment.guardrail.identifier if deployment.guardrail else None
        for name, arn in (("application_profile_arn", profile), ("guardrail", guardrail)):
            region = _part(arn, 3)
            if region is not None and region != deployment.region:
                allowed = f"one of {deployment.region}, the deployment's region"
                yield Breach((*place, name), arn, allowed, "name one there or change region")
        account, caller = _part(profile, 4), _part(role, 4)
        if account is not None and caller is not None and account != caller:
            allowed = f"one of account {caller}, whose role calls it"
            fix = "name a profile or a role of the other account"
            yield Breach((*place, "application_profile_arn"), profile, allowed, fix)


def _part(arn: str | None, position: int) -> str | None:
    """A part of an ARN (3 is the region, 4 the account); None if it is no ARN."""
    return arn.split(":")[position] if arn is not None and arn.startswith("arn:") else None


def _fallbacks(path: _Path, model: "Model", by_name: "dict[str, Model]") -> Iterator[Breach]:
    for position, name in enumerate(model.fallbacks):
        place = (*path, "fallbacks", position)
        if name == model.name:
            yield Breach(place, name, "another model", "remove it: a model cannot stand in for itself")
        elif name not in by_name:
            yield Breach(
                place, name, f"one of {', '.join(sorted(by_name))}", "mend the name or add the model"
            )
        elif name in model.fallbacks[:position]:
            yield Breach(place, name, "each model once", "remove one of the two")


def _guarded(model: "Model") -> bool:
    return any(isinstance(d, BedrockDeployment) and d.guardrail is not None for d in model.deployments)


def _guardrails(path: _Path, model: "Model", by_name: "dict[str, Model]") -> Iterator[Breach]:
    """A guardrail that some of a model's ways go around would protect nothing."""
    if not _guarded(model):
        return
    for index, deployment in enumerate(model.deployments):
        if not isinstance(deployment, BedrockDeployment) or deployment.guardrail is None:
            place = (*path, "deployments", index, "guardrail")
            yield Breach(place, None, "a guardrail, as other deployments of the model have", "add one")
        elif deployment.chat_api == "openai":
            # Whether Bedrock's OpenAI-compatible endpoint applies a guardrail is not certain.
            place = (*path, "deployments", index, "chat_api")
            yield Breach(place, "openai", "converse, for a deployment with a guardrail", "write converse")
    for position, name in enumerate(model.fallbacks):
        if name in by_name and not _guarded(by_name[name]):
            place = (*path, "fallbacks", position)
            yield Breach(place, name, "a model with a guardrail, as this one has", "add one there")


def _tiers(path: _Path, model: "Model") -> Iterator[Breach]:
    """The tiers of a price go up, so that each has a next one to end at."""
    for index, deployment in enumerate(model.deployments):
        tiers = deployment.price.tiers if deployment.price else ()
        for position, (lower, tier) in enumerate(pairwise(tiers), start=1):
            if tier.above_input_tokens <= lower.above_input_tokens:
                place = (*path, "deployments", index, "price", "tiers", position, "above_input_tokens")
                allowed = f"more than {lower.above_input_tokens}, as tiers ascend"
                yield Breach(place, str(tier.above_input_tokens), allowed, "change the order or the number")


def _strategy(path: _Path, model: "Model") -> Iterator[Breach]:
    match model.strategy:
        case Percentage() as strategy:
            yield from _shares((*path, "shares"), model, strategy)
        case Optimized(metric="cost"):
            for deployment in model.deployments:
                if price_of(deployment) is None:
                    allowed = f"a price for every deployment; {deployment.name} has none"
                    yield Breach((*path, "metric"), "cost", allowed, "add the price or choose another metric")
        case Conditional() as strategy:
            yield from _routes((*path, "routes"), model, strategy)


def _shares(path: _Path, model: "Model", strategy: Percentage) -> Iterator[Breach]:
    names = {deployment.name for deployment in model.deployments}
    if set(strategy.shares) != names:
        given = ", ".join(sorted(strategy.shares))
        yield Breach(path, given, f"one share each for {', '.join(sorted(names))}", "add or remove shares")
    total = sum(strategy.shares.values())
    if abs(total - 100) > _ROUNDING:
        yield Breach(path, f"{total:g} in total", "shares that add up to 100", "change the shares")


def _routes(path: _Path, model: "Model", strategy: Conditional) -> Iterator[Breach]:
    names = {deployment.name for deployment in model.deployments}
    for index, route in enumerate(strategy.routes):
        for position, name in enumerate(route.deployments):
            if name not in names:
                place = (*path, index, "deployments", position)
                yield Breach(place, name, f"one of {', '.join(sorted(names))}", "mend the name")
        for position, condition in enumerate(route.when):
            yield from _one_test((*path, index, "when", position), condition)
    *earlier, last = strategy.routes
    if last.when:
        place = (*path, len(earlier), "when")
        yield Breach(place, "conditions", "none on the last route", "add a last route without conditions")
    for index, route in enumerate(earlier):
        if not route.when:
            place = (*path, index, "when")
            yield Breach(
                place, "no conditions", "conditions on all routes but the last", "add them or move it"
            )


def _one_test(path: _Path, condition: Condition) -> Iterator[Breach]:
    given = [name for name in _TESTS if getattr(condition, name) is not None]
    if len(given) != 1:
        yield Breach(path, ", ".join(given) or "no test", f"exactly one of {', '.join(_TESTS)}", "keep one")
