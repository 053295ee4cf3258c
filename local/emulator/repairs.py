"""Where MiniStack's CloudFormation answers differently from AWS in a way the platform can see.

Each repair wraps one native function; remove it when MiniStack answers as AWS does.
"""

import base64
import json
import string
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any
from xml.sax.saxutils import escape

from ministack.core import iam_evaluator, lambda_runtime
from ministack.core.responses import get_account_id, get_region, json_response, new_uuid
from ministack.services import ecs, eks, elasticache

Properties = dict[str, Any]
Result = tuple[str, dict[str, Any]]
Create = Callable[[str, Properties, str], Result]
Handlers = dict[str, dict[str, Any]]

# Runs in the process of a function, before its own code.
_RESOLVER = """
import re, socket
_resolve = socket.getaddrinfo
def _resolve_without_account(host, *arguments, **options):
    if isinstance(host, str):
        host = re.sub(r"^[0-9]{12}[.](?=127[.])", "", host)
    return _resolve(host, *arguments, **options)
socket.getaddrinfo = _resolve_without_account
"""


def repair(provisioners: ModuleType) -> None:
    """Wrap what needs it in MiniStack's module of CloudFormation resource handlers."""
    handlers: Handlers = provisioners._RESOURCE_HANDLERS
    _answer_vpc_cidr_block(handlers["AWS::EC2::VPC"])
    _name_buckets_of_an_account(handlers["AWS::S3::Bucket"])
    _answer_secret_arn(handlers["AWS::SecretsManager::Secret"])
    _answer_dkim_tokens(handlers["AWS::SES::EmailIdentity"])
    _take_alarms_on_expressions(provisioners)
    _answer_task_secrets(provisioners)
    _answer_access_strings()
    _take_reports_of_ended_tasks()
    _let_root_act_for_ecs_and_eks()
    _resolve_hosts_of_accounts()


def _answer_vpc_cidr_block(handler: dict[str, Any]) -> None:
    """`Fn::GetAtt CidrBlock` of a VPC is missing; the CDK uses it in endpoint security groups."""
    create: Create = handler["create"]

    def create_with_cidr(logical_id: str, properties: Properties, stack_name: str) -> Result:
        physical_id, attributes = create(logical_id, properties, stack_name)
        return physical_id, {**attributes, "CidrBlock": properties["CidrBlock"]}

    handler["create"] = create_with_cidr


def _name_buckets_of_an_account(handler: dict[str, Any]) -> None:
    """`BucketNamePrefix` is ignored, by which S3 makes a name that is the account's own in a region."""
    create: Create = handler["create"]

    def create_named(logical_id: str, properties: Properties, stack_name: str) -> Result:
        if prefix := properties.get("BucketNamePrefix"):
            name = f"{prefix}-{get_account_id()}-{get_region()}-an"
            properties = {**properties, "BucketName": name}
        return create(logical_id, properties, stack_name)

    handler["create"] = create_named


def _answer_secret_arn(handler: dict[str, Any]) -> None:
    """A secret's `Ref` is its ARN, and generated passwords obey ExcludePunctuation."""
    create: Create = handler["create"]
    update = handler["update"]
    delete = handler["delete"]

    def create_with_arn(logical_id: str, properties: Properties, stack_name: str) -> Result:
        _, attributes = create(logical_id, _without_punctuation(properties), stack_name)
        return attributes["Arn"], attributes

    def update_by_arn(arn: str, old: Properties, new: Properties, stack_name: str, logical_id: str) -> Result:
        _, attributes = update(
            _secret_name(arn), _without_punctuation(old), _without_punctuation(new), stack_name, logical_id
        )
        return attributes["Arn"], attributes

    def delete_by_arn(arn: str, properties: Properties) -> None:
        delete(_secret_name(arn), properties)

    handler.update(create=create_with_arn, update=update_by_arn, delete=delete_by_arn)


def _answer_dkim_tokens(handler: dict[str, Any]) -> None:
    """The records that prove a domain are missing from what `Fn::GetAtt` gives of it."""
    create: Create = handler["create"]

    def create_with_tokens(logical_id: str, properties: Properties, stack_name: str) -> Result:
        domain, attributes = create(logical_id, properties, stack_name)
        tokens = {index: new_uuid().replace("-", "") for index in (1, 2, 3)}
        names = {f"DkimDNSTokenName{i}": f"{token}._domainkey.{domain}" for i, token in tokens.items()}
        values = {f"DkimDNSTokenValue{i}": f"{token}.dkim.amazonses.com" for i, token in tokens.items()}
        return domain, {**attributes, **names, **values}

    handler["create"] = create_with_tokens


