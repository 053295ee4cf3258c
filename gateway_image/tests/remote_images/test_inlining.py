"""Which calls get their images, and what callers are told when they cannot."""

import json
from typing import Any

import pytest

from gateway.body_memory import BodyMemory
from gateway.call import Call
from gateway.catalog import Catalog
from gateway.errors import GatewayError
from gateway.remote_images import inlining
from gateway.remote_images.errors import ImageError
from gateway.remote_images.fetching import ImageFetcher
from gateway.remote_images.hosts import parse_image_hosts
from gateway.remote_images.image import Image
from gateway.remote_images.inlining import RemoteImages, remote_images

pytestmark = pytest.mark.anyio

BEDROCK = {"provider": "bedrock", "region": "us-east-1", "model_id": "anthropic.claude-sonnet-4-6"}
OPENAI = {"provider": "openai_compatible", "base_url": "https://api.openai.com/v1", "model": "gpt-5"}
CATALOG = Catalog.model_validate(
    {
        "models": [
            {"name": "bedrock", "deployments": [{"name": "b", **BEDROCK}]},
            {"name": "openai", "deployments": [{"name": "o", **OPENAI}]},
            {"name": "both", "deployments": [{"name": "b1", **BEDROCK}, {"name": "o1", **OPENAI}]},
            {"name": "falls-back", "deployments": [{"name": "o2", **OPENAI}], "fallbacks": ["bedrock"]},
        ]
    }
)
LISTED = "https://images.example.com/"


class Fetcher(ImageFetcher):
    """Has an image for every URL on the list; asked: for which it was asked."""

    def __init__(self) -> None:
        super().__init__(parse_image_hosts('["images.example.com"]'))
        self.asked: list[str] = []
        self.image = Image("image/png", "aGk=")

    async def fetch(self, url: str) -> Image:
        self.asked.append(url)
        if not self.allows(url):
            raise ImageError("images are not fetched from this host")
        return self.image


def call(model: str, *urls: str) -> Call:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    body = {"model": model, "messages": [{"role": "user", "content": parts}], "stream": True}
    return Call(
        "chat_completions",
        model,
        json.dumps(body).encode(),
        stream=True,
        max_output_tokens=7,
        include_usage=True,
        headers={"x": "y"},
    )


def images(fetcher: ImageFetcher | None, limit_bytes: int = 1 << 30) -> RemoteImages:
    return RemoteImages(fetcher, BodyMemory(limit_bytes))


def urls_of(given: Call) -> list[Any]:
    return [part["image_url"]["url"] for part in json.loads(given.body)["messages"][0]["content"]]


@pytest.mark.parametrize("model", ["bedrock", "both", "falls-back"])
async def test_a_model_that_takes_no_urls_gets_the_images(model: str) -> None:
    fetcher, given = (
        Fetcher(),
        call(model, f"{LISTED}1", "data:image/png;base64,eA==", f"{LISTED}1", f"{LISTED}2"),
    )
    assert given.fields
    inlined = await images(fetcher).inline(given, CATALOG)
    there = "data:image/png;base64,aGk="
    assert urls_of(inlined) == [there, "data:image/png;base64,eA==", there, there]
    assert sorted(fetcher.asked) == [f"{LISTED}1", f"{LISTED}2"]
    assert vars(inlined) | {"body": b""} == {k: v for k, v in vars(given).items() if k != "fields"} | {
        "body": b""
    }
    assert b"https" not in bytes(inlined.fields["messages"])


async def test_a_model_that_takes_urls_gets_them() -> None:
    fetcher, given = Fetcher(), call("openai", f"{LISTED}1", "https://elsewhere.example/")
    assert await images(fetcher).inline(given, CATALOG) is given
    assert fetcher.asked == []


async def test_where_some_deployment_takes_urls_those_of_other_hosts_stay() -> None:
    fetcher, given = (
        Fetcher(),
        call("both", f"{LISTED}1", "https://elsewhere.example/", "http://plain.example/"),
    )
    inlined = await images(fetcher).inline(given, CATALOG)
    assert urls_of(inlined)[1:] == ["https://elsewhere.example/", "http://plain.example/"]
    assert fetcher.asked == [f"{LISTED}1"]


@pytest.mark.parametrize("given", [call("bedrock", "data:image/png;base64,eA=="), call("unknown", LISTED)])
async def test_calls_that_need_nothing_stay_as_they_are(given: Call) -> None:
    assert await images(Fetcher()).inline(given, CATALOG) is given


async def test_nothing_is_fetched_unless_hosts_are_listed() -> None:
    given = call("bedrock", LISTED)
    assert await remote_images("[]", BodyMemory(1)).inline(given, CATALOG) is given
    with pytest.raises(ValueError, match="entry 1"):
        remote_images("[1]", BodyMemory(1))


async def test_an_image_that_cannot_be_had_is_named_by_its_path() -> None:
    with pytest.raises(GatewayError) as caught:
        await images(Fetcher()).inline(call("bedrock", LISTED, "https://canary.example/?x"), CATALOG)
    error = caught.value
    assert (error.status, error.code) == (400, "invalid_image_url")
    assert error.param == "messages[0].content[1].image_url.url"
    assert "not fetched from this host" in error.message
    assert "canary" not in error.message


async def test_images_are_limited_in_number() -> None:
    fetcher = Fetcher()
    with pytest.raises(GatewayError, match="more than 20 images") as caught:
        await images(fetcher).inline(call("bedrock", *[f"{LISTED}{n}" for n in range(21)]), CATALOG)
    assert caught.value.param == "messages[0].content[20].image_url.url"
    assert fetcher.asked == []
    assert await images(fetcher).inline(call("bedrock", *[f"{LISTED}{n}" for n in range(20)]), CATALOG)


async def test_images_are_limited_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inlining, "CALL_BYTES", 3000)
    fetcher = Fetcher()
    fetcher.image = Image("image/png", "a" * 2000)
    assert await images(fetcher).inline(call("bedrock", f"{LISTED}1", f"{LISTED}2"), CATALOG)
    with pytest.raises(GatewayError, match="together"):
        await images(fetcher).inline(call("bedrock", *[f"{LISTED}{n}" for n in range(3)]), CATALOG)


async def test_images_count_among_the_bodies_held_in_memory() -> None:
    fetcher = Fetcher()
    with pytest.raises(GatewayError) as caught:
        await images(fetcher, limit_bytes=1_000_000).inline(call("bedrock", LISTED), CATALOG)
    assert (caught.value.status, fetcher.asked) == (503, [])
