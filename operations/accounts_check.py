"""Calls deployments on Bedrock as the gateway does, with as little as Bedrock takes."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple

import boto3
import click
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from gateway.catalog import BedrockDeployment
from gateway.openai.embeddings import decode_embeddings_request
from gateway.providers.bedrock.embeddings import embedding_model
from operations.aws import code_of, is_signed_out
from operations.text import clean
from stacks.config.model import Environment
from stacks.config.model_places import AwsDeployment, account_of, external_id

_CONFIG = Config(connect_timeout=5, read_timeout=60, retries={"total_max_attempts": 2, "mode": "standard"})
# The shortest that AWS allows.
_SESSION_SECONDS = 900
_QUESTION = [{"role": "user", "content": [{"text": "Hi"}]}]
_TEXT = decode_embeddings_request(b'{"model": "m", "input": "Hi"}')
_SIGN_IN = "sign in to AWS, for instance with `aws sso login`"
_DENIED_ACTION = re.compile(r"not authorized to perform: ([\w:]+)")

Failure = tuple[str, str, str]


class Checked(NamedTuple):
    """What became of one deployment. step: the call that failed; problem and fix: why, and what to do."""

    deployment: str
    account: str
    region: str
    state: Literal["ok", "failed", "skipped"]
    step: str
    problem: str
    fix: str


def check_deployments(
    config: Environment, deployments: Sequence[AwsDeployment], parallel: int
) -> list[Checked]:
    """Call each deployment once, several at a time; in their order.

    A role is assumed once for all its deployments. Raises nothing for what AWS answers.
    """
    session = boto3.Session()
    roles = _Roles(session, config)
    with _Progress(len(deployments)) as progress, ThreadPoolExecutor(parallel) as pool:

        def check(deployment: AwsDeployment) -> Checked:
            found = _check(session, roles, config, deployment)
            progress.tell()
            return found

        return list(pool.map(check, deployments))


def _check(session: Any, roles: _Roles, config: Environment, deployment: AwsDeployment) -> Checked:
    where = (deployment.name, account_of(deployment, config), deployment.region)
    if not isinstance(deployment, BedrockDeployment):
        return Checked(*where, "skipped", "", "a SageMaker endpoint, which is not called", "")
    failure = roles.failure(deployment.role_arn) or _call(session, roles, deployment)
    return Checked(*where, "failed", *failure) if failure else Checked(*where, "ok", "", "", "")


def _call(session: Any, roles: _Roles, deployment: BedrockDeployment) -> Failure | None:
    # Each has a client of its own: boto3's sessions are not for several threads.
    client = roles.client(session, "bedrock-runtime", deployment.role_arn, deployment.region)
    step = "Converse"
    try:
        if (model := embedding_model(deployment)) is not None:
            step = "InvokeModel"
            client.invoke_model(modelId=deployment.called_id, body=model.write_body(_TEXT, ["Hi"]))
            return None
        guarded: dict[str, Any] = {}
        if deployment.guardrail is not None:
            guarded["guardrailConfig"] = {
                "guardrailIdentifier": deployment.guardrail.identifier,
                "guardrailVersion": deployment.guardrail.version,
            }
        client.converse(
            modelId=deployment.called_id, messages=_QUESTION, inferenceConfig={"maxTokens": 1}, **guarded
        )
        if deployment.foundation_model.startswith("anthropic."):
            step = "CountTokens"
            client.count_tokens(
                modelId=deployment.foundation_model, input={"converse": {"messages": _QUESTION}}
            )
    except (BotoCoreError, ClientError) as error:
        return (step, *_explained(error, deployment))
    finally:
        client.close()
    return None


class _Roles:
    """The sessions of the roles that deployments name, each assumed once; safe for several threads."""

    def __init__(self, session: Any, config: Environment) -> None:
        self._config = config
        self._sts = session.client("sts", region_name=config.region, config=_CONFIG)
        self._lock = threading.Lock()
        self._assumed: dict[str, Mapping[str, str] | Failure] = {}

    def failure(self, role_arn: str | None) -> Failure | None:
        """Why a role cannot be assumed; None if it can, and for the caller's own credentials."""
        if role_arn is None:
            return None
        with self._lock:
            if role_arn not in self._assumed:
                self._assumed[role_arn] = self._assume(role_arn)
            found = self._assumed[role_arn]
        return found if isinstance(found, tuple) else None

    def client(self, session: Any, service: str, role_arn: str | None, region: str) -> Any:
        """A client that acts as a role that has been assumed, or as the caller."""
        keys: Mapping[str, str] = {}
        with self._lock:
            found = self._assumed.get(role_arn or "")
            if isinstance(found, Mapping):
                keys = found
            return session.client(service, region_name=region, config=_CONFIG, **keys)

    def _assume(self, role_arn: str) -> Mapping[str, str] | Failure:
        name = self._config.name
        try:
            answer = self._sts.assume_role(
                RoleArn=role_arn,
                RoleSessionName=f"gatehouse-{name}",
                ExternalId=external_id(self._config),
                DurationSeconds=_SESSION_SECONDS,
                Tags=[{"Key": "project", "Value": "gatehouse"}, {"Key": "environment", "Value": name}],
            )["Credentials"]
        except (BotoCoreError, ClientError) as error:
            return "AssumeRole", _said(error), _fix_of_role(error)
        return {
            "aws_access_key_id": answer["AccessKeyId"],
            "aws_secret_access_key": answer["SecretAccessKey"],
            "aws_session_token": answer["SessionToken"],
        }


class _Progress:
    """One line on a terminal, rewritten as deployments answer."""

    def __init__(self, total: int) -> None:
        self._shown = sys.stderr.isatty()
        self._total = total
        self._done = 0
        self._lock = threading.Lock()

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            click.echo("\r\033[K", nl=False, err=True)

    def tell(self) -> None:
        """One more has answered."""
        with self._lock:
            self._done += 1
            if self._shown:
                click.echo(f"\r{self._done} of {self._total} deployments\033[K", nl=False, err=True)


def _fix_of_role(error: BotoCoreError | ClientError) -> str:
    if code_of(error) == "AccessDenied":
        return "deploy the account's ModelAccess stack; check as a role in model_access.checked_by"
    return _SIGN_IN if is_signed_out(error) else "try again later"


def _explained(error: BotoCoreError | ClientError, deployment: BedrockDeployment) -> tuple[str, str]:
    said = _said(error)
    code = code_of(error)
    if is_signed_out(error):
        return said, _SIGN_IN
    if code == "AccessDeniedException":
        if denied := _DENIED_ACTION.search(said):
            return said, f"let the role do {denied[1]}: deploy the account's ModelAccess stack again"
        model = deployment.foundation_model
        return (
            said,
            f"have an administrator of the account call {model} once, which subscribes the account to it",
        )
    fixes = {
        "ThrottlingException": "try again later; if it stays so, ask for more quota in Service Quotas",
        "ResourceNotFoundException": "name a model, profile or guardrail that exists in this region",
        "ValidationException": f"name what {deployment.region} serves: another model_id, profile or region",
        "ServiceUnavailableException": "try again later",
        "ModelNotReadyException": "try again later",
    }
    return said, fixes.get(code, "")


def _said(error: BotoCoreError | ClientError) -> str:
    """What AWS said, without the words that boto3 puts around it."""
    if isinstance(error, ClientError):
        return clean(f"{code_of(error)}: {error.response['Error'].get('Message', '')}")
    return clean(str(error))
