"""The Identity stack."""

from typing import Any

import aws_cdk as cdk
from constructs import Construct

from gatehouse import names
from gatehouse.user_directory import UserDirectory
from stacks.config.model import Environment
from stacks.lifetimes import removal_policy


class IdentityStack(cdk.Stack):
    """Who may sign in.

    `issuers` are those whose tokens the gateway accepts, as its setting `identity_issuers` wants them: the
    user pool's, then the configured ones.
    """

    def __init__(self, scope: Construct, construct_id: str, *, config: Environment) -> None:
        super().__init__(scope, construct_id, termination_protection=config.termination_protection)
        directory = UserDirectory(
            self,
            "Users",
            domain_prefix=names.sign_in_domain_prefix(config.name, config.account),
            deletion_protection=config.termination_protection,
            removal_policy=removal_policy(config),
        )
        self.issuers: list[dict[str, Any]] = [
            {
                "issuer": directory.issuer,
                "client_ids": [directory.machine_client.user_pool_client_id, *config.identity.app_client_ids],
                "token_use": "access",
                "roles_claim": "cognito:groups",
                "required_scope": directory.invoke_scope,
            },
            *(issuer.model_dump(mode="json", exclude_defaults=True) for issuer in config.identity.issuers),
        ]
        cdk.CfnOutput(self, "UserPoolId", value=directory.user_pool.user_pool_id)
        cdk.CfnOutput(self, "MachineClientId", value=directory.machine_client.user_pool_client_id)
        cdk.CfnOutput(self, "SignInUrl", value=directory.domain.base_url())
