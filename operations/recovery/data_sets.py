"""What data and quotas are like in the other region: one question for each."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gatehouse import names
from operations.recovery.checks import Check
from operations.recovery.lag import Lag
from operations.recovery.parallel import NoAnswer, ask
from operations.recovery.places import Places
from operations.recovery.reach import ANSWER_SECONDS, Aws
from operations.recovery.situation import Situation
from operations.recovery.words import duration, moment

# S3's time control promises that nearly all objects cross within it.
_OBJECT_SECONDS = 900.0
_WINDOW = datetime.timedelta(minutes=30)
Question = Callable[[Aws, Places, Situation], Check]


def data_sets(aws: Aws, places: Places, situation: Situation) -> list[Check]:
    """Ask for all at once, and no region that has been silent; one that falls silent keeps none waiting."""
    aws = aws.without(situation.silent)
    questions = {name: partial(question, aws, places, situation) for name, question in _QUESTIONS.items()}
    answers = ask(questions, seconds=ANSWER_SECONDS)
    return [
        Check(what=name, state="no answer", found=answer.reason) if isinstance(answer, NoAnswer) else answer
        for name, answer in answers.items()
    ]


def database(_aws: Aws, places: Places, situation: Situation) -> Check:
    """Ledger, keys and limits: the replica in the region that does not serve."""
    lag = situation.regions[situation.passive].lag
    if isinstance(lag, NoAnswer):
        return Check(what="database", state="no answer", found=lag.reason)
    if lag is None:
        fix = "gatehouse protect makes one"
        return Check(what="database", state="failed", found=f"no replica in {situation.passive}", fix=fix)
    is_behind = lag.stands_still or lag.following_seconds > places.recovery_point_seconds
    return Check(
        what="database",
        state="failed" if is_behind else "ok",
        found=_behind(lag),
        behind_seconds=lag.seconds,
        fix="see the alarms of the database in both regions" if is_behind else "",
    )


def objects(aws: Aws, places: Places, situation: Situation) -> Check:
    """The buckets: from the region that serves to the other."""
    bucket = names.object_store(places.environment, places.account, places.standby)
    end = "Source" if situation.active == places.standby else "Destination"
    found = _replication(aws.client("cloudwatch", situation.active), f'{end}Bucket="{bucket}"')
    seconds, waiting = found["ReplicationLatency"], found["BytesPendingReplication"]
    if lost := found["OperationsFailedReplication"]:
        return Check(
            what="objects",
            state="failed",
            found=f"{lost:.0f} objects did not cross",
            behind_seconds=seconds,
            fix="copy them with S3 Batch Replication",
        )
    is_behind = seconds > _OBJECT_SECONDS
    on_their_way = f"{duration(seconds)} behind, {waiting:,.0f} bytes on their way"
    return Check(
        what="objects",
        state="failed" if is_behind else "ok",
        found=on_their_way if waiting else "all are there",
        behind_seconds=seconds,
        fix="wait, or look at S3's event notifications of failed replication" if is_behind else "",
    )


def secrets(aws: Aws, places: Places, _situation: Situation) -> Check:
    """Secrets that both regions need: copied from the primary region as they are written."""
    stack = places.stack(places.primary, "Data")
    outputs = _outputs(aws.client("cloudformation", places.primary), stack)
    named = {name: value for name, value in outputs.items() if name.endswith("SecretArn")}
    client = aws.client("secretsmanager", places.primary)
    apart = [name for name, arn in sorted(named.items()) if not _is_in_sync(client, arn, places.standby)]
    if apart or not named:
        told = f"not in sync: {', '.join(apart)}" if apart else f"{stack} names none"
        return Check(what="secrets", state="failed", found=told, fix="deploy the Data stacks of both regions")
    return Check(what="secrets", state="ok", found=f"{len(named)} in sync", behind_seconds=0)


def keys(aws: Aws, places: Places, _situation: Situation) -> Check:
    """The KMS keys of the standby: replicas of the primary's, or their primaries after a change of roles."""
    client = aws.client("kms", places.standby)
    states = {
        alias: client.describe_key(KeyId=alias)["KeyMetadata"]
        for alias in (names.data_key_alias(places.environment), names.log_key_alias(places.environment))
    }
    wrong = [alias for alias, key in states.items() if key["KeyState"] != "Enabled" or not key["MultiRegion"]]
    if wrong:
        return Check(
            what="KMS keys",
            state="failed",
            found=f"not usable in {places.standby}: {', '.join(wrong)}",
            fix="enable them, or deploy Standby-Keys",
        )
    return Check(what="KMS keys", state="ok", found=f"enabled in {places.standby}", behind_seconds=0)


