"""What a recovery asks of AWS: data planes alone, in regions of which one may be lost."""

from collections.abc import Mapping

# By service, as botocore names both. `gatehouse status` and readiness drills ask more, a recovery never does.
# ARC's own table of operations tells which of Region switch's are data plane; the others' are by nature.
DATA_PLANE: Mapping[str, frozenset[str]] = {
    "sts": frozenset({"GetCallerIdentity"}),
    "arc-region-switch": frozenset(
        {
            "ListPlansInRegion",
            "GetPlanEvaluationStatus",
            "ListPlanExecutions",
            "StartPlanExecution",
            "GetPlanExecution",
            "ListPlanExecutionEvents",
            "UpdatePlanExecution",
            "UpdatePlanExecutionStep",
            "CancelPlanExecution",
        }
    ),
    "cloudwatch": frozenset({"GetMetricData"}),
    "s3": frozenset({"PutObject"}),
}
