"""The user pool: what proves who somebody is."""

import aws_cdk as cdk
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_kms as kms
from constructs import Construct

from gatehouse.findings import acknowledge
from gatehouse.functions.pre_token import index as claims

GROUPS = {"admin": "Manages keys, limits and models", "user": "Calls models"}
_PREFIX = "custom:"
# Cognito can add attributes to a pool that has users, and neither change nor remove one.
ATTRIBUTES = {
    claims.PROJECT.removeprefix(_PREFIX): cognito.StringAttribute(max_len=256, mutable=True),
    claims.PROVIDER_PROJECT.removeprefix(_PREFIX): cognito.StringAttribute(max_len=256, mutable=True),
    # As long as attributes can be: people with more groups than fit could not sign in.
    claims.PROVIDER_GROUPS.removeprefix(_PREFIX): cognito.StringAttribute(max_len=2048, mutable=True),
}


class GatewayUserPool(cognito.UserPool):
    """Accounts of people, opened by a passkey, or by a password and, if `mfa_required`, a code.

    Its groups are the gateway's roles. `relying_party` is the host of the sign-in page; passkeys hold there
    and nowhere else. With `threat_protection` Cognito refuses credentials that are known to be stolen and
    sign-ins that look like somebody else's. A pool that is copied to another region needs a multi-Region
    `key`, which its policy lets Cognito use; the tokens then name an issuer whose keys several regions serve.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        relying_party: str,
        mfa_required: bool,
        threat_protection: bool,
        self_sign_up: bool,
        mail: cognito.UserPoolEmail | None,
        deletion_protection: bool,
        removal_policy: cdk.RemovalPolicy,
        key: kms.IKey | None = None,
    ) -> None:
        plan, protection = cognito.FeaturePlan, cognito.StandardThreatProtectionMode
        super().__init__(
            scope,
            construct_id,
            self_sign_up_enabled=self_sign_up,
            sign_in_aliases=cognito.SignInAliases(email=True),
            sign_in_case_sensitive=False,
            auto_verify=cognito.AutoVerifiedAttrs(email=True),
            # A new address counts once its owner has confirmed it.
            keep_original=cognito.KeepOriginalAttrs(email=True),
            custom_attributes=ATTRIBUTES,
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            mfa=cognito.Mfa.REQUIRED if mfa_required else cognito.Mfa.OPTIONAL,
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            sign_in_policy=cognito.SignInPolicy(
                allowed_first_auth_factors=cognito.AllowedFirstAuthFactors(password=True, passkey=True)
            ),
            password_policy=cognito.PasswordPolicy(
                min_length=14,
                require_digits=True,
                require_lowercase=True,
                require_symbols=True,
                require_uppercase=True,
                password_history_size=10,
                temp_password_validity=cdk.Duration.days(3),
            ),
            feature_plan=plan.PLUS if threat_protection else plan.ESSENTIALS,
            standard_threat_protection_mode=protection.FULL_FUNCTION if threat_protection else None,
            email=mail,
            deletion_protection=deletion_protection,
            removal_policy=removal_policy,
        )
        self._accept_passkeys(relying_party)
        if key is not None:
            self._serve_from_several_regions(key)
        if threat_protection:
            self._answer_threats(mfa_required)
        for name, description in GROUPS.items():
            self.add_group(name.capitalize(), group_name=name, description=description)
        self._acknowledge(mfa_required, threat_protection)

    def _accept_passkeys(self, relying_party: str) -> None:
        """Through the resource: the construct knows neither the factors nor hosts of more than 63 letters."""
        pool = self._resource
        pool.web_authn_relying_party_id = relying_party
        pool.web_authn_user_verification = "required"
        # The device and the finger or PIN that opens it are two factors.
        pool.web_authn_factor_configuration = "MULTI_FACTOR_WITH_USER_VERIFICATION"

    def _serve_from_several_regions(self, key: kms.IKey) -> None:
        settings = cognito.CfnUserPool
        self._resource.key_configuration = settings.KeyConfigurationProperty(
            key_type="CUSTOMER_MANAGED_KEY", kms_key_arn=key.key_arn
        )
        # The original kind names in each token the region that made it.
        self._resource.issuer_configuration = settings.IssuerConfigurationProperty(type="UPDATED")

    @property
    def _resource(self) -> cognito.CfnUserPool:
        pool = self.node.default_child
        assert isinstance(pool, cognito.CfnUserPool)  # noqa: S101 (narrows the type)
        return pool

    def _answer_threats(self, mfa_required: bool) -> None:
        risks = cognito.CfnUserPoolRiskConfigurationAttachment
        takeover = risks.AccountTakeoverActionTypeProperty
        # Who has no second factor could not be asked for it, and would be locked out.
        ask = "MFA_REQUIRED" if mfa_required else "MFA_IF_CONFIGURED"
        risks(
            self,
            "Risks",
            user_pool_id=self.user_pool_id,
            client_id="ALL",
            account_takeover_risk_configuration=risks.AccountTakeoverRiskConfigurationTypeProperty(
                actions=risks.AccountTakeoverActionsTypeProperty(
                    medium_action=takeover(event_action=ask, notify=False),
                    high_action=takeover(event_action="BLOCK", notify=False),
                )
            ),
            compromised_credentials_risk_configuration=risks.CompromisedCredentialsRiskConfigurationTypeProperty(
                actions=risks.CompromisedCredentialsActionsTypeProperty(event_action="BLOCK"),
                event_filter=["SIGN_IN", "PASSWORD_CHANGE", "SIGN_UP"],
            ),
        )

    def _acknowledge(self, mfa_required: bool, threat_protection: bool) -> None:
        if not mfa_required:
            reason = "Passkeys and codes are offered; environments with real users require one of them."
            acknowledge(self, {"COG2": reason})
        if not threat_protection:
            reason = "An environment without real users; prod is refused without threat protection."
            acknowledge(self, {"COG8": reason})
