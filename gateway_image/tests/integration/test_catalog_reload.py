"""The model configuration changes, breaks and is mended while a real gateway serves."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

LIMIT_SECONDS = 2.0
HELLO: Any = [{"role": "user", "content": "Hello"}]
# Takes a second and a half.
LONG: Any = [{"role": "user", "content": "answer with 150 words"}]


def _catalog(*names: str) -> dict[str, Any]:
    deployment = {
        "provider": "bedrock",
        "region": "us-east-1",
        "model_id": "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    }
    models = [{"name": name, "deployments": [deployment | {"name": f"{name}-us"}]} for name in names]
    return {"models": models}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("catalog") / "models.json"
    file.write_text(json.dumps(_catalog("first")))
    return file


@pytest.fixture(scope="module")
def own_gateway(file: Path, start_gateway: Callable[..., Any]) -> Iterator[Any]:
    """A gateway of these tests alone, whose catalog they change."""
    gateway = start_gateway(models_source=file.as_uri())
    yield gateway
    gateway.process.kill()


@pytest.fixture
def gateway(own_gateway: Any, file: Path) -> Any:
    """The same with the first catalog, and an empty log."""
    if changes := _events(own_gateway, "catalog_changed"):
        file.write_text(json.dumps(_catalog("first")))
        _wait_for_events(own_gateway, "catalog_changed", len(changes) + 1)
    own_gateway.output.write_bytes(b"")
    return own_gateway


def _models(client: openai.OpenAI) -> list[str]:
    return sorted(model.id for model in client.models.list().data)


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {LIMIT_SECONDS} s"
        time.sleep(0.05)


def _events(gateway: Any, name: str) -> list[dict[str, Any]]:
    return [line for line in gateway.log() if line["event"] == name]


def _wait_for_events(gateway: Any, name: str, count: int) -> None:
    _wait_for(lambda: len(_events(gateway, name)) == count)


def test_a_changed_catalog_is_served_within_two_seconds_and_running_streams_finish(
    gateway: Any, file: Path
) -> None:
    with gateway.client() as client:
        assert _models(client) == ["first"]
        stream = client.chat.completions.create(model="first", messages=LONG, stream=True)
        chunks = iter(stream)
        next(chunks)
        file.write_text(json.dumps(_catalog("second", "third")))
        _wait_for(lambda: _models(client) == ["second", "third"])
        # The model is gone from the catalog, and the answer that had begun comes to its end.
        assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "stop"
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="first", messages=HELLO)
        assert client.chat.completions.create(model="second", messages=HELLO).choices
    (changed,) = _events(gateway, "catalog_changed")
    assert changed["models"] == ["second", "third"]


def test_a_broken_catalog_is_refused_with_every_reason_and_mended_without_a_restart(
    gateway: Any, file: Path
) -> None:
    broken = _catalog("second", "second")
    broken["models"][1]["fallbacks"] = ["nowhere"]
    with gateway.client() as client:
        contents = [json.dumps(broken), '{"models": [', "", json.dumps({"models": []})]
        for count, content in enumerate(contents, start=1):
            file.write_text(content)
            _wait_for_events(gateway, "catalog_refused", count)
            assert _models(client) == ["first"]
            assert client.chat.completions.create(model="first", messages=HELLO).choices
        reasons = [len(event["problems"]) for event in _events(gateway, "catalog_refused")]
        assert reasons == [3, 1, 1, 1]
        first = _events(gateway, "catalog_refused")[0]
        assert first["level"] == "error"
        assert first["source"] == file.as_uri()
        assert "models[1].fallbacks[0] is nowhere; allowed: one of second" in first["problems"][2]

        file.write_text(json.dumps(_catalog("second")))
        _wait_for_events(gateway, "catalog_changed", 1)
        assert _models(client) == ["second"]


def test_no_request_fails_while_the_catalog_changes(gateway: Any, file: Path) -> None:
    failures: list[Exception] = []
    answered: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        with gateway.client() as client:
            while not stop.is_set():
                try:
                    client.chat.completions.create(model="first", messages=HELLO)
                    answered.append(1)
                except openai.OpenAIError as error:
                    failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for count in range(1, 4):
            file.write_text(json.dumps(_catalog("first", f"other-{count}")))
            _wait_for_events(gateway, "catalog_changed", count)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert answered
