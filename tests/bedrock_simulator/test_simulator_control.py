"""The control API and its client, the call log, pacing, and the command line."""

import json
import random
import re
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from local import bedrock_simulator as simulator_package
from local.bedrock_simulator.control import ControlError
from local.bedrock_simulator.faults import Error, Hang
from local.bedrock_simulator.process import RunningSimulator, SimulatorStartError, start
from local.bedrock_simulator.scenario import Quota, ScenarioError, load_scenario, parse_scenario
from local.bedrock_simulator.timing import Constant, Lognormal, Uniform

NOVA = "us.amazon.nova-lite-v1:0"
_SECRET_PROMPT = "the launch code is 0000"


def said(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"text": text}]}]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_state_tells_what_can_be_called_and_what_is_in_force(simulator: RunningSimulator) -> None:
    simulator.control.set_quotas([Quota(model=NOVA, requests_per_minute=5)])
    number = simulator.control.add_fault(Hang(region="eu-west-1"))

    state = simulator.control.state()

    assert state["models"][NOVA] == ["us-east-1", "us-east-2", "us-west-2"]
    assert "anthropic.claude-sonnet-4-6" not in state["models"]
    assert state["quotas"][0]["requests_per_minute"] == 5
    assert state["faults"][str(number)]["kind"] == "hang"


def test_the_log_tells_everything_but_the_prompt(simulator: RunningSimulator, client: Any) -> None:
    client.converse(modelId=NOVA, messages=said(_SECRET_PROMPT))
    with pytest.raises(client.exceptions.ValidationException):
        client.converse(modelId="nobody.nothing", messages=said(_SECRET_PROMPT))

    answered, refused = simulator.control.calls()

    assert (answered.operation, answered.outcome, answered.status) == ("Converse", "answered", 200)
    assert (answered.input_tokens, answered.output_tokens, answered.served_by) == (5, 7, "us-east-1")
    assert (refused.outcome, refused.status, refused.error) == ("refused", 400, "ValidationException")
    assert "0000" not in repr((answered.body, refused.body, simulator.control.state()))
    assert [call.number for call in simulator.control.calls(after=1)] == [2]


def test_bodies_are_recorded_on_request(simulator: RunningSimulator, client: Any) -> None:
    simulator.control.record_bodies(on=True)
    client.converse(modelId=NOVA, messages=said("Hello"), inferenceConfig={"maxTokens": 5})
    simulator.control.record_bodies(on=False)
    client.converse(modelId=NOVA, messages=said("Hello"))

    first, second = simulator.control.calls()

    assert first.body == {"messages": said("Hello"), "inferenceConfig": {"maxTokens": 5}}
    assert second.body is None


def test_reset_forgets_everything(simulator: RunningSimulator, client: Any) -> None:
    simulator.control.add_fault(Error(error="InternalServerException"))
    simulator.control.set_quotas([Quota(model=NOVA, requests_per_minute=0)])

    simulator.control.reset()

    assert client.converse(modelId=NOVA, messages=said("Hello"))["stopReason"] == "end_turn"
    assert [call.number for call in simulator.control.calls()] == [1]


def test_control_refuses_what_it_does_not_understand(simulator: RunningSimulator) -> None:
    with pytest.raises(ControlError, match=r"there is no fault 99; in force: \[\]"):
        simulator.control.clear_faults(99)
    request = urllib.request.Request(f"{simulator.url}/_simulator/faults", b'{"kind": "earthquake"}')
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request)
    with raised.value as response:
        assert response.code == 400
        assert "earthquake" in json.load(response)["error"]


def test_paths_that_bedrock_does_not_have(simulator: RunningSimulator) -> None:
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(f"{simulator.url}/model/{NOVA}/complete")
    with raised.value as response:
        assert response.code == 404
        assert response.headers["x-amzn-ErrorType"].startswith("UnknownOperationException:")


def test_answers_keep_the_pace_of_the_scenario(client_for: Any) -> None:
    pace = "timing: {first_token: {kind: constant, milliseconds: 150}, tokens_per_second: 50}"
    with start(pace) as running:
        client = client_for(url=running.url)
        started = time.monotonic()
        response = client.converse_stream(modelId=NOVA, messages=said("answer with 10 words"))
        first_byte = time.monotonic() - started
        arrivals = [time.monotonic() - started for _ in response["stream"]]
        plain = client.converse(modelId=NOVA, messages=said("answer with 10 words"))

    assert first_byte >= 0.15
    assert arrivals[-1] >= 0.15 + 10 / 50
    assert sum(later - earlier > 0.01 for earlier, later in pairwise(arrivals)) >= 5
    assert plain["metrics"]["latencyMs"] == 350


