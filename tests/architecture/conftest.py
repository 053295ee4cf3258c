import json
from pathlib import Path

import aws_cdk as cdk
import pytest

from docs.architecture.assembly import Stack, read_stacks
from stacks.config.load import load_configuration
from stacks.platform import Platform

CDK_JSON = Path(__file__).resolve().parents[2] / "cdk.json"


@pytest.fixture(scope="session")
def dev_stacks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stack]:
    """The stacks of the synthesized environment dev."""
    context = json.loads(CDK_JSON.read_text(encoding="utf-8"))["context"]
    output = tmp_path_factory.mktemp("assembly")
    app = cdk.App(outdir=str(output), context=context, analytics_reporting=False)
    config, catalog = load_configuration("dev")
    Platform(app, config=config, catalog=catalog)
    app.synth()
    return read_stacks(output)
