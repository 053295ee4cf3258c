"""The Observability stack."""

from aws_cdk import aws_kms as kms
from constructs import Construct

from gatehouse import names
from gatehouse.alarm_topic import AlarmTopic
from stacks.config.model import Environment
from stacks.regional_stack import RegionalStack


class ObservabilityStack(RegionalStack):
    """Where the alarms of all stacks arrive."""

    def __init__(
        self, scope: Construct, construct_id: str, *, config: Environment, data_key: kms.IKey
    ) -> None:
        super().__init__(scope, construct_id, config=config)
        AlarmTopic(
            self,
            "Alarms",
            topic_name=names.alarm_topic(config.name),
            key=data_key,
            emails=config.alarms.emails,
        )
