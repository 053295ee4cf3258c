"""Every operation of the admin API, and of callers' own limits and usage: its routes and its description."""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from gateway import own_usage
from gateway.admin import (
    audit,
    key_shapes,
    keys,
    limits,
    models,
    projects,
    requests,
    roles,
    usage,
    usage_import,
)
from gateway.admin.fields import Given
from gateway.admin.front import Act
from gateway.admin.pages import Page, PageQuery


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one path.

    statuses: of answers that are no errors. failures: those that only some operations have, besides those of
    all. is_repeatable: it does the same however often it is asked. changes: it takes an Idempotency-Key.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    act: Act
    answer: type[BaseModel]
    query: type[BaseModel] = Given
    body: type[BaseModel] | None = None
    body_is_patch: bool = False
    body_required: bool = True
    statuses: tuple[int, ...] = (200,)
    failures: tuple[int, ...] = ()
    has_csv: bool = False
    has_etag: bool = False
    is_repeatable: bool = False
    for_admins: bool = True

    @property
    def changes(self) -> bool:
        """Whether it changes anything, each time it is asked."""
        return self.method != "GET" and not self.is_repeatable


_PROJECTS, _PROJECT = "/admin/v1/projects", "/admin/v1/projects/{id}"
_KEYS, _KEY = "/admin/v1/keys", "/admin/v1/keys/{id}"
_ROLES, _ROLE = "/admin/v1/roles", "/admin/v1/roles/{name}"

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path=_PROJECTS,
        act=projects.list_projects,
        query=projects.ProjectsQuery,
        answer=Page[projects.Project],
    ),
    Operation(
        method="POST",
        path=_PROJECTS,
        act=projects.create_project,
        body=projects.ProjectInput,
        answer=projects.ChangedProject,
        statuses=(201,),
        failures=(409,),
        has_etag=True,
    ),
    Operation(
        method="GET",
        path=_PROJECT,
        act=projects.read_project,
        answer=projects.Project,
        failures=(404,),
        has_etag=True,
    ),
    Operation(
        method="PATCH",
        path=_PROJECT,
        act=projects.update_project,
        body=projects.ProjectInput,
        body_is_patch=True,
        answer=projects.ChangedProject,
        failures=(404, 409, 412),
        has_etag=True,
    ),
    Operation(
        method="DELETE",
        path=_PROJECT,
        act=projects.archive_project,
        answer=projects.ChangedProject,
        failures=(404, 409, 412),
        has_etag=True,
    ),
    Operation(
        method="GET", path=_KEYS, act=keys.list_keys, query=key_shapes.KeysQuery, answer=Page[key_shapes.Key]
    ),
    Operation(
        method="POST",
        path=_KEYS,
        act=keys.create_key,
        body=key_shapes.NewKey,
        answer=key_shapes.MadeKey,
        # A replay, without the key, is a 200.
        statuses=(201, 200),
        failures=(409,),
        has_etag=True,
    ),
    Operation(
        method="GET", path=_KEY, act=keys.read_key, answer=key_shapes.Key, failures=(404,), has_etag=True
    ),
    Operation(
        method="PATCH",
        path=_KEY,
        act=keys.update_key,
        body=key_shapes.KeyInput,
        body_is_patch=True,
        answer=key_shapes.ChangedKey,
        failures=(404, 409, 412),
        has_etag=True,
    ),
    Operation(
        method="POST",
        path=_KEY + "/rotate",
        act=keys.rotate_key,
        body=key_shapes.Rotation,
        body_required=False,
        answer=key_shapes.MadeKey,
        failures=(404, 409, 412),
        has_etag=True,
    ),
    Operation(
        method="POST",
        path=_KEY + "/revoke",
        act=keys.revoke_key,
        answer=key_shapes.ChangedKey,
        failures=(404, 409, 412),
        has_etag=True,
    ),
    Operation(method="GET", path=_ROLES, act=roles.list_roles, query=PageQuery, answer=Page[roles.Role]),
    Operation(
        method="GET", path=_ROLE, act=roles.read_role, answer=roles.Role, failures=(404,), has_etag=True
    ),
    Operation(
        method="PUT",
        path=_ROLE,
        act=roles.put_role,
        body=roles.RoleInput,
        answer=roles.ChangedRole,
        statuses=(200, 201),
        failures=(409, 412),
        has_etag=True,
    ),
    Operation(
        method="DELETE",
        path=_ROLE,
        act=roles.delete_role,
        answer=roles.DeletedRole,
        failures=(404, 409, 412),
    ),
    Operation(
        method="GET",
        path="/admin/v1/limits",
        act=limits.read_limits_of,
        query=limits.LimitsQuery,
        answer=limits.LimitsAnswer,
        failures=(404,),
    ),
    Operation(method="GET", path="/admin/v1/models", act=models.list_models, answer=models.ServedModels),
    Operation(
        method="GET",
        path="/admin/v1/deployments",
        act=models.list_deployments,
        answer=models.DeploymentStandings,
    ),
    Operation(
        method="GET",
        path="/admin/v1/usage",
        act=usage.read_usage,
        query=usage.UsageQuery,
        answer=usage.UsagePage,
        has_csv=True,
    ),
    Operation(
        method="POST",
        path="/admin/v1/usage/import",
        act=usage_import.import_usage,
        body=usage_import.LogLines,
        answer=usage_import.ImportedUsage,
        is_repeatable=True,
    ),
    Operation(
        method="GET",
        path="/admin/v1/requests",
        act=requests.list_requests,
        query=requests.RequestsQuery,
        answer=Page[requests.LedgerEntry],
        has_csv=True,
    ),
    Operation(
        method="GET",
        path="/admin/v1/audit",
        act=audit.list_changes,
        query=audit.AuditQuery,
        answer=Page[audit.AuditEntry],
    ),
    Operation(
        method="GET",
        path="/v1/limits",
        act=own_usage.read_own_limits,
        query=own_usage.OwnLimitsQuery,
        answer=limits.LimitsAnswer,
        failures=(404,),
        for_admins=False,
    ),
    Operation(
        method="GET",
        path="/v1/usage",
        act=own_usage.read_own_usage,
        query=own_usage.OwnUsageQuery,
        answer=own_usage.OwnUsagePage,
        has_csv=True,
        for_admins=False,
    ),
)