def test_random_latency_is_the_same_in_every_run(client_for: Any) -> None:
    with start("timing: {first_token: {kind: lognormal, median_milliseconds: 3, sigma: 1}}") as running:
        client = client_for(url=running.url)

        def latencies() -> list[int]:
            running.control.reset()
            return [
                client.converse(modelId=NOVA, messages=said("Hi"))["metrics"]["latencyMs"] for _ in range(12)
            ]

        first = latencies()
        assert len(set(first)) > 2
        assert latencies() == first


@pytest.mark.parametrize(
    ("distribution", "least", "most"),
    [
        (Constant(milliseconds=20), 0.02, 0.02),
        (Uniform(low_milliseconds=10, high_milliseconds=30), 0.01, 0.03),
        (Lognormal(median_milliseconds=20, sigma=0.5), 0.001, 0.4),
    ],
)
def test_latencies_center_where_they_should(
    distribution: Constant | Uniform | Lognormal, least: float, most: float
) -> None:
    rng = random.Random(0)
    samples = [distribution.sample_seconds(rng) for _ in range(2000)]

    assert statistics.median(samples) == pytest.approx(0.02, rel=0.05)
    assert least <= min(samples) <= max(samples) <= most


def test_a_client_that_leaves_a_plain_answer_has_used_it(
    simulator: RunningSimulator, client_for: Any
) -> None:
    pace = "timing: {first_token: {kind: constant, milliseconds: 600}}"
    with start(pace) as running:
        running.control.set_quotas([Quota(model=NOVA, tokens_per_minute=100_000)])
        with pytest.raises(ReadTimeoutError):
            client_for(url=running.url, read_timeout=0.1).converse(modelId=NOVA, messages=said("Hello"))
        wait_until(lambda: running.control.calls()[0].outcome == "client_left")
        (usage,) = running.control.state()["usage"]

    assert usage["tokens"] == 1 + 3


def test_bodies_that_are_no_json_objects(client: Any) -> None:
    for body in ("{", "[]", b"\xff"):
        with pytest.raises(
            client.exceptions.ValidationException, match="Malformed input request, please reformat"
        ):
            client.invoke_model(modelId="anthropic.claude-3-haiku-20240307-v1:0", body=body)


def test_without_validation_sound_requests_are_still_answered(client_for: Any) -> None:
    with start(validate=False) as running:
        client = client_for(url=running.url)
        two_users = [*said("Hello"), *said("again")]
        assert client.converse(modelId=NOVA, messages=two_users)["stopReason"] == "end_turn"


def test_a_bad_scenario_lists_its_problems() -> None:
    with pytest.raises(ScenarioError) as raised:
        parse_scenario(
            {"models": [{"id": "x", "family": "gpt", "regions": ["r"]}], "quota": []}, "world.yaml"
        )

    problems = str(raised.value).splitlines()
    assert [problem.split(": ")[1] for problem in problems] == ["models.0.family", "quota"]
    assert all(problem.startswith("world.yaml: ") for problem in problems)


def test_the_documented_scenario_can_be_played(tmp_path: Path) -> None:
    readme = Path(simulator_package.__file__).with_name("README.md").read_text()
    (example,) = re.findall(r"```yaml\n(.+?)```", readme, re.DOTALL)
    file = tmp_path / "scenario.yaml"
    file.write_text(example)

    scenario = load_scenario(file)

    assert scenario.quotas
    assert scenario.faults
    assert scenario.models == load_scenario().models


def test_a_scenario_file_that_is_none(tmp_path: Path) -> None:
    no_mapping, no_yaml = tmp_path / "list.yaml", tmp_path / "broken.yaml"
    no_mapping.write_text("- a")
    no_yaml.write_text("a: [")

    for path, message in [
        (no_mapping, "must be a mapping"),
        (no_yaml, "is not YAML"),
        (tmp_path / "no", "cannot be read"),
    ]:
        with pytest.raises(ScenarioError, match=message):
            load_scenario(path)


def test_the_command_explains_what_is_wrong(
    simulator: RunningSimulator, capfd: pytest.CaptureFixture[str]
) -> None:
    port = int(simulator.url.rpartition(":")[2])

    with pytest.raises(SimulatorStartError, match="exit code 2"), start(port=port):
        pass
    assert f"cannot listen on 127.0.0.1:{port}" in capfd.readouterr().err
    with pytest.raises(SimulatorStartError, match="exit code 2"), start("seed: many"):
        pass
    assert "seed: Input should be a valid integer" in capfd.readouterr().err


def test_help_has_an_example() -> None:
    command = [sys.executable, "-m", "local.bedrock_simulator", "--help"]

    assert "--endpoint-url" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
