"""The examples of docs/models.md are what it says they are: valid, together."""

import json
import re
from pathlib import Path
from textwrap import indent

from stacks.config.load import CONFIG_DIRECTORY, load_configuration

GUIDE = (CONFIG_DIRECTORY.parent / "docs" / "models.md").read_text(encoding="utf-8")


def _examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def test_its_examples_are_one_valid_catalog(config_directory: Path) -> None:
    examples = _examples("yaml")
    catalog = "models:\n" + "".join(indent(example, "  ") for example in examples)
    (config_directory / "models" / "dev.yaml").write_text(catalog, encoding="utf-8")
    _, loaded = load_configuration("dev", config_directory)
    assert len(loaded.models) == len(examples)
    kinds = {model.strategy.kind for model in loaded.models}
    assert kinds == {"weighted", "fallback", "percentage", "optimized", "conditional"}
    providers = {deployment.provider for model in loaded.models for deployment in model.deployments}
    assert providers == {"bedrock", "openai_compatible", "sagemaker"}


def test_its_policies_are_json() -> None:
    trust, permissions = map(json.loads, _examples("json"))
    assert trust["Statement"][0]["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert len(permissions["Statement"]) == 2
