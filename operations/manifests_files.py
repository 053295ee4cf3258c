"""Manifests as files for GitOps: a folder for kustomize, applied in two steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from gatehouse.kubernetes.manifest import Manifest
from operations.errors import WrongUsageError
from operations.manifests_source import Manifests

_HEADER = "# Written by `gatehouse manifests`, which replaces it: change nothing here.\n"
_KUSTOMIZATION = "kustomization.yaml"
_WAVE = "argocd.argoproj.io/sync-wave"
# As people write them.
_FIRST = ("apiVersion", "kind", "metadata")


def folders_of(manifests: Manifests) -> dict[str, list[Manifest]]:
    """The manifests by folder, with the waves by which Argo CD waits for the migrations.

    It applies a wave after all before it are healthy, which a Job is once it is complete; 0 is that of
    objects without any.
    """
    return {
        "prerequisites": [
            _written(each, wave=1 if each["kind"] == "Job" else None) for each in manifests.prerequisites
        ],
        "workload": [_written(each, wave=2) for each in manifests.workload],
    }


def write_files(folder: Path, folders: Mapping[str, list[Manifest]]) -> list[str]:
    """Write a file for each manifest, and what kustomize reads; gives their paths, in order of application.

    What an earlier run wrote and is no longer among them is removed. Raises WrongUsageError if that would
    replace somebody else's file.
    """
    texts = dict(_texts(folders))
    earlier = {name for name in _yaml_files(folder, folders) if _is_ours(folder / name)}
    if others := sorted(name for name in texts if name not in earlier and (folder / name).exists()):
        raise WrongUsageError(
            f"{folder} has files that this command did not write: {', '.join(others)}. Name another folder"
        )
    for name in earlier - texts.keys():
        (folder / name).unlink()
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(_HEADER + text, encoding="utf-8")
    return list(texts)


def _texts(folders: Mapping[str, list[Manifest]]) -> Iterator[tuple[str, str]]:
    yield _KUSTOMIZATION, _kustomization(folders)
    for folder, manifests in folders.items():
        files = [_file_name(number, manifest) for number, manifest in enumerate(manifests)]
        yield f"{folder}/{_KUSTOMIZATION}", _kustomization(files)
        for file, manifest in zip(files, manifests, strict=True):
            yield f"{folder}/{file}", as_yaml(manifest)


def _file_name(number: int, manifest: Manifest) -> str:
    return f"{number:02}-{manifest['kind'].lower()}-{manifest['metadata']['name']}.yaml"


def _kustomization(resources: Iterable[str]) -> str:
    return as_yaml(
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "sortOptions": {"order": "fifo"},
            "resources": list(resources),
        }
    )


def _yaml_files(folder: Path, folders: Iterable[str]) -> Iterator[str]:
    for place in (folder, *(folder / name for name in folders)):
        yield from (str(path.relative_to(folder)) for path in place.glob("*.yaml"))


def _is_ours(path: Path) -> bool:
    return path.read_text(encoding="utf-8").startswith(_HEADER)


def _written(manifest: Manifest, *, wave: int | None) -> Manifest:
    metadata = manifest["metadata"]
    if wave is not None:
        metadata = {**metadata, "annotations": {**metadata.get("annotations", {}), _WAVE: str(wave)}}
    changed = {**manifest, "metadata": metadata}
    return {key: changed[key] for key in sorted(changed, key=lambda key: (key not in _FIRST, key))}


class _Dumper(yaml.SafeDumper):
    """YAML that every reader understands alike."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 (PyYAML's signature)
        """The same object in two places is written twice."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if "\n" in text:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
    # Plain only what no version of YAML takes for another type: 1e3 is text to one reader, 1000 to another.
    style = None if len(text) > 1 and text[0].isalpha() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def as_yaml(value: Any) -> str:
    """One YAML document."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)
    return text
