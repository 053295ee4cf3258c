import pytest
from pydantic import ValidationError

from gateway.catalog import Catalog


def _model(name: str, deployment: str) -> dict[str, object]:
    return {
        "name": name,
        "max_output_tokens": 1024,
        "deployments": [
            {
                "name": deployment,
                "provider": "bedrock",
                "region": "us-east-1",
                "model_id": "amazon.nova-lite-v1:0",
            }
        ],
    }


def test_names_are_unique_across_the_catalog() -> None:
    with pytest.raises(ValidationError) as caught:
        Catalog.model_validate({"models": [_model("a", "one"), _model("b", "one"), _model("a", "two")]})
    (error,) = caught.value.errors()
    assert error["msg"].splitlines() == [
        "models[2].name is a; allowed: a name no other model of the catalog has; fix: rename one of the two",
        "models[1].deployments[0].name is one; allowed: a name no other deployment of the catalog has; "
        "fix: rename one of the two",
    ]


def test_a_model_and_a_deployment_may_share_a_name() -> None:
    assert Catalog.model_validate({"models": [_model("a", "a")]})
