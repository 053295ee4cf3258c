"""Whom the VPC's endpoints let through to AWS services, for what.

An endpoint's policy grants nothing: it narrows what the callers' own policies allow, whatever credentials
find their way into the VPC. Each names accounts and actions, and resources where the service has some.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam

from gateway.catalog import BedrockDeployment, Catalog, OpenAICompatibleDeployment, SageMakerDeployment

_Service = ec2.InterfaceVpcEndpointAwsService
_AwsDeployment = BedrockDeployment | SageMakerDeployment


class InterfaceEndpoint(NamedTuple):
    """An interface endpoint: its construct ID, its service and the statements of its policy."""

    construct_id: str
    service: ec2.InterfaceVpcEndpointAwsService
    statements: Sequence[iam.PolicyStatement]


def interface_endpoints(stack: cdk.Stack, catalog: Catalog, *, for_pods: bool) -> Iterator[InterfaceEndpoint]:
    """What tasks or pods need to start, to report and to serve the catalog's models in the stack's region."""
    yield from _for_every_task(stack, for_pods=for_pods)
    if for_pods:
        yield from _for_kubernetes(stack)
    yield InterfaceEndpoint("Sts", _Service.STS, _sts(stack, catalog))
    yield InterfaceEndpoint("SecretsManager", _Service.SECRETS_MANAGER, [_secrets(stack, catalog)])
    here = [
        deployment
        for model in catalog.models
        for deployment in model.deployments
        if isinstance(deployment, _AwsDeployment) and deployment.region == stack.region
    ]
    bedrock = [deployment for deployment in here if isinstance(deployment, BedrockDeployment)]
    yield InterfaceEndpoint("Bedrock", _Service.BEDROCK, [_bedrock_control(stack)])
    yield InterfaceEndpoint("BedrockRuntime", _Service.BEDROCK_RUNTIME, _bedrock_runtime(stack, bedrock))
    sagemaker = [deployment for deployment in here if isinstance(deployment, SageMakerDeployment)]
    if sagemaker:
        yield InterfaceEndpoint(
            "SageMakerRuntime", _Service.SAGEMAKER_RUNTIME, [_sagemaker(stack, sagemaker)]
        )


def s3_statements(stack: cdk.Stack, *, for_pods: bool) -> list[iam.PolicyStatement]:
    """The account's own buckets, and the one that Amazon ECR keeps the region's image layers in.

    With pods also the one that CloudFormation reads the answers of custom resources from: the function that
    applies manifests is in the VPC.
    """
    objects = [
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:PutObject",
        "s3:PutObjectAcl",
    ]
    buckets = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
    own = _allow([stack.account], objects + buckets, [f"arn:{stack.partition}:s3:::*"])
    own.add_condition("StringEquals", {"s3:ResourceAccount": stack.account})
    # Layers are fetched by addresses that ECR has signed, as a principal of its own.
    layers = iam.PolicyStatement(
        principals=[iam.AnyPrincipal()],
        actions=["s3:GetObject"],
        resources=[f"arn:{stack.partition}:s3:::prod-{stack.region}-starport-layer-bucket/*"],
    )
    if not for_pods:
        return [own, layers]
    # By addresses that CloudFormation has signed. Its buckets are named by the region without its hyphens.
    answers = f"cloudformation-custom-resource-response-{stack.region.replace('-', '')}"
    answer = iam.PolicyStatement(
        principals=[iam.AnyPrincipal()],
        actions=["s3:PutObject"],
        resources=[f"arn:{stack.partition}:s3:::{answers}/*"],
    )
    return [own, layers, answer]


def _for_every_task(stack: cdk.Stack, *, for_pods: bool) -> Iterator[InterfaceEndpoint]:
    own = [stack.account]
    configurations = _arn(stack, "appconfig", "application/*/environment/*/configuration/*")
    poll = ["appconfig:GetLatestConfiguration", "appconfig:StartConfigurationSession"]
    yield InterfaceEndpoint("AppConfigData", _Service.APPCONFIGDATA, [_allow(own, poll, [configurations])])
    # Of any account: sidecars that AWS adds to tasks, such as GuardDuty's, are in registries of AWS's.
    images = _arn(stack, "ecr", "repository/*", account="*")
    pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    registry = [_allow(own, ["ecr:GetAuthorizationToken"], ["*"]), _allow(own, pull, [images])]
    yield InterfaceEndpoint("EcrApi", _Service.ECR, registry)
    yield InterfaceEndpoint("EcrDocker", _Service.ECR_DOCKER, registry)
    keys = _arn(stack, "kms", "key/*")
    use = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
    yield InterfaceEndpoint("Kms", _Service.KMS, [_allow(own, use, [keys])])
    log_groups = _arn(stack, "logs", "log-group:*")
    write = ["logs:CreateLogStream", "logs:PutLogEvents"]
    if for_pods:
        # The add-on that writes what containers print looks for their streams first.
        write.append("logs:DescribeLogStreams")
    yield InterfaceEndpoint("Logs", _Service.CLOUDWATCH_LOGS, [_allow(own, write, [log_groups])])
    yield InterfaceEndpoint(
        "Monitoring", _Service.CLOUDWATCH_MONITORING, _monitoring(stack, for_pods=for_pods)
    )
    traces = [_allow(own, ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], ["*"])]
    yield InterfaceEndpoint("XRay", _Service.XRAY, traces)


def _for_kubernetes(stack: cdk.Stack) -> Iterator[InterfaceEndpoint]:
    """For nodes, for the add-on that reports on them, and for the function that applies manifests."""
    own = [stack.account]
    clusters = _arn(stack, "eks", "cluster/*")
    assume = _allow(own, ["eks-auth:AssumeRoleForPodIdentity"], [clusters])
    yield InterfaceEndpoint("EksAuth", _Service.EKS_AUTH, [assume])
    yield InterfaceEndpoint("Eks", _Service.EKS, [_allow(own, ["eks:DescribeCluster"], [clusters])])
    describe_nodes = _allow(own, ["ec2:DescribeTags", "ec2:DescribeVolumes"], ["*"])
    yield InterfaceEndpoint("Ec2", _Service.EC2, [describe_nodes])
    stacks = _arn(stack, "cloudformation", "stack/*")
    yield InterfaceEndpoint(
        "CloudFormation",
        _Service.CLOUDFORMATION,
        [_allow(own, ["cloudformation:DescribeStacks"], [stacks])],
    )


def _monitoring(stack: cdk.Stack, *, for_pods: bool) -> list[iam.PolicyStatement]:
    """Metrics, and with pods the alarms that are watched while they are replaced."""
    own = [stack.account]
    metrics = _allow(own, ["cloudwatch:PutMetricData"], ["*"])
    if not for_pods:
        return [metrics]
    return [metrics, _allow(own, ["cloudwatch:DescribeAlarms"], [_arn(stack, "cloudwatch", "alarm:*")])]


def _sts(stack: cdk.Stack, catalog: Catalog) -> list[iam.PolicyStatement]:
    """The roles that the catalog names, wherever their models are, and the question who one is."""
    roles = {
        deployment.role_arn
        for model in catalog.models
        for deployment in model.deployments
        if isinstance(deployment, _AwsDeployment) and deployment.role_arn is not None
    }
    statements = [_allow([stack.account], ["sts:GetCallerIdentity"], ["*"])]
    if roles:
        statements.append(_allow([stack.account], ["sts:AssumeRole", "sts:TagSession"], sorted(roles)))
    return statements


def _secrets(stack: cdk.Stack, catalog: Catalog) -> iam.PolicyStatement:
    """The account's secrets, and providers' keys that the catalog names in other accounts."""
    named = {
        deployment.api_key_secret
        for model in catalog.models
        for deployment in model.deployments
        if isinstance(deployment, OpenAICompatibleDeployment) and deployment.api_key_secret is not None
    }
    elsewhere = {arn for arn in named if arn.startswith("arn:") and _account(arn) != stack.account}
    own = _arn(stack, "secretsmanager", "secret:*")
    read = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    return _allow([stack.account], read, [own, *sorted(elsewhere)])


def _bedrock_control(stack: cdk.Stack) -> iam.PolicyStatement:
    read = [
        "bedrock:GetFoundationModel",
        "bedrock:GetInferenceProfile",
        "bedrock:ListFoundationModels",
        "bedrock:ListInferenceProfiles",
    ]
    return _allow([stack.account], read, ["*"])


def _bedrock_runtime(stack: cdk.Stack, deployments: Sequence[BedrockDeployment]) -> list[iam.PolicyStatement]:
    """Models of AWS's, and profiles and guardrails of the accounts that serve the deployments."""
    callers = _callers(stack, deployments)
    arns = {d.application_profile_arn for d in deployments} | {
        d.guardrail.identifier for d in deployments if d.guardrail is not None
    }
    owners = callers | {_account(arn) for arn in arns if arn is not None and arn.startswith("arn:")}
    # An inference profile, and a guardrail by its profile, works in regions of its own choice.
    models = _arn(stack, "bedrock", "foundation-model/*", region="*", account="")
    owned = [
        _arn(stack, "bedrock", f"{kind}/*", region="*", account=owner)
        for owner in sorted(owners)
        for kind in ("application-inference-profile", "guardrail", "guardrail-profile", "inference-profile")
    ]
    invoke = [
        "bedrock:ApplyGuardrail",
        "bedrock:CountTokens",
        "bedrock:InvokeModel",
        "bedrock:InvokeModelWithResponseStream",
    ]
    return [
        _allow(callers, invoke, [models, *owned]),
        # It has no resource: what a token's bearer calls is authorized besides.
        _allow(callers, ["bedrock:CallWithBearerToken"], ["*"]),
    ]


