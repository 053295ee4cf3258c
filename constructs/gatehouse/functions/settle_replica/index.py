"""A step after a recovery: the replica that was made again has the settings of the one before it.

Variables: DATABASE (the instance's name), SETTINGS (a JSON object of parameters of ModifyDBInstance), LOGS (a
JSON array of the logs to export). RDS makes replicas in one zone, without backups, protection or sign-in by
IAM, and Region switch asks for nothing else.

Called twice it does the same, and what it is called with does not matter.
"""

import json
import os
from typing import Any

import boto3

from gatehouse.functions.patience import TIME_LIMITS
from gatehouse.functions.waiting import wait_until

# What RDS calls a setting when it describes an instance, where that is another name.
_DESCRIBED = {"EnableIAMDatabaseAuthentication": "IAMDatabaseAuthenticationEnabled"}


def on_event(_event: Any, context: Any) -> dict[str, str]:
    """Change what differs, and wait for it. Raises NotYetError while it is being changed."""
    rds = boto3.client("rds", config=TIME_LIMITS)
    database = os.environ["DATABASE"]
    wait_until(lambda: _unsettled(rds, database), context)
    return {"replica": "has its settings"}


def _unsettled(rds: Any, database: str) -> str | None:
    (instance,) = rds.describe_db_instances(DBInstanceIdentifier=database)["DBInstances"]
    if (status := instance["DBInstanceStatus"]) != "available":
        return f"{database} is {status}"
    changes = _changes(instance)
    if not changes:
        return None
    rds.modify_db_instance(DBInstanceIdentifier=database, ApplyImmediately=True, **changes)
    return f"{database} is given {', '.join(sorted(changes))}"


def _changes(instance: dict[str, Any]) -> dict[str, Any]:
    """The parameters of ModifyDBInstance that an instance does not have yet."""
    changes = {
        name: value
        for name, value in json.loads(os.environ["SETTINGS"]).items()
        if instance.get(_DESCRIBED.get(name, name)) != value
    }
    exported = instance.get("EnabledCloudwatchLogsExports", [])
    if missing := [log for log in json.loads(os.environ["LOGS"]) if log not in exported]:
        changes["CloudwatchLogsExportConfiguration"] = {"EnableLogTypes": missing}
    return changes
