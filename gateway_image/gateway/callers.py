"""Who calls: API keys, people and machines, with the projects and roles that say what they may do."""

from collections.abc import Mapping
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal, NamedTuple, get_args

from gateway.limits import DIMENSIONS, UNLIMITED, Limits, most_generous, strictest

Priority = Literal["high", "normal", "low"]
PRIORITIES: tuple[Priority, ...] = get_args(Priority)
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
# An API key, a person who signed in, a machine with client credentials, or a key from the bootstrap secret.
Kind = Literal["key", "user", "client", "bootstrap"]

# Who has it may use the admin API.
ADMIN_ROLE = "admin"
# Holds for callers none of whose roles is known.
DEFAULT_ROLE = "default"
# In a role's model_limits: every model that has no entry of its own.
ANY_MODEL = "*"


class Subject(NamedTuple):
    """Whose use is counted together: a caller's or a project's, of one model or (None) of all."""

    kind: Literal["caller", "project"]
    id: str
    model: str | None


class Role:
    """What callers with this role may use.

    limits: of all models together. model_limits: by a model's name or ANY_MODEL; each caller has its own
    allowance of each model. models: those it may call, None for all.
    """

    def __init__(
        self,
        name: str,
        *,
        limits: Limits = UNLIMITED,
        model_limits: Mapping[str, Limits] | None = None,
        models: frozenset[str] | None = None,
    ) -> None:
        self.name = name
        self.limits = limits
        self.model_limits: Mapping[str, Limits] = model_limits or {}
        self.models = models

    def limits_of(self, model: str) -> Limits:
        """What it allows of one model."""
        return self.model_limits.get(model) or self.model_limits.get(ANY_MODEL) or UNLIMITED


class Project:
    """A group of callers with a pooled allowance. models, networks: None for all."""

    def __init__(
        self,
        id: str,
        name: str,
        *,
        limits: Limits = UNLIMITED,
        models: frozenset[str] | None = None,
        networks: tuple[Network, ...] | None = None,
    ) -> None:
        self.id = id
        self.name = name
        self.limits = limits
        self.models = models
        self.networks = networks


class Caller:
    """Who sent a request, for as long as nothing about it, its project or its roles changes.

    id: unique over all kinds, for ever: 'key_...', 'user:<issuer>#<subject>', 'client:<issuer>#<client>' or
    'bootstrap:<name>'. name: for people. limits: its own, besides those of its roles. priority: who is
    served first while the gateway is overloaded.
    """

    def __init__(
        self,
        id: str,
        name: str,
        kind: Kind,
        *,
        project: Project | None = None,
        roles: tuple[Role, ...] = (),
        limits: Limits = UNLIMITED,
        models: frozenset[str] | None = None,
        networks: tuple[Network, ...] | None = None,
        priority: Priority = "normal",
    ) -> None:
        self.id = id
        self.name = name
        self.kind = kind
        self.project = project
        self.roles = roles
        self.limits = limits
        self.models = models
        self.networks = networks
        self.priority: Priority = priority
        self._has_budget: dict[str, bool] = {}
        self._by_model: dict[str, tuple[tuple[Subject, Limits], ...]] = {}

    @cached_property
    def is_admin(self) -> bool:
        """Whether it may use the admin API."""
        return any(role.name == ADMIN_ROLE for role in self.roles)

    def may_call(self, model: str) -> bool:
        """Whether its own list of models, its project's and those of its roles all allow a model."""
        lists = [self.models, self.project.models if self.project else None]
        if self.roles and all(role.models is not None for role in self.roles):
            lists.append(frozenset().union(*(role.models or () for role in self.roles)))
        return all(models is None or model in models for models in lists)

    def may_come_from(self, address: Address) -> bool:
        """Whether its own networks and its project's both allow an address."""
        return all(
            networks is None or any(address in network for network in networks)
            for networks in (self.networks, self.project.networks if self.project else None)
        )

    def limits_on(self, model: str) -> tuple[tuple[Subject, Limits], ...]:
        """All limits on its calls of a model, each with those whose use counts against it."""
        found = self._by_model.get(model)
        if found is None:
            found = self._by_model[model] = tuple(
                (subject, limits) for subject, limits in self._limits_on(model) if limits != UNLIMITED
            )
        return found

    def has_budget(self, model: str) -> bool:
        """Whether any limit on its calls of a model is one of money."""
        has_budget = self._has_budget.get(model)
        if has_budget is None:
            has_budget = self._has_budget[model] = any(
                getattr(limits, name) is not None
                for _, limits in self.limits_on(model)
                for name in DIMENSIONS
                if DIMENSIONS[name].unit == "usd"
            )
        return has_budget

    def _limits_on(self, model: str) -> list[tuple[Subject, Limits]]:
        of_roles = most_generous(role.limits for role in self.roles)
        limits = [
            (Subject("caller", self.id, None), strictest([self.limits, of_roles])),
            (
                Subject("caller", self.id, model),
                most_generous(role.limits_of(model) for role in self.roles),
            ),
        ]
        if self.project is not None:
            limits.append((Subject("project", self.project.id, None), self.project.limits))
        return limits
