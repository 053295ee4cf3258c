"""Which images an environment may run."""

from collections.abc import Callable

import pytest

from gatehouse.image_policy import ADVISORIES, advisories, parse_version
from stacks.config.image import Image, is_in_private_registry

ProblemsAfter = Callable[..., list[str]]

DIGEST = f"sha256:{'0123456789abcdef' * 4}"
PUBLIC = f"ghcr.io/berriai/litellm-non_root@{DIGEST}"
PRIVATE = f"111111111111.dkr.ecr.us-east-1.amazonaws.com/gatehouse-dev/gateway@{DIGEST}"
ROOM = ("memory_mib: 1024", "memory_mib: 4096")


def image(**settings: str | int) -> tuple[str, str]:
    """An edit that gives a file a section `image`."""
    lines = "".join(f"  {name}: {value}\n" for name, value in settings.items())
    return ("\nnetwork:\n", f"\nimage:\n{lines}\nnetwork:\n")


def refusal(uri: str, version: str, profile: str = "litellm") -> str:
    with pytest.raises(ValueError, match="1 validation error") as caught:
        Image.model_validate({"profile": profile, "uri": uri, "version": version})
    return str(caught.value)


def test_the_bundled_gateway_needs_no_setting() -> None:
    assert Image().profile == "gatehouse"
    assert Image().uri is None
    assert Image().signing


@pytest.mark.parametrize(
    ("version", "identifier"),
    [
        ("1.81.16", "CVE-2026-42208"),
        ("v1.83.6", "CVE-2026-42208"),
        ("1.82.7", "PyPI 2026-03-24"),
        ("1.82.8", "PyPI 2026-03-24"),
        ("1.82.9", "CVE-2026-35029"),
        ("1.80.0", "CVE-2026-35030"),
        ("1.83.7-rc.1", "CVE-2026-42208"),
        ("1.83.10-stable.patch.3", "CVE-2026-47101"),
        ("1.83.14", "CVE-2026-49468"),
    ],
)
def test_a_known_vulnerable_release_is_refused_with_its_advisory_and_the_fix(
    version: str, identifier: str
) -> None:
    message = refusal(PUBLIC, version)
    assert f"version is {version}; allowed: LiteLLM 1.84.0 or later" in message
    assert PUBLIC in message
    assert identifier in message
    assert "fix: use an image of 1.84.0 or later" in message


def test_a_release_is_judged_by_its_own_advisories_alone() -> None:
    found = {advisory.identifier for advisory in advisories(PUBLIC, "1.83.7", is_litellm=True)}
    assert "CVE-2026-42208" not in found
    assert "CVE-2026-47102" in found
    assert not list(advisories(PUBLIC, "1.84.0", is_litellm=True))


def test_a_release_of_litellm_that_needs_a_password_for_the_cache_is_refused() -> None:
    message = refusal(PUBLIC, "1.101.6")
    assert "allowed: 1.102.0 or later, which signs in to the cache without a password" in message
    assert (
        Image.model_validate({"profile": "litellm", "uri": PUBLIC, "version": "1.102.0"}).version == "1.102.0"
    )


def test_a_copy_is_judged_like_the_original() -> None:
    assert "CVE-2026-42208" in refusal(PRIVATE, "1.83.0")
    custom = {"port": 4000, "health_path": "/health", "user": 1001}
    for repository in (
        "ghcr.io/berriai/litellm",
        "111111111111.dkr.ecr.us-east-1.amazonaws.com/a/litellm-fork",
    ):
        settings = {"profile": "custom", "uri": f"{repository}@{DIGEST}", "version": "1.83.0", **custom}
        with pytest.raises(ValueError, match="CVE-2026-42208"):
            Image.model_validate(settings)
    other = {"profile": "custom", "uri": f"example.com/gateway@{DIGEST}", "version": "1.83.0", **custom}
    assert Image.model_validate(other).port == 4000


def test_a_known_digest_is_what_it_is_whatever_the_file_says() -> None:
    digest = "sha256:7c311546c25e7bb6e8cafede9fcd3d0d622ac636b5c9418befaa32e85dfb0186"
    assert "CVE-2026-42208" in refusal(f"ghcr.io/berriai/litellm@{digest}", "1.109.3")


