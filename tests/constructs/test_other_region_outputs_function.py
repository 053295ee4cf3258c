"""The function that asks another region's stack for its outputs."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from gatehouse.functions.other_region_outputs import index
from tests.constructs.custom_resources import CustomResource, custom_resource

ASKED = {"StackName": "gatehouse-test-Keys", "Region": "eu-west-1", "Outputs": ["DataKeyArn", "LogKeyArn"]}


class Primary:
    """CloudFormation in the other region: a stack's outputs, after so many refusals."""

    def __init__(self, outputs: dict[str, str], *refusals: str) -> None:
        self._outputs = outputs
        self._refusals = list(refusals)
        self.asked: list[str] = []

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803 (boto3's own spelling)
        self.asked.append(StackName)
        if self._refusals:
            raise ClientError({"Error": {"Code": self._refusals.pop(0), "Message": "no"}}, "DescribeStacks")
        return {"Stacks": [{"Outputs": [_output(*each) for each in self._outputs.items()]}]}


def _output(key: str, value: str) -> dict[str, str]:
    return {"OutputKey": key, "OutputValue": value}


@pytest.fixture
def resource(monkeypatch: pytest.MonkeyPatch) -> Iterator[CustomResource]:
    with custom_resource(index, ASKED, monkeypatch) as resource:
        resource.clients["cloudformation.eu-west-1"] = Primary(
            {"DataKeyArn": "d", "LogKeyArn": "l", "No": "n"}
        )
        yield resource


@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_what_is_asked_for_is_told_by_its_name_and_no_more(
    resource: CustomResource, request_type: str
) -> None:
    assert resource.request(request_type).status == "SUCCESS"
    assert resource.attributes == {"DataKeyArn": "d", "LogKeyArn": "l"}
    assert resource.clients["cloudformation.eu-west-1"].asked == ["gatehouse-test-Keys"]


def test_a_removal_does_not_need_the_other_region(resource: CustomResource) -> None:
    del resource.clients["cloudformation.eu-west-1"]
    assert resource.request("Delete").status == "SUCCESS"


def test_an_output_that_is_not_there_is_named(resource: CustomResource) -> None:
    resource.clients["cloudformation.eu-west-1"] = Primary({"DataKeyArn": "d"})
    status, reason = resource.request()
    assert status == "FAILED"
    assert "gatehouse-test-Keys has no output LogKeyArn: deploy it first" in reason


@pytest.mark.parametrize("code", ["AccessDenied", "Throttling"])
def test_a_permission_that_is_new_is_waited_for(resource: CustomResource, code: str) -> None:
    resource.clients["cloudformation.eu-west-1"] = Primary({"DataKeyArn": "d", "LogKeyArn": "l"}, code, code)
    assert resource.request().status == "SUCCESS"


def test_a_stack_that_does_not_exist_is_not_waited_for(resource: CustomResource) -> None:
    primary = resource.clients["cloudformation.eu-west-1"] = Primary({}, "ValidationError")
    assert resource.request().status == "FAILED"
    assert len(primary.asked) == 1


def test_a_region_that_is_gone_is_told(resource: CustomResource) -> None:
    class Gone:
        def describe_stacks(self, **_: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="https://cloudformation.eu-west-1.amazonaws.com")

    resource.clients["cloudformation.eu-west-1"] = Gone()
    status, reason = resource.request()
    assert (status, "eu-west-1" in reason) == ("FAILED", True)
