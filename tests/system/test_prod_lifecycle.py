"""Production from its first deployment to its last: deployed, compared, updated, rolled back, destroyed.

On an emulator: it proves order, references, change sets, rollback and what is kept, none of AWS's own rules.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from local import aws
from local.deploy import bootstrap, cdk_cli, deploy_all
from local.emulator.server import start_emulator
from local.errors import LocalError
from local.fargate import running_tasks
from local.options import Options
from local.processes import Children
from local.task import Task
from operations.assembly import Stack, read_stacks
from stacks.config.load import load_configuration
from stacks.config.model import Environment
from stacks.platform import Platform
from tests.synthesis import FLAGS

CONFIG, CATALOG = load_configuration("prod")
STATEFUL = {
    "AWS::Cognito::UserPool",
    "AWS::ECR::Repository",
    "AWS::KMS::Key",
    "AWS::RDS::DBInstance",
    "AWS::S3::Bucket",
}


@dataclass
class Migrations:
    """What the deployed migration task does here: it ends with `exit_code`. `ran` are its definitions."""

    exit_code: int = 0
    ran: list[str] = field(default_factory=list)

    def start(self, task: Task) -> "subprocess.Popen[bytes]":
        self.ran.append(task.definition)
        return subprocess.Popen([sys.executable, "-c", f"raise SystemExit({self.exit_code})"])


@dataclass(frozen=True)
class Production:
    """Production on the emulator."""

    options: Options
    migrations: Migrations

    def synthesize(self, config: Environment = CONFIG) -> None:
        """Write the assembly of this configuration."""
        shutil.rmtree(self.options.assembly, ignore_errors=True)
        app = cdk.App(
            context=dict(FLAGS),
            outdir=str(self.options.assembly),
            analytics_reporting=False,
            builtin_cloud_formation_validation=False,
        )
        Platform(app, config=config, catalog=CATALOG)
        app.synth()

    def deploy(self) -> None:
        """Deploy the account's stacks. Raises LocalError."""
        with running_tasks(self.options, CONFIG.region, self.migrations.start):
            deploy_all(self.options, CONFIG.region, lambda _: None)

    def cli(self, *arguments: str) -> None:
        """Run the CDK CLI on the assembly as it lies there. Raises LocalError with its last lines."""
        switches = ["--app", str(self.options.assembly)]
        environ = aws.environment(self.options, CONFIG.region)
        cdk_cli(self.options, arguments[0], [*arguments, *switches], environ, lambda _: None)

    def client(self, service: str) -> Any:
        return aws.client(service, self.options, CONFIG.region)

    def cloudformation(self, stack: Stack) -> Any:
        return aws.client("cloudformation", self.options, stack.region, account=stack.account)

    @property
    def stacks(self) -> list[Stack]:
        return list(read_stacks(self.options.assembly).values())

    def status(self) -> dict[str, str]:
        """The state of each stack that is there, wherever it is."""
        found = {}
        for stack in self.stacks:
            for each in self.cloudformation(stack).describe_stacks()["Stacks"]:
                if each["StackName"] == stack.deployed_name:
                    found[stack.deployed_name] = each["StackStatus"]
        return found

    def service(self) -> dict[str, Any]:
        ecs = self.client("ecs")
        (cluster,) = ecs.list_clusters()["clusterArns"]
        (arn,) = ecs.list_services(cluster=cluster)["serviceArns"]
        found: dict[str, Any] = ecs.describe_services(cluster=cluster, services=[arn])["services"][0]
        return found


@pytest.fixture(scope="module")
def production(free_ports: Callable[[int], list[int]]) -> Iterator[Production]:
    """Production, deployed."""
    state = Path(tempfile.mkdtemp(prefix="gatehouse-prod-"))
    (emulator,) = free_ports(1)
    options = Options(state=state, ports={"emulator": emulator}, environment="prod")
    for folder in (options.logs, options.run):
        folder.mkdir(parents=True)
    try:
        with Children(options) as children:
            start_emulator(children, options, CONFIG)
            deployed = Production(options, Migrations())
            deployed.synthesize()
            bootstrap(options, lambda _: None)
            deployed.deploy()
            yield deployed
    finally:
        shutil.rmtree(state, ignore_errors=True)


