"""The public name on this machine: which region it leads to, and for how long callers believe it."""

import time


class PublicName:
    """A failover record: it leads to one region, and whoever asked believes so for its time to live."""

    def __init__(self, url: str, *, ttl_seconds: float) -> None:
        self.url = url
        self.ttl_seconds = ttl_seconds
        self._is_held = False

    def fail_over(self, url: str) -> None:
        """Lead to another region because the first one fails its health check, unless somebody holds it."""
        if not self._is_held:
            self.url = url

    def hold(self, url: str) -> None:
        """Lead to a region from now on, whatever health checks say."""
        self.url = url
        self._is_held = True


class Resolver:
    """One caller's: it asks again when the answer's time to live is over."""

    def __init__(self, name: PublicName) -> None:
        self._name = name
        self._answer = ""
        self._expires = 0.0

    def url(self) -> str:
        """Where the name leads, as this caller knows."""
        if time.monotonic() >= self._expires:
            self._answer = self._name.url
            self._expires = time.monotonic() + self._name.ttl_seconds
        return self._answer
