"""Tasks that CloudFormation runs in the course of a deployment."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.custom_resource_function import CustomResourceFunction
from gatehouse.findings import acknowledge

# The longest that Lambda allows: a task may take half a minute less.
TIME_LIMIT = cdk.Duration.minutes(15)


class DeploymentTask(Construct):
    """A custom resource that runs a task to its end, when it is created and when its definition changes.

    The deployment goes on when the task's container exits with 0, and is rolled back when it does not.
    Whatever must come after the task depends on this construct. The function that starts it may start this
    task in this cluster and read its log, and nothing else.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        resource_type: str,
        cluster: ecs.ICluster,
        definition: ecs.FargateTaskDefinition,
        container_name: str,
        log_group: logs.ILogGroup,
        vpc: ec2.IVpc,
        subnets: ec2.SubnetSelection,
        security_group: ec2.ISecurityGroup,
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        function = CustomResourceFunction(
            self,
            "Function",
            handler="run_task",
            description="Runs an ECS task to its end for CloudFormation",
            timeout=TIME_LIMIT,
            log_key=log_key,
            log_retention=log_retention,
            removal_policy=removal_policy,
        )
        log_group.grant(function.role, "logs:GetLogEvents")
        function.let_see_its_stack()
        self._let_run(function.role, cluster, definition)
        self.resource = function.resource(
            self,
            "Run",
            resource_type=resource_type,
            properties={
                "Cluster": cluster.cluster_arn,
                "TaskDefinition": definition.task_definition_arn,
                "Container": container_name,
                "Subnets": vpc.select_subnets(subnet_group_name=subnets.subnet_group_name).subnet_ids,
                "SecurityGroups": [security_group.security_group_id],
                "LogGroup": log_group.log_group_name,
            },
        )
        # With their policies: a task that may not yet pull its image or read its secrets does not start.
        self.resource.node.add_dependency(*_roles(definition))

    def _let_run(self, role: iam.Role, cluster: ecs.ICluster, definition: ecs.FargateTaskDefinition) -> None:
        stack = cdk.Stack.of(self)
        in_cluster = {"ArnEquals": {"ecs:cluster": cluster.cluster_arn}}
        tasks = stack.format_arn(service="ecs", resource="task", resource_name=f"{cluster.cluster_name}/*")
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["ecs:RunTask"],
                resources=[definition.task_definition_arn],
                conditions=in_cluster,
            )
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["ecs:DescribeTasks", "ecs:StopTask"], resources=[tasks], conditions=in_cluster
            )
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[r.role_arn for r in _roles(definition)],
                conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            )
        )
        name = stack.resolve(cluster.cluster_name)["Ref"]
        every_task = f"arn:aws:ecs:{stack.region}:{stack.account}:task/<{name}>/*"
        acknowledge(
            role,
            {f"IAM5[Resource::{every_task}]": "Tasks have generated IDs; the cluster is the platform's own."},
        )


def _roles(definition: ecs.FargateTaskDefinition) -> list[iam.IRole]:
    return [definition.task_role, definition.obtain_execution_role()]
