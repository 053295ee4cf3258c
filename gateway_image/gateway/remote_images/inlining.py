"""Puts the images that a call names by URL into the call, for models that take none by URL."""

import asyncio
from collections.abc import Sequence

from gateway.body_memory import BodyMemory
from gateway.call import Call
from gateway.catalog import BedrockDeployment, Catalog, Deployment
from gateway.errors import GatewayError, invalid_request
from gateway.off_loop import off_loop
from gateway.remote_images.errors import ImageError
from gateway.remote_images.fetching import IMAGE_BYTES, ImageFetcher
from gateway.remote_images.hosts import parse_image_hosts
from gateway.remote_images.image import Image
from gateway.remote_images.references import replace_images, urls_in

MOST_IMAGES = 20
# Of all images of one call together, before base64.
CALL_BYTES = 20 * 1024 * 1024

_AT_ONCE = 4


class RemoteImages:
    """Fetches what calls name; without a fetcher, and for models that take URLs, calls stay as they are."""

    def __init__(self, fetcher: ImageFetcher | None, memory: BodyMemory) -> None:
        self._fetcher = fetcher
        self._memory = memory

    async def inline(self, call: Call, catalog: Catalog) -> Call:
        """The call with its images in it, as the model and its fallbacks need it.

        An image at a host that is not listed stays a URL if a deployment may take it so. Raises GatewayError
        400 naming the image's path, and 503 if there is no memory for the images.
        """
        # Nearly all calls end here.
        if self._fetcher is None or b"http" not in call.body:
            return call
        deployments = _deployments(call, catalog)
        if not any(map(_takes_no_urls, deployments)):
            return call
        wanted = await off_loop(len(call.body), lambda: list(urls_in(call.operation, call.body)))
        if not all(map(_takes_no_urls, deployments)):
            wanted = [(path, url) for path, url in wanted if self._fetcher.allows(url)]
        if not wanted:
            return call
        images = await self._fetch_all(wanted)
        body = await off_loop(
            len(call.body) + sum(len(image.data) for image in images.values()),
            replace_images,
            call.operation,
            call.body,
            lambda _, url: images.get(url),
        )
        return call.with_body(body)

    async def _fetch_all(self, wanted: Sequence[tuple[str, str]]) -> dict[str, Image]:
        """The images by URL; raises GatewayError 400 if one cannot be had."""
        if len(wanted) > MOST_IMAGES:
            path = wanted[MOST_IMAGES][0]
            raise _refused(path, f"there are more than {MOST_IMAGES} images to fetch")
        # Where the same image stands in several places, the first is named.
        paths = {url: path for path, url in reversed(wanted)}
        self._memory.hold(_base64_length(min(len(paths) * IMAGE_BYTES, CALL_BYTES)))
        images: dict[str, Image] = {}
        turns = asyncio.Semaphore(_AT_ONCE)

        async def fetch(url: str, path: str) -> None:
            async with turns:
                images[url] = await self._fetch(url, path)
            if sum(len(image.data) for image in images.values()) > _base64_length(CALL_BYTES):
                raise _refused(path, f"the images together are larger than {CALL_BYTES // 1024 // 1024} MB")

        tasks = [asyncio.create_task(fetch(url, path)) for url, path in paths.items()]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        return images

    async def _fetch(self, url: str, path: str) -> Image:
        assert self._fetcher is not None  # noqa: S101 (inline has looked)
        try:
            return await self._fetcher.fetch(url)
        except ImageError as error:
            raise _refused(path, str(error)) from None


def remote_images(hosts: str, memory: BodyMemory) -> RemoteImages:
    """What fetches from the hosts that a setting names as a JSON array: nothing if it names none.

    Raises ValueError naming every entry that is wrong.
    """
    allowed = parse_image_hosts(hosts)
    return RemoteImages(ImageFetcher(allowed) if allowed else None, memory)


def _base64_length(size_bytes: int) -> int:
    return (size_bytes + 2) // 3 * 4


def _deployments(call: Call, catalog: Catalog) -> list[Deployment]:
    """Those that may answer a call, of the model's fallbacks too; none for a model that does not exist."""
    model = catalog.by_name.get(call.model)
    if model is None:
        return []
    names = (model.name, *model.fallbacks)
    return [deployment for name in names for deployment in catalog.by_name[name].deployments]


def _takes_no_urls(deployment: Deployment) -> bool:
    """Bedrock fetches nothing; other providers do, with a reach of their own."""
    return isinstance(deployment, BedrockDeployment)


def _refused(path: str, reason: str) -> GatewayError:
    return invalid_request(
        f"{path} cannot be fetched: {reason}. The image itself can be sent in base64 instead.",
        param=path,
        code="invalid_image_url",
    )
