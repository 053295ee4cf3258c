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
