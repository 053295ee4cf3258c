"""Adds an account's deployments to a catalog's file, which keeps its comments."""

from __future__ import annotations

import difflib
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gatehouse import names
from gateway.catalog import BedrockDeployment, Catalog, Model
from operations.errors import WrongUsageError
from stacks.config.load import ConfigError, load_configuration
from stacks.config.model import Environment
from stacks.config.placement import may_be_called_from

# What another account's deployment has of the one that it is modelled on; what names things of that one's
# account stays behind.
_TAKEN_OVER = ("tier", "weight", "capacity", "time_limits", "price", "chat_api")
_LONGEST_NAME = 63


class CatalogChange(NamedTuple):
    """A file as it is and as it would be. notes: what the owner should know."""

    file: Path
    text: str
    diff: str
    role_arn: str
    deployments: tuple[str, ...]
    notes: tuple[str, ...]


def added(
    config: Environment,
    catalog: Catalog,
    directory: Path,
    *,
    account: str,
    regions: Sequence[str],
    role: str | None,
    models: Sequence[str],
) -> CatalogChange:
    """The catalog's file with the account's deployments; raises WrongUsageError with what is wrong."""
    if account == config.account:
        raise WrongUsageError(f"{account} is the environment's own account, whose models need no role")
    role_arn = f"arn:aws:iam::{account}:role/{role or names.model_role(config.name)}"
    file = directory / "models" / f"{config.name}.yaml"
    before = file.read_text(encoding="utf-8")
    blocks: dict[str, list[Mapping[str, object]]] = {}
    for model in _chosen(catalog, models):
        new = list(_deployments(model, account, regions, role_arn))
        if new:
            blocks[model.name] = new
    after = _with_blocks(before, blocks)
    _validate(config.name, after, directory)
    where = str(file.relative_to(directory.parent))
    diff = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), where, where, n=1
    )
    return CatalogChange(
        file=file,
        text=after,
        diff="".join(diff),
        role_arn=role_arn,
        deployments=tuple(str(block["name"]) for each in blocks.values() for block in each),
        notes=tuple(_notes(config, catalog, blocks)),
    )


def write_catalog(change: CatalogChange) -> None:
    """Replace the file at once: whoever reads it meanwhile reads one or the other."""
    written = change.file.with_name(f".{change.file.name}.new")
    written.write_text(change.text, encoding="utf-8")
    shutil.copymode(change.file, written)
    written.replace(change.file)


def _chosen(catalog: Catalog, models: Sequence[str]) -> list[Model]:
    on_bedrock = [
        model for model in catalog.models if any(isinstance(d, BedrockDeployment) for d in model.deployments)
    ]
    known = {model.name: model for model in on_bedrock}
    for name in models:
        if name not in known:
            raise WrongUsageError(
                f"there is no model {name!r} on Bedrock; known: {', '.join(known) or 'none'}"
            )
    return [known[name] for name in dict.fromkeys(models)] if models else on_bedrock


def _deployments(
    model: Model, account: str, regions: Sequence[str], role_arn: str
) -> Iterator[Mapping[str, object]]:
    bedrock = [d for d in model.deployments if isinstance(d, BedrockDeployment)]
    for region in regions:
        template = _template(model.name, bedrock, region)
        existing = {(d.role_arn, d.region, d.model_id) for d in bedrock}
        if (role_arn, region, template.model_id) in existing:
            continue
        taken_over = template.model_dump(mode="json", include=set(_TAKEN_OVER), exclude_unset=True)
        yield {
            "name": _name(f"{model.name}-{account}-{region}"),
            "provider": "bedrock",
            "region": region,
            "model_id": template.model_id,
            "role_arn": role_arn,
            **taken_over,
        }


def _template(model: str, bedrock: Sequence[BedrockDeployment], region: str) -> BedrockDeployment:
    """The deployment to model one in this region on: of the lowest tier, there if possible."""
    possible = [d for d in bedrock if may_be_called_from(region, d)]
    if not possible:
        profiles = ", ".join(sorted({d.model_id for d in bedrock}))
        raise WrongUsageError(
            f"{model} cannot be called from {region} by {profiles}; name other models by --model, or add its "
            "deployment by hand with a profile of that region"
        )
    return min(possible, key=lambda d: (d.tier, d.region != region))


def _name(text: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return name[-_LONGEST_NAME:].lstrip("-")


def _with_blocks(text: str, blocks: Mapping[str, Sequence[Mapping[str, object]]]) -> str:
    """The text with each model's blocks after its last deployment."""
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    ends = dict(_places(text))
    for model, new in sorted(blocks.items(), key=lambda each: ends[each[0]], reverse=True):
        line, column = ends[model]
        written = "".join(_written(block, column) for block in new)
        lines.insert(line, written)
    return "".join(lines)


def _places(text: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """By model the line after its last deployment, and the column of the deployments' hyphens."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert root is not None  # noqa: S101 (the catalog has been validated)
    for model in _items(_value(root, "models")):
        name, deployments = _value(model, "name"), _value(model, "deployments")
        assert isinstance(name, ScalarNode)  # noqa: S101 (the catalog has been validated)
        if not isinstance(deployments, SequenceNode) or deployments.flow_style:
            raise WrongUsageError(
                f"the deployments of {name.value} stand on one line; write each on lines of its own"
            )
        yield name.value, (_last_line(deployments) + 1, deployments.start_mark.column)


def _value(node: Node, key: str) -> Node:
    assert isinstance(node, MappingNode)  # noqa: S101 (the catalog has been validated)
    found: Node = next(value for name, value in node.value if name.value == key)
    return found


def _items(node: Node) -> list[Node]:
    assert isinstance(node, SequenceNode)  # noqa: S101 (the catalog has been validated)
    return list(node.value)


def _last_line(node: Node) -> int:
    """The last line of a node's own text: a block's end mark is behind the comments that follow it."""
    if isinstance(node, ScalarNode) or getattr(node, "flow_style", False):
        return int(node.end_mark.line)
    parts = node.value if isinstance(node, SequenceNode) else [part for pair in node.value for part in pair]
    return max(_last_line(part) for part in parts)


def _written(block: Mapping[str, object], column: int) -> str:
    lines = [f"{key}: {_flow(value)}" for key, value in block.items()]
    indent = " " * column
    return f"{indent}- {lines[0]}\n" + "".join(f"{indent}  {line}\n" for line in lines[1:])


def _flow(value: object) -> str:
    text = yaml.safe_dump(_as_written(value), default_flow_style=True, sort_keys=False, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")


def _as_written(value: object) -> object:
    """A value as people write it: 30 seconds, not 30.0."""
    if isinstance(value, dict):
        return {key: _as_written(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_as_written(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _validate(environment: str, catalog: str, directory: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / directory.name
        (copy / "models").mkdir(parents=True)
        shutil.copy(directory / f"{environment}.yaml", copy)
        (copy / "models" / f"{environment}.yaml").write_text(catalog, encoding="utf-8")
        try:
            load_configuration(environment, copy)
        except ConfigError as error:
            raise WrongUsageError(
                f"nothing is written: with these deployments the catalog would be wrong\n{error}"
            ) from None


def _notes(config: Environment, catalog: Catalog, blocks: Mapping[str, object]) -> Iterator[str]:
    if blocks:
        yield "capacity is that of the deployment each is modelled on: write the account's own quotas"
        if not config.model_access.checked_by:
            yield "name in model_access.checked_by who runs `gatehouse accounts check`, before the deployment"
    for name in blocks:
        if catalog.by_name[name].strategy.kind == "conditional":
            yield f"{name}: add the deployment to a route of its strategy, or it gets no requests"
