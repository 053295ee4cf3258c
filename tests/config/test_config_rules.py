"""The rules between fields: what would deploy and then fail, or lose what the environment promises."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stacks.config.load import load_configuration, load_environment
from stacks.config.service import Service

ProblemsAfter = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("path", "edit"),
    [
        ("network.availability_zones", (", us-east-1c]", "]")),
        ("network.nat", ("nat: one-per-zone", "nat: one")),
        ("service.minimum_tasks", ("minimum_tasks: 2", "minimum_tasks: 1")),
        ("cache.replicas", ("replicas: 1", "replicas: 0")),
        ("database.multi_az", ("multi_az: true", "multi_az: false")),
    ],
)
def test_staging_and_prod_survive_the_loss_of_a_zone(
    problems_after: ProblemsAfter, path: str, edit: tuple[str, str]
) -> None:
    as_prod = [("minimum_tasks: 3", "minimum_tasks: 2"), ("replicas: 2", "replicas: 1")]
    for name, edits in (("staging", [edit]), ("prod", [*as_prod, edit])):
        (line,) = problems_after(name, *edits)
        assert f": {path} is " in line
        assert f"allowed: in {name} " in line


@pytest.mark.parametrize("path", ["termination_protection", "database.deletion_protection"])
def test_prod_is_protected_against_deletion(problems_after: ProblemsAfter, path: str) -> None:
    field = path.rpartition(".")[2]
    (line,) = problems_after("prod", (f"{field}: true", f"{field}: false"))
    assert f": {path} is false; allowed: in prod true" in line
    assert line.endswith("fix: write true")


def test_what_prod_records_cannot_be_rewritten(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("prod", ("object_lock: governance", "object_lock: none"))
    assert ": audit.object_lock is none; allowed: in prod governance or compliance" in line
    assert line.endswith("fix: write governance")


def test_what_prod_copies_cannot_be_deleted_early(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("prod", ("\n  lock: governance", "\n  lock: none"))
    assert ": backup.lock is none; allowed: in prod governance or compliance" in line
    assert line.endswith("fix: write governance")


def test_a_security_standard_is_named_once(problems_after: ProblemsAfter) -> None:
    twice = "\n  retention_days: 30\n  security_hub: [cis, nist-800-53, cis]"
    (line,) = problems_after("dev", ("\n  retention_days: 30", twice))
    assert ": audit.security_hub[2] is cis; allowed: each standard once" in line


def test_storage_can_grow(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after(
        "dev", ("storage_limit_gib: 100", "storage_limit_gib: 22"), ("storage_gib: 20", "storage_gib: 21")
    )
    assert (
        ": database.storage_limit_gib is 22; allowed: at least a tenth above storage_gib, which is 21" in line
    )
    assert line.endswith("fix: write 24 or more")


def test_the_first_word_of_the_name_says_which_rules_hold(config_directory: Path) -> None:
    staging = (config_directory / "staging.yaml").read_text(encoding="utf-8")
    second = staging.replace("\nname: staging\n", "\nname: staging-eu\n")
    (config_directory / "staging-eu.yaml").write_text(second, encoding="utf-8")
    assert load_environment("staging-eu", config_directory).name == "staging-eu"


def test_a_second_prod_is_held_to_the_rules_of_prod(
    config_directory: Path, problems_after: ProblemsAfter
) -> None:
    staging = (config_directory / "staging.yaml").read_text(encoding="utf-8")
    (config_directory / "prod-eu.yaml").write_text(staging, encoding="utf-8")
    lines = problems_after("prod-eu", ("name: staging", "name: prod-eu"))
    assert [line.split(" ")[1] for line in lines] == [
        "termination_protection",
        "database.deletion_protection",
    ]


@pytest.mark.parametrize("name", ["production", "test", "prod_eu", "prod-", "prod-frankfurt"])
def test_a_name_that_no_rules_know_is_refused(config_directory: Path, name: str) -> None:
    text = (config_directory / "dev.yaml").read_text(encoding="utf-8").replace("name: dev", f"name: {name}")
    (config_directory / f"{name}.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=f"name is {name}; allowed: dev, staging or prod"):
        load_environment(name, config_directory)


def test_zones_belong_to_the_region_and_differ(problems_after: ProblemsAfter) -> None:
    (elsewhere,) = problems_after("dev", ("us-east-1b", "us-east-2b"))
    assert "availability_zones[1] is us-east-2b; allowed: a zone of us-east-1" in elsewhere
    assert elsewhere.endswith("fix: write us-east-1b or change the environment's region")


def test_a_zone_named_twice_is_refused(problems_after: ProblemsAfter) -> None:
    (twice,) = problems_after("dev", ("us-east-1b", "us-east-1a"))
    assert "availability_zones[1] is us-east-1a; allowed: each zone once" in twice


@pytest.mark.parametrize("prefix", [8, 15, 24, 28])
def test_the_vpc_s_block_is_one_that_aws_takes_and_cuts_into_useful_subnets(
    problems_after: ProblemsAfter, prefix: int
) -> None:
    block = {8: "10.0.0.0/8", 15: "10.40.0.0/15"}.get(prefix, f"10.40.0.0/{prefix}")
    (line,) = problems_after("dev", ("10.40.0.0/16", block))
    assert f"network.cidr is {block}; allowed: a block from /16 to /23" in line


def test_all_tasks_of_a_deployment_find_an_address(problems_after: ProblemsAfter) -> None:
    # Two service subnets of /27: 6 addresses each for tasks, for old and new ones at once.
    (line,) = problems_after(
        "dev", ("10.40.0.0/16", "10.40.0.0/23"), ("maximum_tasks: 2", "maximum_tasks: 7")
    )
    assert "service.maximum_tasks is 7; allowed: at most 6" in line


def test_the_service_can_not_shrink_below_its_minimum(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("staging", ("maximum_tasks: 6", "maximum_tasks: 1"))
    assert (
        "service.maximum_tasks is 1; allowed: at least minimum_tasks, which is 2; fix: write 2 or more"
        in line
    )


@pytest.mark.parametrize(
    ("cpu_units", "memory_mib", "nearest"),
    [
        (256, 4096, 2048),
        (512, 512, 1024),
        (512, 5120, 4096),
        (1024, 1024, 2048),
        (1024, 9216, 8192),
        (2048, 3072, 4096),
        (2048, 17408, 16384),
        (4096, 7168, 8192),
        (4096, 8200, 8192),
    ],
)
def test_a_size_that_fargate_lacks_is_refused(
    problems_after: ProblemsAfter, cpu_units: int, memory_mib: int, nearest: int
) -> None:
    cpu, memory = f"cpu_units: {cpu_units}", f"memory_mib: {memory_mib}"
    (line,) = problems_after("dev", ("cpu_units: 512", cpu), ("memory_mib: 1024", memory))
    assert f"service.memory_mib is {memory_mib}; allowed: with {cpu_units} cpu_units one of " in line
    assert line.endswith(f"fix: write {nearest} or change cpu_units")


@pytest.mark.parametrize(
    ("cpu_units", "smallest_mib", "largest_mib"),
    [(256, 512, 2048), (512, 1024, 4096), (1024, 2048, 8192), (2048, 4096, 16384), (4096, 8192, 30720)],
)
def test_a_size_that_fargate_offers_is_taken(cpu_units: int, smallest_mib: int, largest_mib: int) -> None:
    for memory_mib in (smallest_mib, largest_mib):
        size = {"cpu_units": cpu_units, "memory_mib": memory_mib}
        assert Service.model_validate({**size, "minimum_tasks": 1, "maximum_tasks": 1})


@pytest.mark.parametrize(
    "domain", ["api.example.org", "api.notdev.gatehouse.example.com", "dev.gatehouse.example.com"]
)
def test_the_domain_is_in_the_hosted_zone(problems_after: ProblemsAfter, domain: str) -> None:
    (line,) = problems_after("dev", ("api.dev.gatehouse.example.com", domain))
    assert f"edge.domain_name is {domain}; allowed: a name that ends with .dev.gatehouse.example.com" in line


def test_model_and_deployment_names_are_unique_across_the_catalog(problems_after: ProblemsAfter) -> None:
    lines = problems_after(
        "dev",
        ("name: nova-lite\n", "name: claude-haiku-4-5\n"),
        ("nova-lite-us", "claude-haiku-4-5-us"),
        catalog=True,
    )
    assert [line.partition(";")[0] for line in lines] == [
        "config/models/dev.yaml:12:11: models[1].name is claude-haiku-4-5",
        "config/models/dev.yaml:15:15: models[1].deployments[0].name is claude-haiku-4-5-us",
    ]


REGION = "region: us-east-1"
PROFILE = "us.anthropic.claude-haiku"


@pytest.mark.parametrize(
    ("scope", "region", "allowed"),
    [
        ("eu", "us-east-1", "profiles of us. and global."),
        ("us", "us-gov-west-1", "profiles of us-gov."),
        ("us", "eu-central-1", "profiles of eu. and global."),
        ("apac", "eu-west-1", "profiles of eu. and global."),
        ("jp", "ap-southeast-2", "profiles of apac. and au. and global."),
        ("global", "us-gov-east-1", "profiles of us-gov."),
        ("us", "cn-north-1", "no inference profile"),
    ],
)
def test_a_profile_is_called_from_where_its_scope_reaches(
    problems_after: ProblemsAfter, scope: str, region: str, allowed: str
) -> None:
    edits = ((PROFILE, f"{scope}.anthropic.claude-haiku"), (REGION, f"region: {region}"))
    (line,) = problems_after("dev", *edits, catalog=True, both=True)
    assert line.startswith("config/models/dev.yaml:10:19: models[0].deployments[0].model_id is ")
    assert f"; allowed: from {region} {allowed}; fix: " in line


@pytest.mark.parametrize(
    ("scope", "region"),
    [
        ("us.", "us-west-2"),
        ("us.", "ca-central-1"),
        ("eu.", "eu-north-1"),
        ("apac.", "ap-south-1"),
        ("jp.", "ap-northeast-3"),
        ("au.", "ap-southeast-4"),
        ("us-gov.", "us-gov-east-1"),
        ("global.", "sa-east-1"),
        ("", "us-gov-west-1"),
    ],
)
def test_every_scope_can_be_used(config_directory: Path, scope: str, region: str) -> None:
    file = config_directory / "models" / "dev.yaml"
    text = file.read_text(encoding="utf-8").replace("us.", scope).replace(REGION, f"region: {region}")
    file.write_text(text, encoding="utf-8")
    assert load_configuration("dev", config_directory)[1].models[0].deployments[0].region == region


@pytest.mark.parametrize(
    ("base_url", "is_open"),
    [
        ("https://api.example.com/v1", True),
        ("https://api.example.com:443/v1", True),
        ("https://[2001:db8::1]/v1", True),
        ("https://api.example.com:8443/v1", False),
        ("https://[2001:db8::1]:8443/v1", False),
        ("http://localhost/v1", False),
    ],
)
def test_providers_are_reached_at_the_one_port_that_is_open(
    config_directory: Path, problems_after: ProblemsAfter, base_url: str, is_open: bool
) -> None:
    file = config_directory / "models" / "dev.yaml"
    text = file.read_text(encoding="utf-8")
    elsewhere = f"""
      - name: nova-lite-elsewhere
        provider: openai_compatible
        base_url: "{base_url}"
        model: nova-lite
