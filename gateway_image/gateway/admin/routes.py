"""The routes of the admin API."""

from dataclasses import replace

from gateway.admin.document import describe
from gateway.admin.front import for_admins, for_callers
from gateway.admin.operations import OPERATIONS
from gateway.admin.parts import AdminParts
from gateway.application import Handler, Routes
from gateway.database.share import Share

DOCUMENT_PATH = "/admin/v1/openapi.json"
# Reports may take seconds. Meanwhile the directory and the ledger need their connections, and admins theirs.
_CONNECTIONS = 2
_CONNECTIONS_FOR_CALLERS = 1


def admin_routes(parts: AdminParts) -> Routes:
    """The admin API, and callers' own limits and usage."""
    admins = replace(parts, database=Share(parts.database, _CONNECTIONS))
    callers = replace(parts, database=Share(admins.database, _CONNECTIONS_FOR_CALLERS))
    routes: dict[str, dict[str, Handler]] = {DOCUMENT_PATH: {"GET": describe}}
    for operation in OPERATIONS:
        act = operation.act
        handler = for_admins(admins, act) if operation.for_admins else for_callers(callers, act)
        routes.setdefault(operation.path, {})[operation.method] = handler
    return routes
