"""What every stack of an environment's regions has in common."""

import aws_cdk as cdk
from constructs import Construct

from stacks.config.model import Environment


class RegionalStack(cdk.Stack):
    """A stack in the account and region that `config` describes, protected as it says."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: Environment,
        synthesizer: cdk.IStackSynthesizer | None = None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            env=cdk.Environment(account=config.account, region=config.region),
            termination_protection=config.termination_protection,
            synthesizer=synthesizer,
        )