"""
    file.write_text(text + elsewhere, encoding="utf-8")
    if is_open:
        assert load_configuration("dev", config_directory)
        return
    (line,) = problems_after("dev", ("nat: one", "nat: one"), both=True)
    assert f"models[1].deployments[1].base_url is {base_url}; allowed: https at port 443" in line


def test_without_nat_only_what_the_vpc_s_endpoints_reach_is_served(
    config_directory: Path, problems_after: ProblemsAfter
) -> None:
    file = config_directory / "models" / "dev.yaml"
    text = file.read_text(encoding="utf-8").replace(REGION, "region: us-west-2", 1)
    file.write_text(
        text
        + """
      - name: nova-lite-elsewhere
        provider: openai_compatible
        base_url: https://api.example.com/v1
        model: nova-lite
      - name: nova-lite-endpoint
        provider: sagemaker
        region: us-east-1
        endpoint_name: nova-lite
      - name: nova-lite-endpoint-elsewhere
        provider: sagemaker
        region: us-west-2
        endpoint_name: nova-lite
""",
        encoding="utf-8",
    )
    assert load_configuration("dev", config_directory)
    without_collector = ("  cpu_units: 512", "  cpu_units: 512\n  collector_image: null")
    lines = problems_after("dev", ("nat: one", "nat: none"), without_collector, both=True)
    assert [line.partition("; allowed: ")[0].partition(": ")[2] for line in lines] == [
        "models[0].deployments[0].region is us-west-2",
        "models[1].deployments[1].provider is openai_compatible",
        "models[1].deployments[3].region is us-west-2",
    ]
    assert all("as network.nat is none" in line for line in lines)


def test_the_problems_of_both_files_are_listed_together(
    config_directory: Path, problems_after: ProblemsAfter
) -> None:
    file = config_directory / "models" / "dev.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("bedrock", "bedrok", 1), encoding="utf-8")
    lines = problems_after("dev", ("nat: one", "nat: two"), both=True)
    assert [line.split(" ")[1] for line in lines] == ["network.nat", "models[0].deployments[0].provider"]
