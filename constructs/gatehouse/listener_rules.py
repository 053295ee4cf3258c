"""Rules of the load balancer that ask who calls before they send a request on."""

from collections.abc import Sequence

from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_elasticloadbalancingv2_actions as actions
from constructs import Construct

from gatehouse.issuer import KEYS_PATH

SIGN_IN_PRIORITY = 100
TOKEN_PRIORITY = 200
# How each token begins: the characters of `{"` in base64url. API keys begin otherwise.
BEARER_PATTERN = "Bearer eyJ*"


class TokenVerification(Construct):
    """Refuses requests whose Authorization header holds a token that `issuer` has not signed, with 401.

    Requests with other credentials go by the listener's other rules. The load balancer checks signature,
    issuer and times; what a token allows is for the gateway to check. It has to reach the issuer's keys.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        listener: elbv2.ApplicationListener,
        target_group: elbv2.IApplicationTargetGroup,
        issuer: str,
    ) -> None:
        super().__init__(scope, construct_id)
        elbv2.ApplicationListenerRule(
            self,
            "Rule",
            listener=listener,
            priority=TOKEN_PRIORITY,
            conditions=[elbv2.ListenerCondition.http_header("Authorization", [BEARER_PATTERN])],
            action=elbv2.ListenerAction.authenticate_jwt(
                issuer=issuer,
                jwks_endpoint=f"{issuer}{KEYS_PATH}",
                next=elbv2.ListenerAction.forward([target_group]),
            ),
        )


class BrowserSignIn(Construct):
    """Sends people who open one of `paths` in a browser through the user pool's sign-in page first."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        listener: elbv2.ApplicationListener,
        target_group: elbv2.IApplicationTargetGroup,
        paths: Sequence[str],
        user_pool: cognito.IUserPool,
        client: cognito.IUserPoolClient,
        domain: cognito.IUserPoolDomain,
    ) -> None:
        super().__init__(scope, construct_id)
        elbv2.ApplicationListenerRule(
            self,
            "Rule",
            listener=listener,
            priority=SIGN_IN_PRIORITY,
            conditions=[elbv2.ListenerCondition.path_patterns(list(paths))],
            action=actions.AuthenticateCognitoAction(
                user_pool=user_pool,
                user_pool_client=client,
                user_pool_domain=domain,
                next=elbv2.ListenerAction.forward([target_group]),
                # The load balancer's security group says whether it may: it is made elsewhere.
                allow_https_outbound=False,
            ),
        )