def _sagemaker(stack: cdk.Stack, deployments: Sequence[SageMakerDeployment]) -> iam.PolicyStatement:
    callers = _callers(stack, deployments)
    return _allow(
        callers,
        ["sagemaker:InvokeEndpoint", "sagemaker:InvokeEndpointWithResponseStream"],
        [
            _arn(stack, "sagemaker", f"{kind}/*", account=owner)
            for owner in sorted(callers)
            for kind in ("endpoint", "inference-component")
        ],
    )


def _callers(stack: cdk.Stack, deployments: Iterable[_AwsDeployment]) -> set[str]:
    """The environment's account, and the accounts whose roles call: their sessions pass here as well."""
    return {stack.account} | {_account(d.role_arn) for d in deployments if d.role_arn is not None}


def _account(arn: str) -> str:
    return arn.split(":")[4]


def _arn(
    stack: cdk.Stack, service: str, resource: str, *, region: str | None = None, account: str | None = None
) -> str:
    region = stack.region if region is None else region
    account = stack.account if account is None else account
    return f"arn:{stack.partition}:{service}:{region}:{account}:{resource}"


def _allow(
    accounts: Collection[str], actions: Sequence[str], resources: Sequence[str]
) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        # In an endpoint's policy an account as the principal is its root user alone.
        principals=[iam.AnyPrincipal()],
        actions=list(actions),
        resources=list(resources),
        conditions={"StringEquals": {"aws:PrincipalAccount": sorted(accounts)}},
    )
