"""`gatehouse manifests`: files for GitOps, with the values of what is deployed."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copytree
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import aws_cdk as cdk
import pytest
import yaml
from aws_cdk import aws_s3 as s3

from gatehouse import names
from operations.manifests_files import as_yaml
from operations.manifests_source import read_source
from stacks.compute.manifest_values import manifest_outputs
from stacks.config import load
from tests.operations.conftest import Run

ENVIRONMENT = "prod-eks"
STACK = "gatehouse-prod-eks-Service"
ACCOUNT = "555555555555"
BUCKET = 'a-bucket with "quotes" and $dollars'


def _object(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {**more, "metadata": {"name": name}, "kind": kind, "apiVersion": "v1"}


@dataclass(frozen=True)
class Assembly:
    """An assembly of one environment; outputs: those that its deployment would have."""

    folder: Path
    outputs: dict[str, str]


def _synthesize(folder: Path, *, kubernetes: bool) -> Assembly:
    app = cdk.App(outdir=str(folder), builtin_cloud_formation_validation=False)
    env = cdk.Environment(account=ACCOUNT, region="us-east-1")
    stack = cdk.Stack(cdk.Stage(app, names.stage(ENVIRONMENT), env=env), "Service")
    bucket = s3.Bucket(stack, "Bucket")
    if kubernetes:
        prerequisites = [
            _object("Namespace", "gatehouse"),
            _object("ServiceAccount", "gateway"),
            _object("Job", "migrations-0123456789", spec={"value": f"s3://{bucket.bucket_name}/$(KEY)"}),
        ]
        workload = [
            _object("Deployment", "gateway", spec={"version": "1e3", "script": "one\ntwo\n"}),
            _object("HorizontalPodAutoscaler", "gateway"),
        ]
        manifest_outputs(stack, prerequisites=prerequisites, workload=workload)
    app.synth()
    (template,) = folder.glob("*/*.template.json")
    found = json.loads(template.read_text()).get("Outputs", {})
    outputs = {name: output["Value"] for name, output in found.items()}
    return Assembly(folder, {**outputs, "ManifestServiceBucketRef": BUCKET})


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    return _synthesize(tmp_path_factory.mktemp("eks"), kubernetes=True)


@dataclass
class CloudFormation:
    """Answers DescribeStacks as CloudFormation does, with one stack or with none."""

    outputs: dict[str, str] | None = None
    account: str = ACCOUNT
    denied: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)

    def answer(self, body: str) -> tuple[int, str]:
        self.asked.append({name: values[0] for name, values in parse_qs(body).items()})
        if self.denied:
            return 403, _error("AccessDenied", "User is not authorized to perform this")
        if self.outputs is None:
            return 400, _error("ValidationError", f"Stack with id {STACK} does not exist")
        outputs = "".join(
            f"<member><OutputKey>{name}</OutputKey><OutputValue>{escape(value)}</OutputValue></member>"
            for name, value in self.outputs.items()
        )
        return 200, (
            "<DescribeStacksResponse><DescribeStacksResult><Stacks><member>"
            f"<StackId>arn:aws:cloudformation:us-east-1:{self.account}:stack/{STACK}/0</StackId>"
            f"<StackName>{STACK}</StackName><StackStatus>UPDATE_COMPLETE</StackStatus>"
            "<CreationTime>2026-11-21T00:00:00Z</CreationTime>"
            f"<Outputs>{outputs}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
        )


def _error(code: str, message: str) -> str:
    return f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudFormation]:
    cloud_formation = CloudFormation()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            status, text = cloud_formation.answer(body)
            self.send_response(status)
            self.send_header("content-length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        for name, value in {
            "AWS_ENDPOINT_URL_CLOUDFORMATION": f"http://127.0.0.1:{server.server_port}",
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }.items():
            monkeypatch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        yield cloud_formation
        server.shutdown()
        thread.join()


def _command(assembly: Assembly, *more: str) -> tuple[str, ...]:
    return ("manifests", "--environment", ENVIRONMENT, "--assembly", str(assembly.folder), *more)


def _load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_a_folder_holds_a_file_for_each_object_in_the_order_of_application(
    run: Run, assembly: Assembly, aws: CloudFormation, tmp_path: Path
) -> None:
    aws.outputs = assembly.outputs
    shown = run(*_command(assembly, "--output", str(tmp_path / "new" / "out"), "--json"))
    assert shown.exit_code == 0, shown.stderr
    folder = tmp_path / "new" / "out"
    files = [
        "kustomization.yaml",
        "prerequisites/kustomization.yaml",
        "prerequisites/00-namespace-gatehouse.yaml",
        "prerequisites/01-serviceaccount-gateway.yaml",
        "prerequisites/02-job-migrations-0123456789.yaml",
        "workload/kustomization.yaml",
        "workload/00-deployment-gateway.yaml",
        "workload/01-horizontalpodautoscaler-gateway.yaml",
    ]
    assert json.loads(shown.stdout) == {"folder": str(folder), "files": files}
    assert {str(path.relative_to(folder)) for path in folder.rglob("*.yaml")} == set(files)
    assert _load(folder / "kustomization.yaml")["resources"] == ["prerequisites", "workload"]
    for part in ("prerequisites", "workload"):
        listed = _load(folder / part / "kustomization.yaml")["resources"]
        assert [f"{part}/{name}" for name in listed] == [
            name for name in files if name.startswith(f"{part}/") and "kustomization" not in name
        ]


def test_values_are_those_of_the_deployed_stack(run: Run, assembly: Assembly, aws: CloudFormation) -> None:
    aws.outputs = assembly.outputs
    shown = run(*_command(assembly))
    assert shown.exit_code == 0, shown.stderr
    documents = list(yaml.safe_load_all(shown.stdout))
    assert documents[2]["spec"]["value"] == f"s3://{BUCKET}/$(KEY)"
    assert [asked["StackName"] for asked in aws.asked] == [STACK]


def test_argo_cd_waits_for_the_migrations_before_the_workload(
    run: Run, assembly: Assembly, aws: CloudFormation
) -> None:
    aws.outputs = assembly.outputs
    documents = list(yaml.safe_load_all(run(*_command(assembly)).stdout))
    waves = [
        int(document["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", 0))
        for document in documents
    ]
    assert [document["kind"] for document in documents][2] == "Job"
    assert waves == [0, 0, 1, 2, 2]


def test_an_object_says_first_what_it_is(run: Run, assembly: Assembly, aws: CloudFormation) -> None:
    aws.outputs = assembly.outputs
    *_, deployment, _ = yaml.safe_load_all(run(*_command(assembly)).stdout)
    assert list(deployment) == ["apiVersion", "kind", "metadata", "spec"]


def test_programs_get_one_list(run: Run, assembly: Assembly, aws: CloudFormation) -> None:
    aws.outputs = assembly.outputs
    listed = json.loads(run(*_command(assembly, "--json")).stdout)
    assert listed["kind"] == "List"
    kinds = [item["kind"] for item in listed["items"]]
    assert kinds == ["Namespace", "ServiceAccount", "Job", "Deployment", "HorizontalPodAutoscaler"]


def test_the_outputs_may_come_from_the_file_that_the_cdk_wrote(
    run: Run, assembly: Assembly, aws: CloudFormation, tmp_path: Path
) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps({STACK: assembly.outputs}))
    shown = run(*_command(assembly, "--outputs-file", str(file)))
    assert BUCKET in list(yaml.safe_load_all(shown.stdout))[2]["spec"]["value"]
    assert aws.asked == []


@pytest.mark.parametrize(
    "text", ["{}", "[]", "not JSON", '{"gatehouse-dev-Service": {}}', f'{{"{STACK}": []}}']
)
def test_a_file_of_other_outputs_is_refused(run: Run, assembly: Assembly, tmp_path: Path, text: str) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(text)
    shown = run(*_command(assembly, "--outputs-file", str(file)))
    assert shown.exit_code == 2
    assert f"no outputs of {STACK}" in shown.stderr


def test_before_a_deployment_placeholders_stand_for_values(
    run: Run, assembly: Assembly, aws: CloudFormation
) -> None:
    documents = list(yaml.safe_load_all(run(*_command(assembly, "--placeholders")).stdout))
    assert documents[2]["spec"]["value"] == "s3://${ManifestServiceBucketRef}/$(KEY)"
    assert aws.asked == []


def test_without_a_deployment_it_says_what_to_do(run: Run, assembly: Assembly, aws: CloudFormation) -> None:
    shown = run(*_command(assembly))
    assert shown.exit_code == 2
    for words in (STACK, "us-east-1", ACCOUNT, "--placeholders"):
        assert words in shown.stderr


def test_options_that_exclude_each_other_are_told(run: Run, assembly: Assembly) -> None:
    shown = run(*_command(assembly, "--placeholders", "--rights"))
    assert shown.exit_code == 2
    assert "only one" in shown.stderr


def test_the_owners_of_a_cluster_get_the_rights_of_deployments_to_apply(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(copytree(load.CONFIG_DIRECTORY, tmp_path / "config"))
    monkeypatch.setattr(load, "CONFIG_DIRECTORY", folder)
    file = folder / f"{ENVIRONMENT}.yaml"
    config = yaml.safe_load(file.read_text())
    config["network"] = {
        "availability_zones": config["network"]["availability_zones"],
        "nat": "one-per-zone",
        "endpoints": "none",
        "existing": {
            "vpc_id": "vpc-0123456789abcdef0",
            **{
                f"{tier}_subnet_ids": [f"subnet-{number}000000000000000{zone}" for zone in "abc"]
                for number, tier in enumerate(("public", "service", "data"))
            },
            "cidrs": ["10.60.0.0/16"],
        },
    }
    config["compute"] = {
        "platform": "eks",
        "namespace": "llm",
        "existing": {
            "name": "shared",
            "security_group_id": "sg-0123456789abcdef0",
            "pod_security_group_id": "sg-0fedcba9876543210",
        },
    }
    del config["standby"]
    file.write_text(json.dumps(config))
    shown = run("manifests", "--environment", ENVIRONMENT, "--rights")
    assert shown.exit_code == 0, shown.stderr
    namespace, *rights = yaml.safe_load_all(shown.stdout)
    assert (namespace["kind"], namespace["metadata"]["name"]) == ("Namespace", "llm")
    assert {each["kind"] for each in rights} == {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}


def test_a_cluster_of_the_environment_s_own_needs_no_rights(run: Run) -> None:
    shown = run("manifests", "--environment", ENVIRONMENT, "--rights")
    assert shown.exit_code == 2
    assert "compute.existing" in shown.stderr


def test_what_is_deployed_from_another_version_is_refused(
    run: Run, assembly: Assembly, aws: CloudFormation
) -> None:
    aws.outputs = {**assembly.outputs, "ManifestsDigest": "0" * 64}
    shown = run(*_command(assembly))
    assert shown.exit_code == 1
    assert "deploy the stack" in shown.stderr


def test_another_account_s_stack_of_the_same_name_is_refused(
    run: Run, assembly: Assembly, aws: CloudFormation
) -> None:
    aws.outputs, aws.account = assembly.outputs, "111111111111"
    shown = run(*_command(assembly))
    assert shown.exit_code == 2
    assert "111111111111" in shown.stderr
    assert ACCOUNT in shown.stderr


def test_what_aws_refuses_is_told(run: Run, assembly: Assembly, aws: CloudFormation) -> None:
    aws.denied = True
    shown = run(*_command(assembly))
    assert shown.exit_code == 1
    assert "not authorized" in shown.stderr


def test_without_credentials_nothing_is_asked(
    run: Run, assembly: Assembly, aws: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    shown = run(*_command(assembly))
    assert shown.exit_code == 3
    assert "credentials" in shown.stderr
    assert aws.asked == []


def test_an_environment_on_ecs_has_none(run: Run, tmp_path: Path) -> None:
    shown = run(*_command(_synthesize(tmp_path, kubernetes=False)))
    assert shown.exit_code == 2
    assert "compute.platform" in shown.stderr


def test_what_an_earlier_run_wrote_is_removed_and_nothing_else(
    run: Run, assembly: Assembly, tmp_path: Path
) -> None:
    command = _command(assembly, "--placeholders", "--output", str(tmp_path))
    assert run(*command).exit_code == 0
    job = tmp_path / "prerequisites" / "02-job-migrations-0123456789.yaml"
    before = job.read_bytes()
    job.rename(earlier := job.with_name("02-job-migrations-9876543210.yaml"))
    own = tmp_path / "prerequisites" / "patch.yaml"
    own.write_text("mine: true\n")
    assert run(*command).exit_code == 0
    assert not earlier.exists()
    assert own.exists()
    assert job.read_bytes() == before


def test_somebody_else_s_files_are_not_replaced(run: Run, assembly: Assembly, tmp_path: Path) -> None:
    own = tmp_path / "kustomization.yaml"
    own.write_text("resources: []\n")
    shown = run(*_command(assembly, "--placeholders", "--output", str(tmp_path)))
    assert shown.exit_code == 2
    assert "kustomization.yaml" in shown.stderr
    assert own.read_text() == "resources: []\n"
    assert list(tmp_path.iterdir()) == [own]


@pytest.mark.parametrize(
    "text", ["1e3", "0o17", "y", "off", "", "null", "12:30:45", "~", ".5", "- a", "a: b"]
)
def test_text_is_text_to_every_reader_of_yaml(text: str) -> None:
    assert as_yaml({"value": text}) in (f'value: "{text}"\n', f"value: '{text}'\n")


def test_several_lines_are_written_as_such() -> None:
    assert as_yaml({"value": "one\ntwo\n"}) == "value: |\n  one\n  two\n"


def test_the_files_of_a_real_environment_hold_what_the_platform_applies(
    run: Run, synthesized: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = synthesized(ENVIRONMENT)
    real = ("manifests", "--environment", ENVIRONMENT, "--assembly", str(folder), "--placeholders")
    files = json.loads(run(*real, "--output", str(tmp_path), "--json").stdout)["files"]
    written = [_load(tmp_path / name) for name in files if not name.endswith("kustomization.yaml")]
    applied = read_source(ENVIRONMENT, folder).with_placeholders()
    assert [each["kind"] for each in written].count("Job") == 1
    assert [_without_waves(each) for each in written] == [*applied.prerequisites, *applied.workload]


def _without_waves(manifest: dict[str, Any]) -> dict[str, Any]:
    metadata = manifest["metadata"]
    metadata.get("annotations", {}).pop("argocd.argoproj.io/sync-wave", None)
    if not metadata.get("annotations", True):
        del metadata["annotations"]
    return manifest
