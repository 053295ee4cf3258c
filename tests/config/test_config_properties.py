"""Properties of loading, for any valid environment and any damage to a file."""

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stacks.config.load import CONFIG_DIRECTORY, ConfigError, load_environment
from stacks.config.model import Environment
from stacks.config.problems import Problem

PROD = (CONFIG_DIRECTORY / "prod.yaml").read_text(encoding="utf-8")

# The directory is the same for all examples on purpose: each writes the one file it reads.
shared_directory = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50
)


def _leaves(data: dict[str, Any]) -> list[tuple[str, ...]]:
    sections = [(name, value) for name, value in data.items() if isinstance(value, dict)]
    plain = [(name,) for name, value in data.items() if not isinstance(value, dict)]
    nested = ((name, *value) for name, section in sections for value in section.items())
    return [*plain, *((name, field) for name, field, value in nested if not isinstance(value, dict))]


FRAGMENTS = [":", "- ", "*a", "&a ", "!!int ", "!<tag:%0A> ", "{", "'", "\n", "\u2028", "? "]
LEAVES = _leaves(yaml.safe_load(PROD))

OIDC_PROVIDER = {
    "name": "Corporate",
    "project_claim": None,
    "groups_claim": "groups",
    "roles": {"gateway-admins": "admin"},
    "type": "oidc",
    "issuer": "https://login.example.com",
    "client_id": "gatehouse",
    "client_secret_name": "gatehouse/sso",
    "scopes": ["openid"],
    "email_claim": "email",
    "name_claim": "name",
}

SIGN_IN_CERTIFICATE = "arn:aws:acm:us-east-1:111111111111:certificate/00000000-0000-0000-0000-000000000000"
sizes = st.sampled_from([(256, 512), (512, 1024), (512, 4096), (1024, 8192), (2048, 5120), (4096, 30720)])
regions = st.sampled_from(["us-east-1", "eu-central-1", "ap-southeast-2", "us-gov-west-1"])
# us-gov-west-1 is in another partition, where no standby can be.
STANDBY_REGIONS = ("us-east-1", "eu-central-1", "ap-southeast-2")
domains = st.from_regex(r"[a-z][a-z0-9]{0,10}\.example\.(com|org)", fullmatch=True)


@st.composite
def standbys(draw: st.DrawFn, maximum_tasks: int) -> dict[str, Any]:
    """A standby of an environment in one of STANDBY_REGIONS, whose network begins below 10.100."""
    mode = draw(st.sampled_from(["none", "cold", "warm"]))
    if mode == "none":
        return {"mode": mode}
    region = draw(st.sampled_from(["us-west-2", "eu-west-1"]))
    role = "arn:aws:iam::111111111111:role/on-call"
    return {
        "mode": mode,
        "region": region,
        "network": {
            "cidr": f"10.{draw(st.integers(100, 255))}.0.0/{draw(st.integers(16, 20))}",
            "availability_zones": [f"{region}a", f"{region}b"],
            "nat": draw(st.sampled_from(["one", "one-per-zone"])),
        },
        "minimum_tasks": draw(st.integers(1, maximum_tasks)),
        "certificate_arn": None,
        "recovery_time_minutes": draw(st.integers(90, 240)),
        "recovery_point_seconds": draw(st.integers(5, 3600)),
        "approval_role_arn": draw(st.sampled_from([None, role])),
    }


