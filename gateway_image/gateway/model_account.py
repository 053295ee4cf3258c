"""In which AWS account a deployment's calls are served."""

from gateway.catalog import BedrockDeployment, Deployment, SageMakerDeployment


def account_of(deployment: Deployment) -> str | None:
    """The account of its inference profile or of the role that calls it; None for the gateway's own."""
    if isinstance(deployment, BedrockDeployment):
        arn = deployment.application_profile_arn or deployment.role_arn
    elif isinstance(deployment, SageMakerDeployment):
        arn = deployment.role_arn
    else:
        arn = None
    return arn.split(":")[4] if arn is not None else None
