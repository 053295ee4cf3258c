"""Runs the real AWS CDK CLI: synthesis from this app, bootstrap and deployment into the emulator."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Sequence

from gatehouse import names
from local import aws
from local.errors import LocalError
from local.options import ROOT, Options
from local.processes import basic_environment
from operations import assembly

Say = Callable[[str], None]

_QUIET = {
    "CDK_DISABLE_CLI_TELEMETRY": "true",
    "CDK_DISABLE_VERSION_CHECK": "1",
    "NODE_OPTIONS": "--no-warnings",
}
_EMPTY_MANIFEST = '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[]}'


def synthesize(options: Options, say: Say) -> None:
    """Write the environment's cloud assembly, with the rule packs and template validation on."""
    options.assembly.parent.mkdir(parents=True, exist_ok=True)
    arguments = ["synth", "--quiet", "-c", f"environment={options.environment}", "-o", str(options.assembly)]
    cdk_cli(options, "synth", arguments, {}, say)


def bootstrap(options: Options, say: Say) -> None:
    """Prepare every account and region of the assembly for deployments, as in AWS."""
    places = {(stack.account, stack.region) for stack in assembly.read_stacks(options.assembly).values()}
    for account in sorted({account for account, _ in places}):
        regions = sorted(region for of, region in places if of == account)
        environments = [f"aws://{account}/{region}" for region in regions]
        environ = aws.environment(options, regions[0], account)
        arguments = ["bootstrap", *environments, "--app", str(options.assembly)]
        cdk_cli(options, f"bootstrap-{account}", arguments, environ, say)


def deploy(options: Options, region: str, stacks: Sequence[str], say: Say) -> None:
    """Deploy these stacks (construct paths) and what they depend on, from the assembly as it lies there."""
    switches = ["--require-approval", "never", "--progress", "events", "--concurrency", "4"]
    arguments = ["deploy", "--app", str(options.assembly), *switches, *stacks]
    cdk_cli(options, f"deploy-{len(stacks)}", arguments, aws.environment(options, region), say)


def deploy_all(options: Options, region: str, say: Say, *, standby: bool = True) -> list[assembly.Stack]:
    """Deploy every stack: the image repositories first, then what finds its image there. Gives the stacks.

    Without `standby`, of the standby's stacks only those that the others wait for.
    """
    stacks = [
        stack
        for stack in assembly.read_stacks(options.assembly).values()
        if standby or not stack.path.partition("/")[2].startswith(names.standby_stack(""))
    ]
    images = assembly.read_images(options.assembly)
    repositories = {image.repository for image in images}
    holders = [stack.path for stack in stacks if repositories & set(_repositories(stack))]
    deploy(options, region, holders, say)
    claim_published(options, region, images)
    deploy(options, region, [stack.path for stack in stacks], say)
    return stacks


def _repositories(stack: assembly.Stack) -> list[str]:
    repositories = stack.of_type("AWS::ECR::Repository")
    return [resource.properties.get("RepositoryName", "") for resource in repositories]


def claim_published(options: Options, region: str, images: set[assembly.Image]) -> None:
    """Let the CLI find every image in its repository, so that it builds none: nothing here would run it."""
    ecr = aws.client("ecr", options, region)
    for image in images:
        # A tag never changes what it names: one that an earlier deployment left is right.
        with contextlib.suppress(ecr.exceptions.ImageTagAlreadyExistsException):
            ecr.put_image(repositoryName=image.repository, imageTag=image.tag, imageManifest=_EMPTY_MANIFEST)


def cdk_cli(options: Options, name: str, arguments: Sequence[str], environ: dict[str, str], say: Say) -> None:
    """Run the CLI, say what it prints and keep it in logs/cdk-<name>.log. Raises LocalError if it fails."""
    log = options.logs / f"cdk-{name}.log"
    command = [str(ROOT / "node_modules/.bin/cdk"), *arguments, "--no-notices", "--no-color"]
    variables = {**basic_environment(), **_QUIET, **environ, "CDK_HOME": str(options.state / "cdk")}
    with (
        log.open("w") as written,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        assert process.stdout is not None  # noqa: S101 (for the type checker: stdout is a pipe)
        try:
            for line in process.stdout:
                written.write(line)
                if line.strip():
                    say(line.strip())
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)  # Node.js and what it started
            raise
    if process.returncode:
        end = "\n".join(f"  {line}" for line in log.read_text().splitlines()[-20:])
        raise LocalError(f"cdk {arguments[0]} failed with exit code {process.returncode}; {log}:\n{end}")