def _changed(**service: Any) -> Environment:
    return CONFIG.model_copy(update={"service": CONFIG.service.model_copy(update=service)})


def test_every_stack_is_created_and_protected(production: Production) -> None:
    assert set(production.status().values()) == {"CREATE_COMPLETE"}
    assert production.status().keys() == {stack.deployed_name for stack in production.stacks}
    assert len(production.migrations.ran) == 1


def test_nothing_differs_after_a_deployment(production: Production) -> None:
    production.cli("diff", "--fail", "--method=template", *_paths(production))


def test_one_stack_is_updated_alone_and_the_others_stay(production: Production) -> None:
    before = production.service()["taskDefinition"]
    production.synthesize(_changed(known_keys_minutes=CONFIG.service.known_keys_minutes + 1))
    with pytest.raises(LocalError, match="diff failed with exit code 1"):
        production.cli("diff", "--fail", "--method=template", *_paths(production))
    production.cli("deploy", "--exclusively", "--require-approval=never", "gatehouse-prod/Service")
    assert production.service()["taskDefinition"] != before
    status = production.status()
    assert status.pop("gatehouse-prod-Service") == "UPDATE_COMPLETE"
    assert set(status.values()) == {"CREATE_COMPLETE"}
    assert len(production.migrations.ran) == 1, "the schema's release is the same"


def test_a_deployment_whose_migration_fails_is_rolled_back(production: Production) -> None:
    before = production.service()["taskDefinition"]
    production.migrations.exit_code = 1
    # Another image: its migrations run before the tasks are replaced.
    production.synthesize(_changed(cpu_architecture="x86_64"))
    with pytest.raises(LocalError, match="deploy failed with exit code 1"):
        production.deploy()
    assert len(production.migrations.ran) > 1
    assert production.status()["gatehouse-prod-Service"] == "UPDATE_ROLLBACK_COMPLETE"
    assert production.service()["taskDefinition"] == before


def test_the_next_deployment_goes_on_from_there(production: Production) -> None:
    production.migrations.exit_code = 0
    production.synthesize()
    production.deploy()
    assert production.status()["gatehouse-prod-Service"] == "UPDATE_COMPLETE"


def test_no_stack_can_be_destroyed_by_mistake(production: Production) -> None:
    with pytest.raises(LocalError, match="erminat"):
        production.cli("destroy", "--force", *_paths(production))
    assert len(production.status()) == len(production.stacks)


def test_data_outlives_the_stacks(production: Production) -> None:
    resources: set[str] = set()
    for stack in production.stacks:
        cloudformation = production.cloudformation(stack)
        name = stack.deployed_name
        found = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        if stack.account == CONFIG.account and stack.region == CONFIG.region:
            resources |= {each["PhysicalResourceId"] for each in found if each["ResourceType"] in STATEFUL}
        cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    production.cli("destroy", "--force", *_paths(production))
    assert set(production.status().values()) <= {"DELETE_COMPLETE"}
    assert resources - _existing(production) == set()


def _existing(production: Production) -> set[str]:
    """The physical IDs of what is there of the types in STATEFUL."""
    pools = production.client("cognito-idp").list_user_pools(MaxResults=10)["UserPools"]
    repositories = production.client("ecr").describe_repositories()["repositories"]
    instances = production.client("rds").describe_db_instances()["DBInstances"]
    return {
        *(each["Id"] for each in pools),
        *(each["repositoryName"] for each in repositories),
        *(each["KeyId"] for each in production.client("kms").list_keys()["Keys"]),
        *(each["DBInstanceIdentifier"] for each in instances),
        *(each["Name"] for each in production.client("s3").list_buckets()["Buckets"]),
    }


def _paths(production: Production) -> list[str]:
    return [stack.path for stack in production.stacks]
