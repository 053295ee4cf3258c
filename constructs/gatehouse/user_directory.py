"""People and machines that sign in."""

import aws_cdk as cdk
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from gatehouse.findings import acknowledge

RESOURCE_SERVER = "gateway"
GROUPS = {"admin": "Manages keys, limits and models", "user": "Calls models"}
INVOKE = cognito.ResourceServerScope(scope_name="invoke", scope_description="Call models")


class UserDirectory(Construct):
    """A Cognito user pool: accounts come from administrators, groups are the gateway's roles.

    `machine_client` signs in by client credentials for the scope `invoke_scope`; `issuer` signs the tokens.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        domain_prefix: str,
        deletion_protection: bool,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        self.user_pool = cognito.UserPool(
            self,
            "UserPool",
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(email=True),
            sign_in_case_sensitive=False,
            auto_verify=cognito.AutoVerifiedAttrs(email=True),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            mfa=cognito.Mfa.OPTIONAL,
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            password_policy=cognito.PasswordPolicy(
                min_length=14,
                require_digits=True,
                require_lowercase=True,
                require_symbols=True,
                require_uppercase=True,
                password_history_size=10,
                temp_password_validity=cdk.Duration.days(3),
            ),
            # Threat protection is part of this plan.
            feature_plan=cognito.FeaturePlan.PLUS,
            standard_threat_protection_mode=cognito.StandardThreatProtectionMode.FULL_FUNCTION,
            deletion_protection=deletion_protection,
            removal_policy=removal_policy,
        )
        acknowledge(
            self.user_pool,
            {"COG2": "Accounts come from administrators, TOTP is offered, sign-ins are watched for threats."},
        )
        for name, description in GROUPS.items():
            self.user_pool.add_group(name.capitalize(), group_name=name, description=description)
        resource_server = self.user_pool.add_resource_server(
            "Gateway", identifier=RESOURCE_SERVER, scopes=[INVOKE]
        )
        self.invoke_scope = f"{RESOURCE_SERVER}/{INVOKE.scope_name}"
        self.machine_client = self.user_pool.add_client(
            "Machine",
            generate_secret=True,
            prevent_user_existence_errors=True,
            # No person signs in through it.
            auth_flows=cognito.AuthFlow(user_srp=False),
            access_token_validity=cdk.Duration.hours(1),
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(client_credentials=True),
                scopes=[cognito.OAuthScope.resource_server(resource_server, INVOKE)],
            ),
        )
        self.domain = self.user_pool.add_domain(
            "Domain", cognito_domain=cognito.CognitoDomainOptions(domain_prefix=domain_prefix)
        )
        stack = cdk.Stack.of(self)
        self.issuer = f"https://cognito-idp.{stack.region}.amazonaws.com/{self.user_pool.user_pool_id}"
