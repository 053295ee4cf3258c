"""Callers that ask gateways and count what becomes of it, as a load for demonstrations and fault tests."""

import itertools
import ssl
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from functools import cache

import openai

from local.fleet import GatewayProcess


@dataclass
class Answers:
    """What callers got: statuses (0 is a broken connection) and who answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    deployments: Counter[str] = field(default_factory=Counter)
    attempts: Counter[int] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        """How many got no answer."""
        return self.statuses.total() - self.statuses[200]


class Callers:
    """Callers that ask gateways in turn, without retries of their own; `model` is what they ask for."""

    def __init__(self, gateways: Sequence[GatewayProcess], key: str, model: str = "chat") -> None:
        self._gateways = gateways
        self._model = model
        self._turn = itertools.count()
        # Each is good for all threads.
        self._clients = {gateway.url: _client(gateway, key) for gateway in gateways}

    def client(self, gateway: GatewayProcess) -> openai.OpenAI:
        """OpenAI's client of one gateway."""
        return self._clients[gateway.url]

    def of(self, gateway: GatewayProcess) -> "Callers":
        """The same callers, asking this gateway only."""
        only = copy(self)
        only._gateways = [gateway]
        return only

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            client.close()

    def ask(
        self, count: int, model: str | None = None, *, stream: bool = False, parallel: int = 8
    ) -> Answers:
        """Send so many requests, to the usual model unless another is named, and wait for all."""
        answers = Answers()
        with ThreadPoolExecutor(parallel) as pool:
            for future in [
                pool.submit(self._ask, model or self._model, stream, answers) for _ in range(count)
            ]:
                future.result()
        return answers

    @contextmanager
    def asking(self, *, stream: bool = False, parallel: int = 4) -> Iterator[Answers]:
        """Ask without end while the context lasts."""
        answers, stop = Answers(), threading.Event()

        def ask() -> None:
            while not stop.is_set():
                self._ask(self._model, stream, answers)

        with ThreadPoolExecutor(parallel) as pool:
            futures = [pool.submit(ask) for _ in range(parallel)]
            try:
                yield answers
            finally:
                stop.set()
                for future in futures:
                    future.result()

    def _ask(self, model: str, stream: bool, answers: Answers) -> None:
        gateway = self._gateways[next(self._turn) % len(self._gateways)]
        try:
            response = self.client(gateway).chat.completions.with_raw_response.create(
                model=model, messages=[{"role": "user", "content": "Hello!"}], stream=stream
            )
            _read(response.parse())
        except openai.APIStatusError as error:
            answers.statuses[error.status_code] += 1
            return
        except openai.APIError:
            answers.statuses[0] += 1
            return
        answers.statuses[200] += 1
        answers.deployments[response.headers["x-gatehouse-deployment"]] += 1
        answers.attempts[int(response.headers["x-gatehouse-attempts"])] += 1


def _client(gateway: GatewayProcess, key: str) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{gateway.url}/v1",
        api_key=key,
        max_retries=0,
        timeout=30,
        http_client=openai.DefaultHttpxClient(verify=_authorities()),
    )


@cache
def _authorities() -> ssl.SSLContext:
    # Every client would read them anew, which takes longer than many requests.
    return ssl.create_default_context()


def _read(answer: object) -> None:
    """Read a stream to its end; a whole answer is there already."""
    if isinstance(answer, openai.Stream):
        for _ in answer:
            pass
