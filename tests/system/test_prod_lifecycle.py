"""Production from its first deployment to its last, in both of its regions.

It is deployed, compared, updated with one region lost, rolled back and destroyed.

On an emulator: it proves order, references, change sets, rollback and what is kept, none of AWS's own rules.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from botocore.exceptions import ClientError

from local import aws
from local.deploy import bootstrap, cdk_cli, claim_published, deploy_all
from local.emulator.server import lost_region, start_emulator
from local.errors import LocalError
from local.fargate import running_tasks
from local.options import Options
from local.processes import Children
from local.task import Task
from operations.assembly import Stack, read_images, read_stacks
from stacks.config.load import load_configuration
from stacks.config.model import Environment
from stacks.platform import Platform
from tests.synthesis import FLAGS

CONFIG, CATALOG = load_configuration("prod")
STANDBY_REGION = str(CONFIG.standby.region)
STANDBY = "gatehouse-prod/Standby-"
SERVICE = "gatehouse-prod/Service"
STATEFUL = {
    "AWS::Cognito::UserPool",
    "AWS::ECR::Repository",
    "AWS::KMS::Key",
    "AWS::KMS::ReplicaKey",
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
    standby_tags: dict[str, str] = field(default_factory=dict)

    def synthesize(self, config: Environment) -> None:
        """Write the assembly of this configuration, with `standby_tags` on all that the standby has."""
        shutil.rmtree(self.options.assembly, ignore_errors=True)
        app = cdk.App(
            context=dict(FLAGS),
            outdir=str(self.options.assembly),
            analytics_reporting=False,
            stack_traces=False,
            tree_metadata=False,
            builtin_cloud_formation_validation=False,
        )
        platform = Platform(app, config=config, catalog=CATALOG)
        for stack in platform.node.children:
            for name, value in self.standby_tags.items():
                if stack.node.path.startswith(STANDBY):
                    cdk.Tags.of(stack).add(name, value)
        app.synth()

    def deploy(self) -> None:
        """Deploy all stacks. Raises LocalError."""
        with self._running_migrations():
            deploy_all(self.options, CONFIG.region, lambda _: None)

    def deploy_service(self) -> None:
        """Deploy this stack alone, with its images published. Raises LocalError."""
        claim_published(self.options, CONFIG.region, read_images(self.options.assembly))
        with self._running_migrations():
            self.cli("deploy", "--exclusively", "--require-approval=never", SERVICE)

    @contextmanager
    def _running_migrations(self) -> Iterator[None]:
        """Run the tasks that deployments start."""
        with ExitStack() as running:
            for region in (CONFIG.region, STANDBY_REGION):
                running.enter_context(running_tasks(self.options, region, self.migrations.start))
            yield

    def cli(self, *arguments: str, region: str = CONFIG.region) -> None:
        """Run the CDK CLI on the assembly as it lies there. Raises LocalError with its last lines."""
        switches = ["--app", str(self.options.assembly)]
        environ = aws.environment(self.options, region)
        cdk_cli(self.options, arguments[0], [*arguments, *switches], environ, lambda _: None)

    def client(self, service: str, region: str = CONFIG.region) -> Any:
        return aws.client(service, self.options, region)

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
def production(
    free_ports: Callable[[int], list[int]], provide_assembly: Callable[[Options], None]
) -> Iterator[Production]:
    """Production, deployed."""
    state = Path(tempfile.mkdtemp(prefix="gatehouse-prod-"))
    (emulator,) = free_ports(1)
    options = Options(state=state, ports={"emulator": emulator}, environment="prod")
    try:
        provide_assembly(options)
        with Children(options) as children:
            start_emulator(children, options, CONFIG)
            deployed = Production(options, Migrations())
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
    assert len(production.migrations.ran) == 2, "one for each region's database"


def test_nothing_differs_after_a_deployment(production: Production) -> None:
    production.cli("diff", "--fail", "--method=template", *_paths(production))


def test_one_stack_is_updated_alone_and_the_others_stay(production: Production) -> None:
    before = production.service()["taskDefinition"]
    production.standby_tags["round"] = "2"  # what is deployed there by the next test
    production.synthesize(_changed(known_keys_minutes=CONFIG.service.known_keys_minutes + 1))
    with pytest.raises(LocalError, match="diff failed with exit code 1"):
        production.cli("diff", "--fail", "--method=template", "--exclusively", SERVICE)
    production.deploy_service()
    assert production.service()["taskDefinition"] != before
    status = production.status()
    assert status.pop("gatehouse-prod-Service") == "UPDATE_COMPLETE"
    assert set(status.values()) == {"CREATE_COMPLETE"}
    assert len(production.migrations.ran) == 2, "the schema's release is the same"


def test_the_standby_is_updated_while_the_primary_region_is_lost(production: Production) -> None:
    # Every stack of it has changed. Whatever their templates resolved in the lost region, nobody answers.
    (primary,) = (stack for stack in production.stacks if stack.name == "Service")
    with lost_region(production.options, CONFIG.region) as asked:
        with pytest.raises(ClientError, match="503"):
            production.cloudformation(primary).list_stacks()
        asked_by_us = asked.read_text()
        arguments = ["--exclusively", "--require-approval=never", "--concurrency=4"]
        production.cli("deploy", *arguments, f"{STANDBY}*", region=STANDBY_REGION)
        assert asked.read_text() == asked_by_us, "nothing but this test asks the lost region"
    status = production.status()
    updated = {stack.deployed_name for stack in production.stacks if stack.path.startswith(STANDBY)}
    assert {status.pop(name) for name in updated} == {"UPDATE_COMPLETE"}
    assert "gatehouse-prod-Standby-Keys" in updated


def test_a_deployment_whose_migration_fails_is_rolled_back(production: Production) -> None:
    before = production.service()["taskDefinition"]
    production.migrations.exit_code = 1
    # Another image: its migrations run before the tasks are replaced.
    production.synthesize(_changed(cpu_architecture="x86_64"))
    with pytest.raises(LocalError, match="deploy failed with exit code 1"):
        production.deploy_service()
    assert len(production.migrations.ran) > 2
    assert production.status()["gatehouse-prod-Service"] == "UPDATE_ROLLBACK_COMPLETE"
    assert production.service()["taskDefinition"] == before


def test_the_next_deployment_goes_on_from_there(production: Production) -> None:
    before, ran = production.service()["taskDefinition"], len(production.migrations.ran)
    production.migrations.exit_code = 0
    production.deploy_service()
    assert len(production.migrations.ran) == ran + 1
    assert production.status()["gatehouse-prod-Service"] == "UPDATE_COMPLETE"
    assert production.service()["taskDefinition"] != before


def test_no_stack_can_be_destroyed_by_mistake(production: Production) -> None:
    with pytest.raises(LocalError, match="erminat"):
        production.cli("destroy", "--force", *_paths(production))
    assert len(production.status()) == len(production.stacks)


def test_data_outlives_the_stacks(production: Production) -> None:
    resources: set[tuple[str, str]] = set()
    for stack in production.stacks:
        cloudformation = production.cloudformation(stack)
        name = stack.deployed_name
        found = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        if not stack.name.startswith("ModelAccess-"):
            ids = {each["PhysicalResourceId"] for each in found if each["ResourceType"] in STATEFUL}
            resources |= {(stack.region, id_) for id_ in ids}
        cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    production.cli("destroy", "--force", "--concurrency=4", *_paths(production))
    assert set(production.status().values()) <= {"DELETE_COMPLETE"}
    assert resources - _existing(production) == set()


def _existing(production: Production) -> set[tuple[str, str]]:
    """The regions and physical IDs of what is there of the types in STATEFUL."""
    return {
        (region, id_)
        for region in (CONFIG.region, STANDBY_REGION)
        for id_ in _existing_in(region, partial(production.client, region=region))
    }


def _existing_in(region: str, client: Callable[[str], Any]) -> Iterator[str]:
    yield from (each["Id"] for each in client("cognito-idp").list_user_pools(MaxResults=10)["UserPools"])
    yield from (each["repositoryName"] for each in client("ecr").describe_repositories()["repositories"])
    yield from (each["KeyId"] for each in client("kms").list_keys()["Keys"])
    yield from (each["DBInstanceIdentifier"] for each in client("rds").describe_db_instances()["DBInstances"])
    yield from (each["Name"] for each in client("s3").list_buckets(BucketRegion=region)["Buckets"])


def _paths(production: Production) -> list[str]:
    return [stack.path for stack in production.stacks]
