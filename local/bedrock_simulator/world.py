"""Regions, accounts, models and inference profiles: where a call is served, and whether there is quota."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from local.bedrock_simulator.errors import ServiceError, invalid
from local.bedrock_simulator.quotas import Reservation, Window
from local.bedrock_simulator.scenario import Model, Quota, Scenario

_ARN = re.compile(
    r"arn:aws:bedrock:(?P<region>[a-z0-9-]+):(?:\d{12})?:(?:foundation-model|inference-profile)/(?P<id>.+)"
)
_UNKNOWN_MODEL = "The provided model identifier is invalid."
_THROTTLED = {
    "requests": "Too many requests, please wait before trying again.",
    "tokens": "Too many tokens, please wait before trying again.",
}


@dataclass(frozen=True)
class Route:
    """Where a call may go: `regions` in order of preference, the region that was called first."""

    called_id: str
    model: Model
    region: str
    regions: tuple[str, ...]

    @property
    def is_profile(self) -> bool:
        """Whether an inference profile was called."""
        return self.called_id != self.model.id

    @property
    def names(self) -> tuple[str, str]:
        """The IDs by which replies may mean this call."""
        return (self.called_id, self.model.id)


class Admission:
    """A call that was let in: the region that serves it and the quota it holds."""

    def __init__(self, region: str, held: list[tuple[Window, Reservation]]) -> None:
        self.region = region
        self._held = held

    def settle(self, tokens: int) -> None:
        """Hold only what the call used."""
        for window, reservation in self._held:
            window.settle(reservation, tokens)


class World:
    """A scenario's models in their regions, with each account's quotas; `now` is seconds since the epoch."""

    def __init__(self, scenario: Scenario, now: Callable[[], float]) -> None:
        self._now = now
        self._fixed = scenario.quota_window == "fixed"
        self._models = {model.id: model for model in scenario.models}
        self._denied = {account.id: frozenset(account.denied_models) for account in scenario.accounts}
        self._profiles = {
            f"{profile.prefix}.{model.id}": (profile, model)
            for profile in scenario.profiles
            for model in scenario.models
            if profile.prefix in model.profiles
        }
        self.set_quotas(scenario.quotas)

    def set_quotas(self, quotas: Iterable[Quota]) -> None:
        """Put these quotas in place of all; nothing counts as used yet."""
        self.quotas = tuple(quotas)
        self._windows: dict[tuple[str, str, str], Window | None] = {}

    def models(self) -> dict[str, tuple[str, ...]]:
        """Every ID that can be called, and the regions it can be called in."""
        on_demand = {model.id: model.regions for model in self._models.values() if model.on_demand}
        return on_demand | {
            profile_id: profile.regions for profile_id, (profile, _) in self._profiles.items()
        }

    def names(self, model_id: str) -> tuple[str, ...]:
        """The IDs that mean a call of this model or profile: as called, and the model behind it."""
        known = self._profiles.get(model_id)
        return (model_id, known[1].id) if known else (model_id,)

    def find(self, model_id: str, region: str, account: str) -> Route:
        """The route of a model or profile, by ID or ARN; ServiceError if there is no such thing here."""
        called_id = _id_of(model_id, region)
        if called_id in self._profiles:
            profile, model = self._profiles[called_id]
            where = profile.regions
            others = tuple(other for other in where if other != region and other in model.regions)
        elif called_id in self._models:
            model = self._models[called_id]
            where, others = model.regions, ()
        else:
            raise invalid(_UNKNOWN_MODEL)
        if region not in where:
            raise invalid(_UNKNOWN_MODEL)
        if model.id in self._denied.get(account, ()):
            raise ServiceError(
                "AccessDeniedException", "You don't have access to the model with the specified model ID."
            )
        return Route(called_id, model, region, (region, *others))

    def resolve(self, model_id: str, region: str, account: str) -> Route:
        """Where a call of this model or profile may be served; ServiceError if nowhere."""
        route = self.find(model_id, region, account)
        if not route.is_profile and not route.model.on_demand:
            raise invalid(
                f"Invocation of model ID {route.called_id} with on-demand throughput isn’t supported. "
                "Retry your request with the ID or ARN of an inference profile that contains this model."
            )
        return route

    def admit(self, route: Route, account: str, tokens: int, regions_down: frozenset[str]) -> Admission:
        """Let a call in that may use so many tokens, or raise ThrottlingException and count nothing.

        A profile serves from the region that was called while its model has quota there, then from the
        profile's other regions in order.
        """
        now = self._now()
        own = self._window(account, route.region, route.called_id) if route.is_profile else None
        lacking = own.lacks(tokens, now) if own else None
        if lacking is None:
            lacking = "requests"
            for region in route.regions:
                if region in regions_down:
                    continue
                serving = self._window(account, region, route.model.id)
                missing = serving.lacks(tokens, now) if serving else None
                if missing is None:
                    windows = [window for window in (own, serving) if window]
                    return Admission(region, [(window, window.reserve(tokens, now)) for window in windows])
                lacking = missing
        raise ServiceError("ThrottlingException", _THROTTLED[lacking])

    def usage(self) -> list[dict[str, object]]:
        """What each account used of each limited quota in the current minute."""
        now = self._now()
        return [
            {
                "account": account,
                "region": region,
                "model": model,
                "requests": window.requests_used(now),
                "tokens": window.tokens_used(now),
            }
            for (account, region, model), window in self._windows.items()
            if window
        ]

    def _window(self, account: str, region: str, model: str) -> Window | None:
        key = (account, region, model)
        if key not in self._windows:
            quota = self._quota(*key)
            self._windows[key] = Window(quota, fixed=self._fixed) if quota else None
        return self._windows[key]

    def _quota(self, account: str, region: str, model: str) -> Quota | None:
        matching = (
            quota
            for quota in reversed(self.quotas)
            if quota.model == model and quota.account in (None, account) and quota.region in (None, region)
        )
        return next(matching, None)


def _id_of(model_id: str, region: str) -> str:
    """The bare ID of a model or profile; an ARN of another region is unknown in this one."""
    arn = _ARN.fullmatch(model_id)
    if arn is None:
        return model_id
    if arn["region"] != region:
        raise invalid(_UNKNOWN_MODEL)
    return arn["id"]
