"""Brings the platform up on this machine, step by step, and takes it down again."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
)

from gateway.settings import variable
from local import aws
from local.addresses import mapped_addresses
from local.deploy import bootstrap, deploy_all
from local.emulator.server import enforce_iam, records_path, start_emulator
from local.errors import LocalError
from local.fargate import running_tasks
from local.first_key import make_key, usage_of
from local.first_request import ask
from local.gateway import gateway_environment, start_bedrock, start_gateway
from local.key_hashing import keep_key_hashing_secret
from local.migrations import start_migrations
from local.options import Options
from local.passwords import Passwords
from local.pods import serve_pods
from local.postgres import start_postgres
from local.preflight import check
from local.processes import Children, death_notice, record
from local.progress import Progress
from local.report import Report, StackSummary
from local.state import make_state, own_record
from local.synthesis import synthesize_if_changed
from local.task import Credentials, Task, read_access_string, read_task
from local.task_credentials import serve_task_credentials
from local.valkey import start_valkey
from operations.assembly import Stack
from stacks.config.load import load_environment


@contextmanager
def platform(options: Options, progress: Progress) -> Iterator[tuple[Report, Children]]:
    """Bring everything up, have a chat request answered, hand over the report; stop everything at the end.

    Raises PreconditionError before anything is started, LocalError when a step fails.
    """
    with progress.step("Check this machine"):
        check(options)
    make_state(options)
    with ExitStack() as stack:
        record(own_record(options), os.getpid(), signal.SIGTERM)
        stack.callback(own_record(options).unlink)
        children = stack.enter_context(Children(options))
        try:
            report = _bring_up(options, progress, stack, children)
        except (BotoCoreError, ClientError) as error:
            raise LocalError(
                f"the emulator refused a request: {error}; see {options.logs}/emulator.log"
            ) from error
        yield report, children


def _bring_up(options: Options, progress: Progress, stack: ExitStack, children: Children) -> Report:
    environment = load_environment(options.environment)
    region = environment.region
    with progress.step(
        f"Synthesize {options.environment}, with rule packs and template validation, if it changed"
    ) as say:
        synthesize_if_changed(options, say)
    passwords = Passwords()

    def migrate(task: Task) -> "subprocess.Popen[bytes]":
        return start_migrations(options, task, passwords)

    pods, kubernetes = None, None
    if environment.compute.platform == "eks":
        pods, kubernetes = stack.enter_context(serve_pods(options, environment, migrate))
    with progress.step("Start the AWS emulator"):
        emulator = start_emulator(children, options, environment, kubernetes)
    with progress.step("Bootstrap the account with the CDK CLI") as say:
        bootstrap(options, say)
    with progress.step("Start PostgreSQL"):
        start_postgres(children, options)
    with (
        progress.step("Deploy every stack with the CDK CLI and migrate (the image is not built here)") as say,
        nullcontext() if pods else running_tasks(options, region, migrate),
    ):
        # One gateway runs here, and it is the primary's.
        stacks = deploy_all(options, region, say, standby=False)
    enforce_iam(emulator)
    deployed = pods.read_deployment() if pods else read_task(options, region, stacks)
    task = keep_key_hashing_secret(options, region, deployed)
    variables = {**task.environment, **task.secrets}
    with progress.step("Start Valkey"):
        user = Credentials(username=variables[variable("cache_username")], password=passwords.cache)
        start_valkey(children, options, user, read_access_string(options, region, user.username))
    with progress.step("Start the Bedrock simulator"):
        start_bedrock(children, options)
    credentials = stack.enter_context(serve_task_credentials(options, region, task.role))
    addresses = mapped_addresses(task, options, credentials.url)
    environ = gateway_environment(options, task, addresses, credentials, region, passwords)
    with progress.step(f"Start the gateway from the deployed {'Deployment' if pods else 'task definition'}"):
        start_gateway(children, options, environ)
    api_key = next(iter(json.loads(variables[variable("api_keys")]).values()))
    url = options.url("gateway")
    with progress.step("Make a project and a key by the gatehouse command"):
        first_key = make_key(url, api_key)
    with progress.step("Ask by OpenAI's SDK, whole and streamed"):
        answers = ask(url, first_key.key)
    with progress.step("Find both requests in the ledger"):
        usage = usage_of(url, first_key.key, requests=2)
    return Report(
        steps=progress.steps,
        stacks=_summaries(options, stacks),
        stand_ins=sorted(json.loads(records_path(options).read_text())),
        task_definition=task.definition,
        addresses=addresses,
        answers=answers,
        url=url,
        api_key=api_key,
        first_key=first_key,
        usage=usage,
    )


def stay_up(children: Children) -> None:
    """Return never; raises LocalError as soon as a process of the platform ends by itself."""
    while (dead := children.dead()) is None:
        time.sleep(0.5)
    raise LocalError(death_notice(dead))


def _summaries(options: Options, stacks: list[Stack]) -> list[StackSummary]:
    """What became of each stack, wherever it is."""
    places = {(stack.account, stack.region) for stack in stacks}
    deployed = {
        (account, region, each["StackName"]): each["StackStatus"]
        for account, region in places
        for each in aws.client("cloudformation", options, region, account=account).describe_stacks()["Stacks"]
    }
    return [
        StackSummary(
            name=stack.deployed_name,
            status=deployed[stack.account, stack.region, stack.deployed_name],
            resources=len(stack.resources),
        )
        for stack in stacks
    ]
