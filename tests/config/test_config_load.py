"""What an owner reads when a file is wrong: the place, the value, what is allowed and how to mend it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stacks.config.files import environment_names
from stacks.config.load import ConfigError, load_catalog, load_environment

ProblemsAfter = Callable[..., list[str]]


def test_every_committed_environment_and_its_catalog_load() -> None:
    assert environment_names() == ["dev", "prod", "prod-eks", "staging"]
    for name in environment_names():
        assert load_environment(name).name == name
        assert load_catalog(name).models


MISTAKES = {
    "account as a number": (
        'account: "111111111111"',
        "account: 111111111111",
        "config/dev.yaml:4:10: account is 111111111111; allowed: an AWS account ID: 12 digits, "
        'in quotes; fix: put it in quotes: "111111111111"',
    ),
    "account as an octal number": (
        'account: "111111111111"',
        "account: 012345670123",
        "config/dev.yaml:4:10: account is '012345670123', which YAML 1.1 and YAML 1.2 read "
        "differently; allowed: an AWS account ID: 12 digits, in quotes; fix: put it in quotes: "
        '"012345670123"',
    ),
    "no as a boolean": (
        "multi_az: false",
        "multi_az: no",
        "config/dev.yaml:32:13: database.multi_az is 'no', which YAML 1.1 and YAML 1.2 read "
        "differently; allowed: true or false; fix: write false",
    ),
    "number in base 60": (
        "storage_gib: 20",
        "storage_gib: 1:30",
        "config/dev.yaml:30:16: database.storage_gib is '1:30', which YAML 1.1 and YAML 1.2 read "
        "differently; allowed: a whole number from 20 to 65536; fix: write it in plain decimal "
        "digits, such as 20",
    ),
    "boolean in quotes": (
        "multi_az: false",
        'multi_az: "false"',
        "config/dev.yaml:32:13: database.multi_az is 'false'; allowed: true or false; fix: "
        "remove the quotes: false",
    ),
    "number in quotes": (
        "replicas: 0",
        'replicas: "0"',
        "config/dev.yaml:26:13: cache.replicas is '0'; allowed: a whole number from 0 to 5; fix: "
        "remove the quotes: 0",
    ),
    "above the maximum": (
        "replicas: 0",
        "replicas: 9",
        "config/dev.yaml:26:13: cache.replicas is 9; allowed: a whole number from 0 to 5; fix: "
        "write 5 or less",
    ),
    "fraction": (
        "replicas: 0",
        "replicas: 0.5",
        "config/dev.yaml:26:13: cache.replicas is 0.5; allowed: a whole number from 0 to 5; fix: "
        "write it like 1",
    ),
    "near a choice": (
        "nat: one",
        "nat: onne",
        "config/dev.yaml:12:8: network.nat is onne; allowed: none, one or one-per-zone; fix: write one",
    ),
    "no choice but a number near one": (
        "log_retention_days: 30",
        "log_retention_days: 33",
        "config/dev.yaml:6:21: log_retention_days is 33; allowed: 7, 14, 30, 60, 90, 180, 365 or "
        "731; fix: write 30",
    ),
    "host bits": (
        "cidr: 10.40.0.0/16",
        "cidr: 10.40.0.1/16",
        "config/dev.yaml:10:9: network.cidr is 10.40.0.1/16; allowed: an IPv4 network: an "
        "address, a slash and the length of its prefix; fix: write 10.40.0.0/16, the network "
        "that holds this address",
    ),
    "pattern": (
        "hosted_zone_id: Z0000000000000DEV",
        "hosted_zone_id: my-zone",
        "config/dev.yaml:38:19: edge.hosted_zone_id is my-zone; allowed: a Route 53 hosted zone "
        "ID: Z and up to 31 capital letters or digits; fix: write it like Z0123456789ABCDEFGHIJ",
    ),
    "missing key": (
        "  minimum_tasks: 1\n",
        "",
        "config/dev.yaml:15:3: service.minimum_tasks is missing; allowed: a whole number from 1 "
        "to 100; fix: add minimum_tasks: 2",
    ),
    "key twice": (
        "nat: one",
        "nat: one\n  nat: none",
        "config/dev.yaml:13:3: network.nat is given twice, first on line 12; allowed: each key "
        "once; fix: keep one of the two",
    ),
    "unknown key": (
        "nat: one",
        "nat: one\n  subnets: 3",
        "config/dev.yaml:13:3: network.subnets is no known key; allowed: cidr, "
        "availability_zones, nat, endpoints, ipv6, existing; fix: remove it",
    ),
    "misspelt key beside the right one": (
        "nat: one",
        "nat: one\n  natt: one",
        "config/dev.yaml:13:3: network.natt is no known key; allowed: cidr, availability_zones, nat, "
        "endpoints, ipv6, existing; fix: remove it",
    ),
    "nothing after a key": (
        "nat: one",
        "nat:",
        "config/dev.yaml:12:3: network.nat is null; allowed: none, one or one-per-zone; fix: write none, "
        "one or one-per-zone",
    ),
    "no list": (
        "[us-east-1a, us-east-1b]",
        "us-east-1a",
        "config/dev.yaml:11:23: network.availability_zones is us-east-1a; allowed: a list, "
        "length from 2 to 3; fix: write it like [us-east-1a, us-east-1b, us-east-1c]",
    ),
    "wrong item": (
        "[us-east-1a, us-east-1b]",
        "[us-east-1a, East]",
        "config/dev.yaml:11:36: network.availability_zones[1] is East; allowed: an availability "
        "zone: the region's code and a letter; fix: write it like us-east-1a",
    ),
    "tag": (
        "name: dev",
        "name: !!python/name:os.system dev",
        "config/dev.yaml:3:7: name has the tag tag:yaml.org,2002:python/name:os.system; allowed: "
        "values without tags; fix: remove the tag",
    ),
    "a host name that cannot be one": (
        "catalog_rollout_minutes: 0 # at once",
        "image_url_hosts: [https://images.example.com]",
        "config/dev.yaml:19:21: service.image_url_hosts[0] is https://images.example.com; allowed: a host "
        "name in lower case, or *. and a domain for every host below it; fix: write it like '*.example.com'",
    ),
    "an issuer that anybody on the way could replace": (
        "mfa: optional",
        "mfa: optional\n  issuers: [{issuer: http://login.example.com, audiences: [gatehouse]}]",
        "config/dev.yaml:50:22: identity.issuers[0].issuer is refused: 'http://login.example.com' is not an "
        "absolute https URL without a user, a query or a fragment (plain http only on this very machine); "
        "allowed: text, length from 1 to 512; fix: change it accordingly",
    ),
    "quote left open": (
        "name: dev",
        "name: 'dev",
        "config/dev.yaml:53:1: the file is not YAML: found unexpected end of stream while "
        "scanning a quoted scalar from line 3; allowed: YAML; fix: correct the syntax between "
        "these places",
    ),
    "control character": (
        "name: dev",
        "name: d\x07v",
        "config/dev.yaml:3:8: the file holds the character U+0007; allowed: printable text in "
        "UTF-8; fix: remove it or save the file as UTF-8",
    ),
}


@pytest.mark.parametrize(("old", "new", "expected"), MISTAKES.values(), ids=MISTAKES.keys())
def test_one_mistake_is_one_line(problems_after: ProblemsAfter, old: str, new: str, expected: str) -> None:
    assert problems_after("dev", (old, new)) == [expected]


def test_a_misspelt_key_is_matched_with_the_missing_one(problems_after: ProblemsAfter) -> None:
    assert problems_after("dev", ("minimum_tasks", "minimum_task")) == [
        "config/dev.yaml:15:3: service.minimum_tasks is missing; allowed: a whole number from 1 to 100; "
        "fix: add minimum_tasks: 2",
        "config/dev.yaml:17:3: service.minimum_task is no known key; allowed: cpu_units, memory_mib, "
        "cpu_architecture, minimum_tasks, maximum_tasks, concurrent_requests_per_process, spot_percent, "
        "canary_percent, canary_minutes, drain_minutes, collector_image, catalog_rollout_minutes, "
        "bedrock_authentication, limits_when_cache_is_away, known_keys_minutes, usage_retention_months, "
        "image_url_hosts; "
        "fix: rename it to minimum_tasks",
    ]


def test_all_problems_are_listed_together_in_the_order_of_the_file(problems_after: ProblemsAfter) -> None:
    lines = problems_after(
        "prod",
        ("account: ", "acount: "),
        ("us-east-1c", "us-west-2c"),
        ("minimum_tasks: 3", "minimum_tasks: 1"),
        ("replicas: 2", "replicas: two"),
        ("multi_az: true", "multi_az: false"),
        ("api.gatehouse.example.com", "api.example.org"),
    )
    assert [line.split(" ")[1] for line in lines] == [
        "account",
        "acount",
        "network.availability_zones[2]",
        "service.minimum_tasks",
        "cache.replicas",
        "database.multi_az",
        "edge.domain_name",
    ]


def test_an_alias_is_refused_even_one_that_holds_itself(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("dev", ("[us-east-1a, us-east-1b]", "&zones [us-east-1a, *zones]"))
    assert line == (
        "config/dev.yaml:11:23: network.availability_zones[1] is an alias (*name); "
        "allowed: the value itself; fix: write the value out"
    )


@pytest.mark.parametrize("text", ["", "# only a comment\n", "text", "- a\n- b\n", "3", "null"])
def test_a_file_that_is_no_mapping_is_refused_as_a_whole(config_directory: Path, text: str) -> None:
    (config_directory / "dev.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"config/dev\.yaml:1:1: the file is .*copy of another"):
        load_environment("dev", config_directory)


@pytest.mark.parametrize(
    "content",
    [b"[" * 600, b"[" * 250 + b"]" * 250, b'name: "\\ud800"', b"name: d\xe9v", b"? [a]\n: b", b'"a\\nb": 1'],
    ids=["endless", "deep", "surrogate", "latin-1", "key-list", "key-lines"],
)
def test_no_content_raises_anything_else_nor_breaks_a_line(config_directory: Path, content: bytes) -> None:
    (config_directory / "dev.yaml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_environment("dev", config_directory)
    assert all(line.startswith("config/dev.yaml:1:") for line in str(caught.value).splitlines())


def test_the_name_is_the_file_s_own(problems_after: ProblemsAfter) -> None:
    assert problems_after("dev", ("name: dev", "name: dev-2")) == [
        "config/dev.yaml:3:7: name is dev-2; allowed: the file's own name; "
        "fix: write dev, or rename the file to match"
    ]


def test_an_unknown_environment_lists_those_that_exist(config_directory: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_environment("prd", config_directory)
    assert str(caught.value) == (
        "config/prd.yaml:1:1: the file does not exist; allowed: dev, prod, prod-eks, staging; fix: use prod"
    )


def test_an_environment_without_a_catalog_is_told_which_file_to_create(config_directory: Path) -> None:
    (config_directory / "models" / "dev.yaml").unlink()
    with pytest.raises(
        ConfigError, match=r"models/dev\.yaml:1:1: the file does not exist; .* create config/"
    ):
        load_catalog("dev", config_directory)


def test_catalog_mistakes_name_their_place(problems_after: ProblemsAfter) -> None:
    lines = problems_after(
        "dev",
        ("region: us-east-1", "region: N. Virginia"),
        ("us.anthropic.claude-haiku", "usa:anthropic/claude-haiku"),
        catalog=True,
    )
    assert [line.partition(";")[0] for line in lines] == [
        "config/models/dev.yaml:9:17: models[0].deployments[0].region is N. Virginia",
        "config/models/dev.yaml:10:19: models[0].deployments[0].model_id is "
        "usa:anthropic/claude-haiku-4-5-20251001-v1:0",
    ]
    assert not any("^" in line for line in lines), "patterns are explained in words"


@pytest.mark.parametrize("edit", [("nat: one", "nat: one\n  spare: no"), ("[us-east-1a, us-east-1b]", "no")])
def test_a_scalar_where_none_belongs_is_one_problem_not_two(
    problems_after: ProblemsAfter, edit: tuple[str, str]
) -> None:
    (line,) = problems_after("dev", edit)
    assert "YAML 1.1" not in line
