"""Physical names: only where something outside CloudFormation must know the name before it exists."""


def stage(environment: str) -> str:
    """The stage's construct ID, and so the first part of every stack's name."""
    return f"gatehouse-{environment}"


def image_repository(environment: str) -> str:
    """The ECR repository: the CLI pushes the image into it, by name."""
    return f"gatehouse-{environment}/gateway"


def database_instance(environment: str) -> str:
    """The RDS instance: the log groups that RDS writes into carry its name."""
    return f"gatehouse-{environment}"


def cache_user(environment: str) -> str:
    """The ID of the gateway's cache user and of its group: ElastiCache generates neither."""
    return f"gatehouse-{environment}-gateway"


def web_acl_log_group(environment: str) -> str:
    """The log group of AWS WAF, which accepts only names with this prefix."""
    return f"aws-waf-logs-gatehouse-{environment}"


def sign_in_domain_prefix(environment: str, account: str) -> str:
    """The prefix of Cognito's domain: it is shared by all AWS accounts of a region."""
    return f"gatehouse-{environment}-{account}"


def alarm_topic(environment: str) -> str:
    """The topic that alarms tell: every stack computes its ARN from it."""
    return f"gatehouse-{environment}-alarms"


def data_key_alias(environment: str) -> str:
    """The alias of the key for data at rest: whoever makes a secret beside the stacks names it."""
    return f"alias/gatehouse-{environment}-data"


def log_key_alias(environment: str) -> str:
    """The alias of the key for logs: whoever looks whether two regions have it names it."""
    return f"alias/gatehouse-{environment}-logs"


def stack(environment: str, stack: str) -> str:
    """The name of a stack of the environment's own region: the standby looks its outputs up by it."""
    return f"{stage(environment)}-{stack}"


def standby_stack(stack: str) -> str:
    """The construct ID of a stack in the standby region, beside the primary's."""
    return f"Standby-{stack}"


def object_store_prefix(environment: str) -> str:
    """What the gateway's bucket is called in the namespace that an account has in a region."""
    return f"gatehouse-{environment}-objects"


def object_store(environment: str, account: str, region: str) -> str:
    """The gateway's bucket in one of two regions: each one's replication names the other's."""
    return f"{object_store_prefix(environment)}-{account}-{region}-an"


def ecs_service(environment: str) -> str:
    """The ECS cluster and the gateway's service in it: the recovery plan names those of both regions."""
    return f"gatehouse-{environment}-gateway"


def recovery_plan(environment: str) -> str:
    """The Region switch plan; commands find it by its name."""
    return f"gatehouse-{environment}"


def recovery_role(environment: str) -> str:
    """The role that the plan acts as: the clusters of both regions admit it by its ARN."""
    return f"gatehouse-{environment}-recovery"


def recovery_function(environment: str, step: str) -> str:
    """The function behind a step of the plan, which names those of both regions."""
    return f"gatehouse-{environment}-{step}"


def health_alarm(environment: str) -> str:
    """The alarm that says whether callers are served: the plan looks at those of both regions."""
    return f"gatehouse-{environment}-errors"


def health_check_output(region: str) -> str:
    """The output of the stack Recovery with the health check of a region: each region asks for its own."""
    return f"HealthCheck{''.join(part.capitalize() for part in region.split('-'))}"


def task_role(environment: str, region: str) -> str:
    """The gateway's own role: other accounts' roles trust it, and may exist before it does."""
    return f"gatehouse-{environment}-task-{region}"


def cluster(environment: str) -> str:
    """The EKS cluster: its log group, which exists before it, carries its name."""
    return f"gatehouse-{environment}"


def model_role(environment: str) -> str:
    """The role in another account that calls its models, where the catalog names no other."""
    return f"gatehouse-{environment}-models"


def role_external_id(environment: str, account: str) -> str:
    """What the gateway tells the roles that it assumes, where the configuration says nothing else."""
    return f"gatehouse-{environment}-{account}"


def audit_trail(environment: str) -> str:
    """The CloudTrail trail: the policy of its bucket names it before it exists."""
    return f"gatehouse-{environment}"


def regional_domain(domain_name: str, region: str) -> str:
    """The name of an API in one region alone: `api.us-east-1.example.com` for `api.example.com`."""
    host, _, parent = domain_name.partition(".")
    return f"{host}.{region}.{parent}"


def guardrail(environment: str) -> str:
    """The guardrail of each place that serves models: Bedrock generates its ID, but wants a name."""
    return f"gatehouse-{environment}"


def model_access_stack(account: str, region: str) -> str:
    """The stack of an account and a region that serve models; its construct ID."""
    return f"ModelAccess-{account}-{region}"


def sign_in_host(environment: str, account: str, region: str) -> str:
    """Where Cognito serves that domain: passkeys are bound to it before it exists."""
    return f"{sign_in_domain_prefix(environment, account)}.auth.{region}.amazoncognito.com"


def sign_in_log_group(environment: str) -> str:
    """The user pool's log: groups with this prefix share one policy, which cannot outgrow its limit."""
    return f"/aws/vendedlogs/gatehouse-{environment}/sign-in"