def test_versions_are_compared_as_numbers_and_early_ones_come_first() -> None:
    ordered = ["1.9.9", "1.10.0rc1", "1.10.0", "v1.10.1", "1.83.7-rc.1", "1.83.7", "1.84.0.dev2", "1.84.0"]
    assert sorted(ordered, key=parse_version) == ordered
    assert parse_version("1.83.10-stable.patch.3") == parse_version("v1.83.10")
    with pytest.raises(ValueError, match="'latest' is no version"):
        parse_version("latest")


@pytest.mark.parametrize("advisory", ADVISORIES, ids=lambda advisory: advisory.identifier)
def test_every_advisory_says_when_it_was_fixed_and_who_says_so(advisory: object) -> None:
    (given,) = [each for each in ADVISORIES if each is advisory]
    assert given.introduced < given.fixed
    assert given.source.startswith("https://")


@pytest.mark.parametrize(
    "uri", ["ghcr.io/berriai/litellm:v1.109.3", "litellm", f"ghcr.io/berriai/litellm:v1@{DIGEST}"]
)
def test_an_image_is_named_by_its_digest(problems_after: ProblemsAfter, uri: str) -> None:
    (line,) = problems_after("dev", ROOM, image(profile="litellm", uri=uri, version="1.109.3"))
    assert f": image.uri is {uri[:50]}" in line
    assert "; allowed: an image by its digest" in line


def test_another_gateway_needs_image_and_version(problems_after: ProblemsAfter) -> None:
    lines = problems_after("dev", ROOM, image(profile="dial"))
    assert [line.split(" ")[1] for line in lines] == ["image.uri", "image.version"]


def test_a_custom_image_needs_what_a_profile_would_say(problems_after: ProblemsAfter) -> None:
    uri = f"example.com/gateway@{DIGEST}"
    lines = problems_after("dev", image(profile="custom", uri=uri, version="1.0.0"))
    assert [line.split(" ")[1] for line in lines] == ["image.health_path", "image.port", "image.user"]


def test_a_profile_s_own_values_are_not_set_again(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("dev", ROOM, image(profile="litellm", uri=PUBLIC, version="1.109.3", port=8080))
    assert ": image.port is 8080; allowed: nothing: the profile litellm says it" in line


def test_the_bundled_gateway_is_built_and_not_pulled(problems_after: ProblemsAfter) -> None:
    lines = problems_after("dev", image(uri=PUBLIC, version="1.109.3"))
    assert [line.split(" ")[1] for line in lines] == ["image.uri", "image.version"]
    assert all("nothing: the bundled gateway is built and configured from here" in line for line in lines)


def test_a_gateway_has_the_memory_that_it_needs(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("dev", image(profile="litellm", uri=PUBLIC, version="1.109.3"))
    assert (
        ": image.profile is litellm; allowed: a gateway that runs in service.memory_mib, which is 1024"
        in line
    )
    assert line.endswith("fix: write 4096 or more in service.memory_mib")


def test_production_pulls_from_a_private_registry(problems_after: ProblemsAfter) -> None:
    room = ("memory_mib: 2048", "memory_mib: 4096")
    (line,) = problems_after("prod", room, image(profile="litellm", uri=PUBLIC, version="1.109.3"))
    assert "allowed: in prod an image in Amazon ECR" in line


def test_amazon_ecr_s_own_public_gallery_is_no_private_registry() -> None:
    assert is_in_private_registry(PRIVATE)
    assert not is_in_private_registry(f"public.ecr.aws/docker/library/gateway@{DIGEST}")
    assert not is_in_private_registry(PUBLIC)


def test_images_are_not_copied_to_where_they_are(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("dev", image(replicate_to="[us-west-2, us-east-1]"))
    assert ": image.replicate_to[1] is us-east-1; allowed: another region than the environment's" in line


def test_a_variable_is_plain_or_secret(problems_after: ProblemsAfter) -> None:
    arn = "arn:aws:secretsmanager:us-east-1:111111111111:secret:token-AbCdEf"
    settings = image(
        profile="litellm",
        uri=PUBLIC,
        version="1.109.3",
        environment="{TOKEN: plain}",
        secrets=f"{{TOKEN: '{arn}'}}",
    )
    (line,) = problems_after("dev", ROOM, settings)
    assert ": image.environment.TOKEN is plain; allowed: a name that secrets does not have" in line
