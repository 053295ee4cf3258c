"""What callers may do: by themselves, by their roles and by their projects."""

from ipaddress import ip_address, ip_network

import pytest

from gateway.callers import ANY_MODEL, Caller, Project, Role, Subject
from gateway.limits import Limits

TEN = Limits(requests_per_minute=10)
TWENTY = Limits(requests_per_minute=20)


def key(**fields: object) -> Caller:
    return Caller("key_1", "ci", "key", **fields)  # type: ignore[arg-type]


def test_a_caller_without_limits_is_counted_nowhere() -> None:
    assert key(project=Project("proj_1", "p")).limits_on("m") == ()
    assert not key().has_budget("m")


def test_its_own_limit_and_that_of_its_roles_are_counted_together() -> None:
    roles = (Role("a", limits=TWENTY), Role("b", limits=Limits(requests_per_minute=5)))
    caller = key(limits=TEN, roles=roles)
    assert caller.limits_on("m") == ((Subject("caller", "key_1", None), TEN),)
    assert key(roles=caller.roles).limits_on("m") == ((Subject("caller", "key_1", None), TWENTY),)


def test_each_model_has_an_allowance_of_its_own() -> None:
    role = Role("a", model_limits={"m": TEN, ANY_MODEL: TWENTY})
    caller = key(roles=(role,))
    assert caller.limits_on("m") == ((Subject("caller", "key_1", "m"), TEN),)
    assert caller.limits_on("n") == ((Subject("caller", "key_1", "n"), TWENTY),)
    # A role that says nothing of a model allows everything.
    assert key(roles=(role, Role("b", model_limits={"n": TEN}))).limits_on("m") == ()


def test_a_projects_limit_is_shared_by_its_callers() -> None:
    project = Project("proj_1", "p", limits=TEN)
    pooled = ((Subject("project", "proj_1", None), TEN),)
    assert key(project=project).limits_on("m") == pooled
    assert Caller("key_2", "other", "key", project=project).limits_on("m") == pooled


@pytest.mark.parametrize(
    ("limits", "has_budget"), [(Limits(usd_per_day=1), True), (Limits(usd_total=1), True), (TEN, False)]
)
def test_a_limit_of_money_anywhere_is_a_budget(limits: Limits, has_budget: bool) -> None:
    assert key(limits=limits).has_budget("m") is has_budget
    assert key(project=Project("p", "p", limits=limits)).has_budget("m") is has_budget
    assert key(roles=(Role("r", model_limits={"m": limits}),)).has_budget("m") is has_budget
    assert not key(roles=(Role("r", model_limits={"m": limits}),)).has_budget("n")


def test_a_model_must_be_allowed_by_key_project_and_one_of_the_roles() -> None:
    one, both = frozenset({"m"}), frozenset({"m", "n"})
    assert key().may_call("m")
    assert not key(models=one).may_call("n")
    assert not key(models=both, project=Project("p", "p", models=one)).may_call("n")
    assert not key(models=both, roles=(Role("r", models=one),)).may_call("n")
    assert key(models=both, roles=(Role("r", models=one), Role("s", models=both))).may_call("n")
    assert key(models=both, roles=(Role("r", models=one), Role("s"))).may_call("n")


def test_an_address_must_be_allowed_by_key_and_project() -> None:
    office, world = (ip_network("10.1.0.0/16"), ip_network("2001:db8::/32")), (ip_network("0.0.0.0/0"),)
    address = ip_address("10.1.2.3")
    assert key().may_come_from(address)
    assert key(networks=office).may_come_from(address)
    assert key(networks=office).may_come_from(ip_address("2001:db8::1"))
    assert not key(networks=office).may_come_from(ip_address("10.2.2.3"))
    assert not key(networks=world, project=Project("p", "p", networks=office)).may_come_from(
        ip_address("192.0.2.1")
    )


def test_an_admin_is_one_by_role() -> None:
    assert key(roles=(Role("admin"),)).is_admin
    assert not key(roles=(Role("administrator"),)).is_admin
