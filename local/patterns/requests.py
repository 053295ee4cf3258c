"""Requests as a caller sends them: OpenAI's client, without retries of its own."""

import itertools
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import openai

_SECONDS = 30


@dataclass(frozen=True)
class Outcome:
    """What became of one request. deployment is None for one that was refused."""

    status: int
    deployment: str | None = None


class Gateways:
    """One or more gateways that share a cache; requests go to them in turn.

    key: of a caller without limits. consumer_keys: of callers with 3, 10 and 10 requests a minute.
    """

    def __init__(self, urls: Sequence[str], key: str, consumer_keys: Sequence[str]) -> None:
        self.consumer_keys = consumer_keys
        self._clients = [
            openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=_SECONDS) for url in urls
        ]

    def ask(
        self, models: Sequence[str], *, key: str | None = None, apart_seconds: float = 0
    ) -> list[Outcome]:
        """Ask each of the models once, all at the same time or each a little after the one before.

        key: another caller's than the one without limits.
        """
        with ThreadPoolExecutor(len(models)) as pool:
            futures = [
                pool.submit(
                    _ask, client.with_options(api_key=key) if key else client, model, number * apart_seconds
                )
                for number, (model, client) in enumerate(
                    zip(models, itertools.cycle(self._clients), strict=False)
                )
            ]
            return [future.result() for future in futures]


def _ask(client: openai.OpenAI, model: str, after_seconds: float) -> Outcome:
    time.sleep(after_seconds)
    try:
        answer = client.chat.completions.with_raw_response.create(
            model=model, messages=[{"role": "user", "content": "Say hello."}], max_tokens=20
        )
    except openai.APIStatusError as error:
        return Outcome(error.status_code)
    answer.parse()
    return Outcome(200, answer.headers.get("x-gatehouse-deployment"))


def answered(outcomes: Sequence[Outcome]) -> int:
    """How many were answered."""
    return sum(outcome.status == 200 for outcome in outcomes)


def by_deployment(outcomes: Sequence[Outcome]) -> Counter[str]:
    """How many each deployment answered."""
    return Counter(outcome.deployment for outcome in outcomes if outcome.deployment)