def users(aws: Aws, places: Places, _situation: Situation) -> Check:
    """The user pool: Cognito copies it to the standby."""
    stack = places.stack(places.primary, "Identity")
    pool = _outputs(aws.client("cloudformation", places.primary), stack).get("UserPoolId")
    if pool is None:
        return Check(what="users", state="failed", found=f"{stack} names no user pool", fix="deploy it")
    answer = aws.client("cognito-idp", places.primary).list_user_pool_replicas(UserPoolId=pool)
    replicas = {replica["RegionName"]: replica["Status"] for replica in answer["UserPoolReplicas"]}
    status = replicas.get(places.standby, "none")
    is_there = status == "ACTIVE"
    return Check(
        what="users",
        state="ok" if is_there else "failed",
        found=f"replica {status.lower()}",
        behind_seconds=0 if is_there else None,
        fix="" if is_there else "deploy the Identity stacks of both regions",
    )


def images(aws: Aws, places: Places, situation: Situation) -> Check:
    """The container image that was pushed last where gateways serve."""
    repository = names.image_repository(places.environment)
    pages = (
        aws.client("ecr", situation.active)
        .get_paginator("describe_images")
        .paginate(repositoryName=repository, filter={"tagStatus": "TAGGED"})
    )
    pushed = [image for page in pages for image in page["imageDetails"]]
    if not pushed:
        return Check(what="images", state="failed", found=f"none in {situation.active}", fix="deploy Service")
    newest = max(pushed, key=lambda image: image["imagePushedAt"])["imageTags"][0]
    there = aws.client("ecr", situation.passive).batch_get_image(
        repositoryName=repository, imageIds=[{"imageTag": newest}]
    )
    if not there["images"]:
        fix = "deploy the Service stack of that region, which pushes it"
        return Check(what="images", state="failed", found=f"{newest} is not in {situation.passive}", fix=fix)
    return Check(what="images", state="ok", found=f"{newest[:12]} in both", behind_seconds=0)


def quotas(aws: Aws, _places: Places, situation: Situation) -> Check:
    """What Region switch found too small in the region that would take over."""
    region, plan_arn = situation.passive, situation.plan_arn
    if situation.awaits_deployment:
        return Check(what="quotas", state="ok", found="looked at once a failover has deployed the plan")
    if plan_arn is None:
        return Check(what="quotas", state="no answer", found="there is no plan that would look at them")
    answer = aws.client("arc-region-switch", region).list_service_quota_warnings(planArns=[plan_arn])
    small = [
        warning.get("quotaName") or warning.get("warningMessage", "unknown")
        for warning in answer["serviceQuotaWarningSummaries"]
        if warning["quotaRegion"] == region
    ]
    if small:
        fix = f"ask for more in Service Quotas of {region}"
        return Check(what="quotas", state="failed", found=f"too small: {', '.join(small)}", fix=fix)
    return Check(what="quotas", state="ok", found=f"none too small in {region}")


_QUESTIONS: Mapping[str, Question] = {
    "database": database,
    "objects": objects,
    "secrets": secrets,
    "KMS keys": keys,
    "users": users,
    "images": images,
    "quotas": quotas,
}


def _behind(lag: Lag) -> str:
    told = f"{duration(lag.seconds)} behind, has all until {moment(lag.replayed_until)}"
    if lag.seconds > lag.following_seconds:
        told += f"; while it followed, {duration(lag.following_seconds)} behind"
    return told


def _is_in_sync(client: Any, arn: str, region: str) -> bool:
    copies = client.describe_secret(SecretId=arn).get("ReplicationStatus", ())
    return any(copy["Region"] == region and copy["Status"] == "InSync" for copy in copies)


def _replication(client: Any, where: str) -> dict[str, float]:
    """S3's metrics of the rules that a search names by one of their buckets; 0 where nothing had to cross."""
    now = datetime.datetime.now(datetime.UTC)
    metrics = {
        "ReplicationLatency": "Maximum",
        "BytesPendingReplication": "Maximum",
        "OperationsFailedReplication": "Sum",
    }
    schema = "{AWS/S3,DestinationBucket,RuleId,SourceBucket}"
    answer = client.get_metric_data(
        MetricDataQueries=[
            {
                "Id": name[0].lower() + name[1:],
                "Expression": f"SEARCH('{schema} MetricName=\"{name}\" {where}', '{statistic}', 300)",
            }
            for name, statistic in metrics.items()
        ],
        StartTime=now - _WINDOW,
        EndTime=now,
        ScanBy="TimestampDescending",
    )
    found = dict.fromkeys(metrics, 0.0)
    for series in answer["MetricDataResults"]:
        name = series["Id"][0].upper() + series["Id"][1:]
        values = series["Values"] if metrics[name] == "Sum" else series["Values"][:1]
        found[name] = max(found[name], sum(values))
    return found


def _outputs(client: Any, stack: str) -> dict[str, str]:
    (found,) = client.describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", ())}
