"""Each fault as a client of boto3 sees it, and that it is gone when it is lifted."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.eventstream import ChecksumMismatch
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EventStreamError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from urllib3.exceptions import ProtocolError
from urllib3.exceptions import ReadTimeoutError as StreamTimeoutError

from local.bedrock_simulator.call_log import Call
from local.bedrock_simulator.faults import (
    CorruptChecksum,
    Cut,
    Error,
    Fault,
    Fragment,
    Garbage,
    Hang,
    RegionDown,
    SlowFirstByte,
    StreamError,
)
from local.bedrock_simulator.process import RunningSimulator

NOVA = "us.amazon.nova-lite-v1:0"
_MESSAGES = [{"role": "user", "content": [{"text": "answer with 20 words"}]}]


def converse(client: Any) -> str:
    return str(client.converse(modelId=NOVA, messages=_MESSAGES)["stopReason"])


def stream(client: Any) -> list[dict[str, Any]]:
    """The events of a whole stream; what breaks it off is raised with a note of how many came before."""
    events: list[dict[str, Any]] = []
    response = client.converse_stream(modelId=NOVA, messages=_MESSAGES)["stream"]
    try:
        events.extend(response)
    except Exception as error:
        error.add_note(str(len(events)))
        raise
    finally:
        response.close()
    return events


def events_before(error: BaseException) -> int:
    return int(error.__notes__[0])


def wait_for_outcome(simulator: RunningSimulator, wanted: str) -> Call:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        call = simulator.control.calls()[-1]
        if call.outcome == wanted:
            return call
        time.sleep(0.01)
    raise AssertionError(f"the last call is still {call.outcome}, not {wanted}")


@pytest.fixture
def inject(simulator: RunningSimulator) -> Callable[[Fault], int]:
    return simulator.control.add_fault


def test_a_region_that_is_down_resets_connections_until_it_is_back(
    simulator: RunningSimulator, client_for: Any, inject: Callable[[Fault], int]
) -> None:
    east, west = client_for("us-east-1"), client_for("us-west-2")
    number = inject(RegionDown(region="us-east-1"))

    with pytest.raises(ConnectionClosedError):
        converse(east)
    with pytest.raises(ConnectionClosedError):
        stream(east)
    assert converse(west) == "end_turn"
    simulator.control.clear_faults(number)
    assert converse(east) == "end_turn"


def test_a_profile_avoids_a_region_that_is_down(
    simulator: RunningSimulator, client_for: Any, inject: Callable[[Fault], int]
) -> None:
    simulator.control.set_quotas([])
    inject(RegionDown(region="us-east-1"))

    converse(client_for("us-east-2"))

    assert simulator.control.calls()[-1].served_by == "us-east-2"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("AccessDeniedException", 403),
        ("InternalServerException", 500),
        ("ModelErrorException", 424),
        ("ModelNotReadyException", 429),
        ("ModelTimeoutException", 408),
        ("ResourceNotFoundException", 404),
        ("ServiceUnavailableException", 503),
        ("ThrottlingException", 429),
    ],
)
def test_errors_arrive_as_boto3s_own_exceptions(
    client: Any, inject: Callable[[Fault], int], error: Any, status: int
) -> None:
    inject(Error(error=error, message="as ordered"))

    for call in (converse, stream):
        with pytest.raises(getattr(client.exceptions, error), match="as ordered") as raised:
            call(client)
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_expired_credentials_on_command(client: Any, inject: Callable[[Fault], int]) -> None:
    inject(Error(error="ExpiredTokenException", account="111111111111", times=1))

    with pytest.raises(ClientError, match="The security token included in the request is expired") as raised:
        converse(client)

    assert raised.value.response["Error"]["Code"] == "ExpiredTokenException"
    assert converse(client) == "end_turn"


def test_a_throttle_can_say_when_to_come_back(client: Any, inject: Callable[[Fault], int]) -> None:
    inject(Error(error="ThrottlingException", retry_after_seconds=7))

    with pytest.raises(client.exceptions.ThrottlingException) as raised:
        converse(client)

    assert raised.value.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "7"


def test_faults_hit_only_what_they_are_aimed_at(client_for: Any, inject: Callable[[Fault], int]) -> None:
    inject(Error(error="ServiceUnavailableException", region="us-east-1", model="amazon.nova-lite-v1:0"))
    east = client_for("us-east-1")

    with pytest.raises(east.exceptions.ServiceUnavailableException):
        converse(east)
    assert converse(client_for("us-east-2")) == "end_turn"
    other = east.converse(modelId="us.amazon.nova-micro-v1:0", messages=_MESSAGES)
    assert other["stopReason"] == "end_turn"


def test_faults_limited_to_some_calls_are_used_up(client: Any, inject: Callable[[Fault], int]) -> None:
    inject(Error(error="InternalServerException", times=2))

    for _ in range(2):
        with pytest.raises(client.exceptions.InternalServerException):
            converse(client)
    assert converse(client) == "end_turn"


def test_a_slow_first_byte(client: Any, inject: Callable[[Fault], int]) -> None:
    inject(SlowFirstByte(seconds=0.4))
    started = time.monotonic()

    assert converse(client) == "end_turn"

    assert time.monotonic() - started >= 0.4


def test_a_hang_is_left_by_the_client(
    simulator: RunningSimulator, client_for: Any, inject: Callable[[Fault], int]
) -> None:
    inject(Hang())

    with pytest.raises(ReadTimeoutError):
        converse(client_for(read_timeout=0.2))

    assert wait_for_outcome(simulator, "faulted").faults == ["hang"]


def test_a_stream_that_stalls(client_for: Any, inject: Callable[[Fault], int]) -> None:
    inject(Hang(after_events=3))

    with pytest.raises(StreamTimeoutError) as raised:
        stream(client_for(read_timeout=0.2))

    assert events_before(raised.value) == 3


def test_a_stream_that_is_cut(
    simulator: RunningSimulator, client: Any, inject: Callable[[Fault], int]
) -> None:
    inject(Cut(after_events=5))

    with pytest.raises(ProtocolError, match="Connection reset by peer") as raised:
        stream(client)

    assert events_before(raised.value) == 5
    assert simulator.control.calls()[-1].output_tokens == 4


def test_a_plain_answer_that_is_cut(client: Any, inject: Callable[[Fault], int]) -> None:
    inject(Cut())

    with pytest.raises((ResponseStreamingError, ConnectionClosedError)):
        converse(client)


@pytest.mark.parametrize(
    "error",
    [
        "internalServerException",
        "modelStreamErrorException",
        "serviceUnavailableException",
        "throttlingException",
        "validationException",
    ],
)
def test_an_exception_in_mid_stream(client: Any, inject: Callable[[Fault], int], error: Any) -> None:
    inject(StreamError(error=error, message="as ordered", after_events=2))

    with pytest.raises(EventStreamError, match="as ordered") as raised:
        stream(client)

    assert raised.value.response["Error"]["Code"] == error
    assert events_before(raised.value) == 2


def test_a_corrupt_checksum(client: Any, inject: Callable[[Fault], int]) -> None:
    inject(CorruptChecksum(after_events=4))

    with pytest.raises(ChecksumMismatch) as raised:
        stream(client)

    assert events_before(raised.value) == 4


def test_garbage_in_a_stream_and_in_an_answer(client: Any, inject: Callable[[Fault], int]) -> None:
    inject(Garbage(after_events=1))

    with pytest.raises(ChecksumMismatch) as raised:
        stream(client)
    assert events_before(raised.value) == 1
    with pytest.raises(Exception, match=r"Unable to parse response|utf-8"):
        converse(client)


def test_events_split_at_any_byte_arrive_whole(client: Any, inject: Callable[[Fault], int]) -> None:
    whole = stream(client)
    inject(Fragment(size_bytes=7))

    assert stream(client) == whole


def test_a_client_that_leaves_stops_the_model(
    simulator: RunningSimulator, client_for: Any, inject: Callable[[Fault], int]
) -> None:
    inject(SlowFirstByte(seconds=30))

    with pytest.raises(ReadTimeoutError):
        converse(client_for(read_timeout=0.2))

    assert wait_for_outcome(simulator, "client_left").output_tokens == 0
