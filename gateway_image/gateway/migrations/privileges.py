"""What a serving process may do: read and write rows, never change the schema, never unsay what it logged."""

from collections.abc import Mapping

# Every table is here: one that is missing can be neither read nor written by a serving process.
TABLES: Mapping[str, tuple[str, ...]] = {
    "alembic_version": ("SELECT",),
    "directory_version": ("SELECT", "UPDATE"),
    # What is deleted is only marked, so that other processes learn of it.
    "projects": ("SELECT", "INSERT", "UPDATE"),
    "roles": ("SELECT", "INSERT", "UPDATE"),
    "api_keys": ("SELECT", "INSERT", "UPDATE"),
    "api_key_secrets": ("SELECT", "INSERT", "UPDATE"),
    "idempotency_keys": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    # They only grow. Months of usage end by usage_drop_months().
    "audit_log": ("SELECT", "INSERT"),
    "usage": ("SELECT", "INSERT"),
    "usage_hourly": ("SELECT", "INSERT", "UPDATE"),
    "usage_monthly": ("SELECT", "INSERT", "UPDATE"),
    "usage_retention": ("SELECT",),
}
FUNCTIONS = ("usage_add_months()", "usage_drop_months(integer)")
