"""What the stacks of one region have to know of the other's."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.custom_resource_function import CustomResourceFunction
from gatehouse.findings import acknowledge, acknowledge_nist

TIME_LIMIT = cdk.Duration.minutes(3)


class OtherRegionOutputs(Construct):
    """The `outputs` of the stack `stack_name` in `region`, looked up once: `value` gives each by its name.

    They are asked for when this is created and when the list changes. A reference between the stacks would be
    resolved in the other region at each deployment, which has to work when that region is lost. So an output
    must never change its value. Without `log_key`, because the keys are what is looked up, the function's log
    is encrypted with a key of AWS's.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stack_name: str,
        region: str,
        outputs: Sequence[str],
        log_key: kms.IKey | None,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        function = CustomResourceFunction(
            self,
            "Function",
            handler="other_region_outputs",
            description=f"Reads outputs of {stack_name} in {region} for CloudFormation",
            timeout=TIME_LIMIT,
            log_key=log_key,
            log_retention=log_retention,
            removal_policy=removal_policy,
        )
        if log_key is None:
            acknowledge_nist(
                function.log_group,
                {"CloudWatchLogGroupEncrypted": "It is there before our keys are, and tells no value."},
            )
        self._let_look(function.role, stack_name, region)
        self._outputs = frozenset(outputs)
        self._resource = function.resource(
            self,
            "Outputs",
            resource_type="Custom::OtherRegionOutputs",
            properties={"StackName": stack_name, "Region": region, "Outputs": sorted(outputs)},
        )

    def value(self, output: str) -> str:
        """The value of one of the outputs. Raises KeyError for one that is not looked up."""
        if output not in self._outputs:
            raise KeyError(f"{output} is not among {', '.join(sorted(self._outputs))}")
        return self._resource.get_att_string(output)

    def _let_look(self, role: iam.Role, stack_name: str, region: str) -> None:
        stack = cdk.Stack.of(self)
        looked_at = stack.format_arn(
            service="cloudformation", region=region, resource="stack", resource_name=f"{stack_name}/*"
        )
        role.add_to_policy(
            iam.PolicyStatement(actions=["cloudformation:DescribeStacks"], resources=[looked_at])
        )
        named = f"arn:aws:cloudformation:{region}:{stack.account}:stack/{stack_name}/*"
        acknowledge(
            role,
            {f"IAM5[Resource::{named}]": "CloudFormation makes the last part of a stack's ARN; this is one."},
        )