def _take_alarms_on_expressions(provisioners: ModuleType) -> None:
    """Alarms on metric math are refused. Here each watches the first metric of its expression."""
    record: Callable[[str, Properties], dict[str, Any]] = provisioners._cw_metric_alarm_record

    def record_first_metric(name: str, properties: Properties) -> dict[str, Any]:
        for metric in properties.get("Metrics", []):
            if "MetricStat" in metric:
                first = metric["MetricStat"]
                watched = {**first["Metric"], "Statistic": first["Stat"], "Period": first["Period"]}
                return record(name, {**properties, **watched, "Metrics": None})
        return record(name, properties)

    provisioners._cw_metric_alarm_record = record_first_metric  # type: ignore[attr-defined]


def _secret_name(arn: str) -> str:
    """The name within a secret's ARN, which ends in a hyphen and six characters of Secrets Manager's own."""
    return arn.split(":", 6)[6][: -len("-XXXXXX")]


def _without_punctuation(properties: Properties) -> Properties:
    generate = properties.get("GenerateSecretString")
    if not generate or not generate.get("ExcludePunctuation"):
        return properties
    excluded = generate.get("ExcludeCharacters", "") + string.punctuation
    return {**properties, "GenerateSecretString": {**generate, "ExcludeCharacters": excluded}}


def _answer_task_secrets(provisioners: ModuleType) -> None:
    """A deployed container's `secrets` keep CloudFormation's capitals, so SDKs read empty entries."""
    normalize: Callable[[list[Properties]], list[Properties]] = provisioners._normalize_container_defs

    def normalize_with_secrets(containers: list[Properties]) -> list[Properties]:
        normalized = normalize(containers)
        for container in normalized:
            container["secrets"] = [
                {"name": secret["Name"], "valueFrom": secret["ValueFrom"]}
                for secret in container.get("secrets", [])
            ]
        return normalized

    provisioners._normalize_container_defs = normalize_with_secrets  # type: ignore[attr-defined]  # no stubs


def _answer_access_strings() -> None:
    """DescribeUsers puts access strings into XML as they are, and every useful one holds an ampersand."""
    user_xml: Callable[[Properties], str] = elasticache._user_xml

    def user_xml_escaped(user: Properties) -> str:
        return user_xml({**user, "AccessString": escape(user["AccessString"])})

    elasticache._user_xml = user_xml_escaped


def _take_reports_of_ended_tasks() -> None:
    """SubmitTaskStateChange is acknowledged and forgotten; by it an agent tells how its task has ended."""

    def submit(report: Properties) -> Any:
        task = ecs._resolve_task(report["task"], ecs._resolve_cluster_name(report["cluster"]))
        exit_code = next(container.get("exitCode") for container in report["containers"])
        stop_code = "TaskFailedToStart" if exit_code is None else "EssentialContainerExited"
        ecs._mark_task_stopped(task["taskArn"], task, report["reason"], stop_code, exit_code=exit_code)
        return json_response({"acknowledgment": "ACCEPT"})

    ecs._ACTION_MAP["SubmitTaskStateChange"] = submit


def _let_root_act_for_ecs_and_eks() -> None:
    """No service assumes roles here: the account's root does, and shows for whom as ECS or EKS would."""
    evaluate: Callable[[Any, str, Any], bool] = iam_evaluator.evaluate_trust_policy

    def evaluate_for_service(trust: Any, caller_arn: str, context: Any = None) -> bool:
        if context is not None and context.principal_type == "Root":
            account = context.principal_account
            source = f"arn:aws:ecs:{context.region}:{account}:task/cluster/0123456789abcdef"
            if "pods.eks.amazonaws.com" in json.dumps(trust):
                source = next(cluster["arn"] for cluster in eks._clusters.values())
            shown = {"aws:sourceaccount": account, "aws:sourcearn": source}
            context = replace(context, service_context={**context.service_context, **shown})
        return evaluate(trust, caller_arn, context)

    iam_evaluator.evaluate_trust_policy = evaluate_for_service


def _resolve_hosts_of_accounts() -> None:
    """S3 Control is asked at a host of the account's own, below the endpoint's: no such name resolves."""
    lambda_runtime._PYTHON_WORKER_SCRIPT = _RESOLVER + lambda_runtime._PYTHON_WORKER_SCRIPT


def point_clusters_to(endpoint: str, authority: str) -> None:
    """Have every cluster of EKS answer as the one whose API is there; its authority's certificate is PEM."""
    create: Callable[..., Any] = eks._create_cluster

    def create_there(body: Properties, creator_arn: str | None = None) -> Any:
        response = create(body, creator_arn)
        cluster = eks._clusters.get(body.get("name", ""))
        if cluster is not None:
            data = base64.b64encode(authority.encode()).decode()
            cluster.update(endpoint=endpoint, certificateAuthority={"data": data}, status="ACTIVE")
        return response

    eks._create_cluster = create_there