@st.composite
def environments(draw: st.DrawFn) -> dict[str, Any]:
    region, zone, (cpu_units, memory_mib) = draw(regions), draw(domains), draw(sizes)
    letters = draw(st.lists(st.sampled_from("abcdef"), min_size=2, max_size=3, unique=True))
    nat = draw(st.sampled_from(["none", "one", "one-per-zone"]))
    # Without NAT nothing outside AWS can be reached.
    hosts = [] if nat == "none" else draw(st.sampled_from([[], ["images.example.com", "*.example.org"]]))
    clients = (
        [] if nat == "none" else draw(st.lists(st.from_regex(r"[a-z0-9]{26}", fullmatch=True), max_size=2))
    )
    machines = [] if nat == "none" else draw(st.sampled_from([[], ["nightly-reports"]]))
    registry = f"111111111111.dkr.ecr.{region}.amazonaws.com"
    minimum_tasks = draw(st.integers(1, 20))
    storage_gib = draw(st.integers(20, 59_000))
    maximum_tasks = draw(st.integers(minimum_tasks, 100))
    standby = draw(standbys(maximum_tasks)) if region in STANDBY_REGIONS else {"mode": "none"}
    return {
        "name": draw(st.sampled_from(["dev", "dev-2", "dev-eu"])),
        "account": draw(st.from_regex(r"[0-9]{12}", fullmatch=True)),
        "region": region,
        "log_retention_days": draw(st.sampled_from([7, 30, 731])),
        "termination_protection": draw(st.booleans()),
        "network": {
            "cidr": f"10.{draw(st.integers(0, 99))}.0.0/{draw(st.integers(16, 20))}",
            "availability_zones": [f"{region}{letter}" for letter in letters],
            "nat": nat,
        },
        "service": {
            "cpu_units": cpu_units,
            "memory_mib": memory_mib,
            "cpu_architecture": draw(st.sampled_from(["arm64", "x86_64"])),
            "minimum_tasks": minimum_tasks,
            "maximum_tasks": maximum_tasks,
            "concurrent_requests_per_process": draw(st.integers(10, 10_000)),
            "spot_percent": draw(st.integers(0, 100)),
            "canary_percent": draw(st.integers(0, 50)),
            "canary_minutes": draw(st.integers(1, 60)),
            "drain_minutes": draw(st.integers(1, 16)),
            "collector_image": draw(st.sampled_from([None, f"{registry}/collector@sha256:{64 * 'a'}"])),
            "catalog_rollout_minutes": draw(st.integers(0, 1440)),
            "bedrock_authentication": draw(st.sampled_from(["signature", "bearer"])),
            "limits_when_cache_is_away": draw(st.sampled_from(["local", "open", "closed"])),
            "known_keys_minutes": draw(st.integers(0, 1440)),
            "usage_retention_months": draw(st.integers(1, 120)),
            "image_url_hosts": hosts,
        },
        "cache": {"node_type": "cache.r7g.large", "replicas": draw(st.integers(0, 5))},
        "database": {
            "instance_class": "m7g.large",
            "storage_gib": storage_gib,
            "storage_limit_gib": draw(st.integers(math.ceil(1.1 * storage_gib), 65536)),
            "multi_az": draw(st.booleans()),
            "backup_days": draw(st.integers(1, 35)),
            "deletion_protection": draw(st.booleans()),
        },
        "edge": {
            "scheme": draw(st.sampled_from(["internet-facing", "internal"])),
            "domain_name": f"{draw(st.sampled_from(['api.', 'a.b.']))}{zone}",
            "hosted_zone_id": draw(st.from_regex(r"Z[A-Z0-9]{1,31}", fullmatch=True)),
            "hosted_zone_name": zone,
            "certificate_arn": None,
            "allowed_cidrs": draw(st.sampled_from([["0.0.0.0/0"], ["10.0.0.0/8", "2001:db8::/32"]])),
            "verify_tokens": False,
            "sign_in_paths": [],
            "firewall": {
                "requests_per_5_minutes_per_address": draw(st.integers(10, 2_000_000_000)),
                "requests_per_5_minutes_per_key": draw(st.integers(10, 2_000_000_000)),
                "trusted_cidrs": draw(st.sampled_from([[], ["2001:db8::/32"]])),
                "blocked_cidrs": draw(st.sampled_from([[], ["192.0.2.1/32"]])),
                "allowed_countries": draw(st.sampled_from([[], ["DE"]])),
                "blocked_countries": [],
                "free_text_paths": draw(st.sampled_from([[], ["/chat/"]])),
                "anti_ddos": draw(st.booleans()),
                "block_anonymous_networks": draw(st.booleans()),
                "bot_control": draw(st.booleans()),
            },
        },
        "identity": {
            "plan": draw(st.sampled_from(["essentials", "plus"])),
            "mfa": draw(st.sampled_from(["required", "optional"])),
            "session_hours": draw(st.integers(1, 720)),
            "allowed_domains": ["example.com"],
            "self_sign_up": draw(st.booleans()),
            "providers": draw(st.sampled_from([[], [OIDC_PROVIDER]])),
            # In regions with long names Cognito's own would be too long for passkeys.
            "domain": {"domain_name": f"sign-in.{zone}", "certificate_arn": SIGN_IN_CERTIFICATE},
            "mail": draw(
                st.sampled_from([None, {"from_address": f"a@{zone}", "from_name": "A", "reply_to": None}])
            ),
            "machine_clients": machines,
            "app_client_ids": clients,
            "issuers": [],
        },
        "standby": standby,
    }


@shared_directory
@given(environments())
def test_any_valid_environment_comes_back_from_its_file(tmp_path: Path, written: dict[str, Any]) -> None:
    file = tmp_path / f"{written['name']}.yaml"
    file.write_text(yaml.safe_dump(written), encoding="utf-8")
    loaded = load_environment(written["name"], tmp_path)
    assert loaded == Environment.model_validate(written)
    # What the file leaves out has a default, which is not in it.
    assert loaded.model_dump(mode="json", exclude_unset=True) == written


@shared_directory
@given(st.sets(st.sampled_from(LEAVES), min_size=1, max_size=8))
def test_every_wrong_value_is_listed_with_its_line(tmp_path: Path, broken: set[tuple[str, ...]]) -> None:
    data = yaml.safe_load(PROD)
    for path in broken:
        _put(data, path, {"not": "a value"})
    text = yaml.safe_dump(data, sort_keys=False)
    (tmp_path / "prod.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_environment("prod", tmp_path)
    expected = {(".".join(path), _line_of_value(text, path)) for path in broken}
    assert {(problem.path, problem.line) for problem in caught.value.problems} == expected


@shared_directory
@given(st.data())
def test_a_damaged_file_loads_or_says_where_it_is_damaged(tmp_path: Path, data: st.DataObject) -> None:
    text = PROD
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 12))
        inserted = data.draw(st.text(max_size=6) | st.sampled_from(FRAGMENTS))
        text = text[:start] + inserted + text[end:]
    (tmp_path / "prod.yaml").write_text(text, encoding="utf-8", newline="")
    for problem in _problems(tmp_path):
        assert problem.file.endswith("/prod.yaml")
        assert 1 <= problem.line <= len(text.splitlines()) + 1
        assert problem.column >= 1
        assert all((problem.path, problem.given, problem.allowed, problem.fix))
        assert len(str(problem).splitlines()) == 1


def _problems(directory: Path) -> tuple[Problem, ...]:
    try:
        load_environment("prod", directory)
    except ConfigError as error:
        return error.problems
    return ()


def _put(data: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    *parents, last = path
    for parent in parents:
        data = data[parent]
    data[last] = value


def _line_of_value(text: str, path: tuple[str, ...]) -> int:
    lines = text.splitlines()
    section = lines.index(f"{path[0]}:") if len(path) == 2 else 0
    indent = "  " * (len(path) - 1)
    key = next(i for i in range(section, len(lines)) if lines[i].startswith(f"{indent}{path[-1]}:"))
    return key + 2  # the value, a mapping, begins on the line after its key; lines count from 1
