import json
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ecr_assets as ecr_assets

from gatehouse.image_synthesizer import ImageSynthesizer


def test_the_image_is_built_after_its_repository_exists(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.mkdir()
    (image / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    app = cdk.App(outdir=str(tmp_path / "out"), builtin_cloud_formation_validation=False)
    registry = cdk.Stack(app, "Registry")
    service = cdk.Stack(
        app,
        "Service",
        synthesizer=ImageSynthesizer(repository_name="here/gateway", repository_stack=registry),
    )
    ecr_assets.DockerImageAsset(service, "Image", directory=str(image))
    app.synth()

    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    # The CLI builds and publishes assets when what their manifest depends on is deployed.
    artifact = manifest["artifacts"]["Service.assets"]
    assert artifact["dependencies"] == ["Registry"]
    standard = manifest["artifacts"]["Registry.assets"]["properties"]
    assert artifact["properties"] == standard | {"file": "Service.assets.json"}
    assets = json.loads((tmp_path / "out" / "Service.assets.json").read_text(encoding="utf-8"))
    (docker_image,) = assets["dockerImages"].values()
    (destination,) = docker_image["destinations"].values()
    assert destination["repositoryName"] == "here/gateway"
