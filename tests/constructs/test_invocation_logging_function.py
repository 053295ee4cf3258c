"""The function that configures Bedrock's log of invocations: what it writes, and what it leaves alone."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from gatehouse.functions.invocation_logging import index
from gatehouse.functions.patience import RETRY_SECONDS
from tests.constructs.custom_resources import Answer, CustomResource, custom_resource

OWN = {"LogGroupName": "own", "RoleArn": "arn:aws:iam::111111111111:role/writer", "Content": "false"}
FOREIGN = {"cloudWatchConfig": {"logGroupName": "theirs", "roleArn": "arn:aws:iam::111111111111:role/theirs"}}
KINDS = ("text", "image", "embedding", "video", "audio")

Answered = Callable[..., Answer]


def _refused(code: str) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "not now"}}, "PutModelInvocationLoggingConfiguration"
    )


class Bedrock:
    """The configuration of one account and region; refusals are raised in place of the first answers."""

    def __init__(self, existing: dict[str, Any] | None = None, *refusals: str) -> None:
        self.existing = existing
        self.refusals = list(refusals)

    def get_model_invocation_logging_configuration(self) -> dict[str, Any]:
        return {} if self.existing is None else {"loggingConfig": self.existing}

    def put_model_invocation_logging_configuration(self, loggingConfig: dict[str, Any]) -> None:  # noqa: N803
        if self.refusals:
            raise _refused(self.refusals.pop(0))
        self.existing = loggingConfig

    def delete_model_invocation_logging_configuration(self) -> None:
        self.existing = None


@pytest.fixture
def resource(monkeypatch: pytest.MonkeyPatch) -> Iterator[CustomResource]:
    with custom_resource(index, OWN, monkeypatch) as resource:
        yield resource


@pytest.fixture
def answered(resource: CustomResource) -> Answered:
    """Makes a request, with this Bedrock in the account and region."""

    def answered(bedrock: Any, request_type: str = "Create", **more: Any) -> Answer:
        resource.clients["bedrock"] = bedrock
        return resource.request(request_type, **more)

    return answered


@pytest.mark.parametrize(("content", "delivered"), [("false", False), ("true", True)])
def test_content_is_delivered_only_where_that_is_asked_for(
    answered: Answered, content: str, delivered: bool
) -> None:
    bedrock = Bedrock()
    assert answered(bedrock, ResourceProperties=OWN | {"Content": content}).status == "SUCCESS"
    assert bedrock.existing == {
        "cloudWatchConfig": {"logGroupName": "own", "roleArn": OWN["RoleArn"]},
        **{f"{kind}DataDeliveryEnabled": delivered for kind in KINDS},
    }


def test_every_kind_of_content_that_bedrock_knows_is_decided_on() -> None:
    shape = (
        boto3.session.Session()
        .client("bedrock", region_name="us-east-1")
        .meta.service_model.shape_for("LoggingConfig")
    )
    flags = {name for name in shape.members if name.endswith("DataDeliveryEnabled")}
    assert flags == {f"{kind}DataDeliveryEnabled" for kind in KINDS}


@pytest.mark.parametrize("request_type", ["Create", "Update"])
@pytest.mark.parametrize("existing", [FOREIGN, {"s3Config": {"bucketName": "theirs"}}])
def test_somebody_else_s_configuration_is_never_overwritten(
    answered: Answered, request_type: str, existing: dict[str, Any]
) -> None:
    bedrock = Bedrock(existing)
    status, reason = answered(bedrock, request_type)
    assert status == "FAILED"
    assert "already, to theirs. Name the account in model_access.logged_elsewhere" in reason
    assert bedrock.existing == existing


def test_somebody_else_s_configuration_does_not_get_a_rollback_stuck(
    answered: Answered, resource: CustomResource
) -> None:
    bedrock = Bedrock(FOREIGN)
    resource.stack_status = "UPDATE_ROLLBACK_IN_PROGRESS"
    assert answered(bedrock, "Update").status == "SUCCESS"
    assert bedrock.existing == FOREIGN


def test_a_configuration_that_delivers_nowhere_is_none(answered: Answered) -> None:
    bedrock = Bedrock({"textDataDeliveryEnabled": True})
    assert answered(bedrock).status == "SUCCESS"


def test_the_own_configuration_is_changed(answered: Answered) -> None:
    """Also when the log group is another one from now on."""
    bedrock = Bedrock({"cloudWatchConfig": {"logGroupName": "own", "roleArn": "r"}})
    changed = OWN | {"LogGroupName": "new"}
    answer = answered(bedrock, "Update", ResourceProperties=changed, OldResourceProperties=OWN)
    assert answer.status == "SUCCESS"
    assert bedrock.existing is not None
    assert bedrock.existing["cloudWatchConfig"]["logGroupName"] == "new"


def test_the_own_configuration_is_removed_and_no_other(answered: Answered) -> None:
    own = Bedrock({"cloudWatchConfig": {"logGroupName": "own", "roleArn": "r"}})
    assert answered(own, "Delete").status == "SUCCESS"
    assert own.existing is None
    foreign = Bedrock(FOREIGN)
    assert answered(foreign, "Delete").status == "SUCCESS"
    assert foreign.existing == FOREIGN


@pytest.mark.parametrize("code", ["ValidationException", "AccessDeniedException", "ThrottlingException"])
def test_a_new_role_is_given_time_to_work(answered: Answered, code: str) -> None:
    bedrock = Bedrock(None, code, code, code)
    assert answered(bedrock).status == "SUCCESS"
    assert bedrock.existing is not None


def test_the_function_s_own_permission_to_look_is_given_time_to_work(answered: Answered) -> None:
    class Opening(Bedrock):
        looks = 0

        def get_model_invocation_logging_configuration(self) -> dict[str, Any]:
            self.looks += 1
            if self.looks < 3:
                raise _refused("AccessDeniedException")
            return super().get_model_invocation_logging_configuration()

    bedrock = Opening(FOREIGN)
    status, reason = answered(bedrock)
    assert (status, "log model invocations already" in reason) == ("FAILED", True)
    assert bedrock.looks == 3


def test_a_role_that_never_works_is_told_in_time(answered: Answered, resource: CustomResource) -> None:
    began = resource.clock.now
    status, reason = answered(Bedrock(None, *100 * ["ValidationException"]))
    assert (status, "ValidationException" in reason) == ("FAILED", True)
    assert resource.clock.now - began <= index.ROLE_SECONDS + RETRY_SECONDS


def test_a_removal_that_may_not_look_has_nothing_to_remove(answered: Answered) -> None:
    """What failed to be created for its own permissions must not keep the stack from going."""

    class Closed(Bedrock):
        def get_model_invocation_logging_configuration(self) -> dict[str, Any]:
            raise _refused("AccessDeniedException")

    assert answered(Closed(), "Delete").status == "SUCCESS"
