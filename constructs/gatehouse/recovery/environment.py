"""What a recovery plan is about: the same things in two regions."""

from collections.abc import Mapping
from dataclasses import dataclass

import aws_cdk as cdk
from constructs import Construct

from gatehouse import names
from gatehouse.recovery import steps


@dataclass(frozen=True, kw_only=True)
class EcsGateways:
    """The gateways as an ECS service; cluster and service have the same names in both regions."""

    cluster: str
    service: str


@dataclass(frozen=True, kw_only=True)
class EksGateways:
    """The gateways as a Deployment, scaled by a HorizontalPodAutoscaler; named the same in both regions."""

    cluster: str
    namespace: str
    deployment: str
    autoscaler: str


@dataclass(frozen=True, kw_only=True)
class Recoverable:
    """An environment in two regions of one account.

    hosted_zone_id, record_name: of the public name. functions: names of the functions behind the steps that
    are the platform's own, by the step's name. health_alarm: the name of the alarm that says whether callers
    are served. All names are the same in both regions.
    """

    primary_region: str
    standby_region: str
    hosted_zone_id: str
    record_name: str
    gateways: EcsGateways | EksGateways
    database: str
    functions: Mapping[str, str]
    health_alarm: str

    @property
    def regions(self) -> tuple[str, str]:
        """The primary region, then the standby's."""
        return self.primary_region, self.standby_region

    def arns(
        self,
        scope: Construct,
        service: str,
        resource: str,
        name: str,
        arn_format: cdk.ArnFormat = cdk.ArnFormat.SLASH_RESOURCE_NAME,
    ) -> list[str]:
        """A resource's ARN in each region: computed, so that neither region has to be asked."""
        stack = cdk.Stack.of(scope)
        return [
            stack.format_arn(
                service=service, region=region, resource=resource, resource_name=name, arn_format=arn_format
            )
            for region in self.regions
        ]

    def database_arns(self, scope: Construct) -> list[str]:
        """The database's instance in each region."""
        return self.arns(scope, "rds", "db", self.database, cdk.ArnFormat.COLON_RESOURCE_NAME)

    def function_arns(self, scope: Construct, step: str) -> list[str]:
        """A step's function in each region."""
        named = self.functions[step]
        return self.arns(scope, "lambda", "function", named, cdk.ArnFormat.COLON_RESOURCE_NAME)

    def alarm_arns(self, scope: Construct) -> list[str]:
        """The health alarm in each region."""
        return self.arns(scope, "cloudwatch", "alarm", self.health_alarm, cdk.ArnFormat.COLON_RESOURCE_NAME)


def function_names(environment: str) -> dict[str, str]:
    """The functions behind the platform's own steps, by the step's name."""
    return {step.name: names.recovery_function(environment, step.name) for step in steps.BY_FUNCTION}
