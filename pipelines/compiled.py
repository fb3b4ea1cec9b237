"""The pipelines as Kubernetes resources: a Pipeline and a PipelineVersion that is named after its content.

Beside them the order of each pipeline's steps, for the live table and the report, which do not import kfp.

A PipelineVersion's spec is immutable, and KFP resolves a version by name: so each content gets a name of its own, and
syncing a changed file makes a new version beside the old one.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from kfp.compiler import Compiler
from kfp.compiler.compiler_utils import KubernetesManifestOptions

from components.contracts.images import IMAGES_FILE, read_image
from components.contracts.steps.declared import ORDER_FILE, PIPELINES, STEPS

MANIFESTS = Path(__file__).parents[1] / "manifests" / "base" / "pipelines"
IMAGES = Path(__file__).parents[1] / "manifests" / "components" / "images"
HEADER = "# Written by `rankloop compile` from pipelines/{name}.py; do not edit.\n"
IMAGES_HEADER = "# Written by `rankloop compile` from components/images.toml; do not edit.\n"
ORDER_HEADER = """# The steps of each pipeline, each after those it needs.
# Written by `rankloop compile` from pipelines/; do not edit.

"""


@dataclass(frozen=True)
class Resource:
    """One file of compiled resources."""

    path: Path
    text: str

    @property
    def is_stale(self) -> bool:
        """Return whether the file on disk says anything else."""
        return not self.path.exists() or self.path.read_text() != self.text


def compiled_resources(folder: Path = MANIFESTS) -> list[Resource]:
    """Compile every pipeline: one file of its Pipeline, one of its PipelineVersion, and the kustomization of them."""
    resources = [resource for name in PIPELINES for resource in _resources(name, folder)]
    listed = yaml.safe_dump(
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [resource.path.name for resource in resources],
        },
        sort_keys=True,
    )
    head = "# Written by `rankloop compile`; do not edit.\n"
    return [*resources, Resource(folder / "kustomization.yaml", head + listed)]


def compiled_images(folder: Path = IMAGES, images: Path = IMAGES_FILE) -> list[Resource]:
    """Return the component that puts the digests into other manifests, and the file of them for a pod that compiles."""
    component = yaml.safe_dump(
        {
            "apiVersion": "kustomize.config.k8s.io/v1alpha1",
            "kind": "Component",
            "images": [_replacement(target, images) for target in ("serving", "steps")],
            "generatorOptions": {"disableNameSuffixHash": True},
            "configMapGenerator": [{"name": "rankloop-images", "files": ["images.toml"]}],
        },
        sort_keys=True,
    )
    return [
        Resource(folder / "kustomization.yaml", IMAGES_HEADER + component),
        Resource(folder / "images.toml", IMAGES_HEADER + images.read_text()),
    ]


def compiled_order(file: Path = ORDER_FILE) -> Resource:
    """Return the file that says in which order each pipeline's steps are shown."""
    order = "".join(f"{name} = {json.dumps(step_order(name), indent=2)}\n" for name in PIPELINES)
    return Resource(file, ORDER_HEADER + order)


def step_order(name: str) -> list[str]:
    """Return the steps of a pipeline after those they need; kfp.local takes those that could be next as they come."""
    specification = _pipeline(name).pipeline_spec
    return list(_ordered_steps(specification, specification.root.dag.tasks))


def compile_package(name: str, file: Path, options: KubernetesManifestOptions | None = None) -> list[dict[str, Any]]:
    """Compile a pipeline into a file, as KFP's intermediate representation or as resources; return its documents."""
    Compiler().compile(
        _pipeline(name),
        str(file),
        kubernetes_manifest_format=options is not None,
        kubernetes_manifest_options=options,
    )
    return list(yaml.safe_load_all(file.read_text()))


def version_name(specifications: list[dict[str, Any]]) -> str:
    """Return the name of a pipeline's version: the pipeline's own, and a digest of its content."""
    return f"{specifications[0]['pipelineInfo']['name']}-{_content_hash(specifications)}"


def version_names() -> list[str]:
    """Return the names of the versions that this code compiles to."""
    with tempfile.TemporaryDirectory() as scratch:
        return [version_name(compile_package(name, Path(scratch) / f"{name}.yaml")) for name in PIPELINES]


def _replacement(target: str, images: Path) -> dict[str, str]:
    """Say by what kustomize replaces the image that our manifests call ``rankloop-TARGET``."""
    name, digest = read_image(images, target).split("@")
    return {"name": f"rankloop-{target}", "newName": name, "digest": digest}


def _pipeline(name: str) -> Any:
    return getattr(import_module(f"pipelines.{name}"), name)


def _ordered_steps(specification: Any, tasks: Any) -> Iterator[str]:
    """Yield the steps of a graph of tasks; a task may be a graph itself, as what an exit handler guards is."""
    for task in _ordered_tasks({name: tasks[name].dependent_tasks for name in tasks}):
        component = specification.components[tasks[task].component_ref.name]
        if component.HasField("dag"):
            yield from _ordered_steps(specification, component.dag.tasks)
        else:
            yield _step_name(task)


def _ordered_tasks(needs: dict[str, Any]) -> Iterator[str]:
    """Yield tasks after those they need; of several that could be next, the one that is declared first."""
    places = {step.name: place for place, step in enumerate(STEPS)}
    sorter, ready = TopologicalSorter(needs), list[str]()
    sorter.prepare()
    while sorter.is_active():
        ready += sorter.get_ready()
        following = min(ready, key=lambda task: places.get(_step_name(task), -1))
        ready.remove(following)
        sorter.done(following)
        yield following


def _step_name(task: str) -> str:
    return task.replace("-", "_")


def _resources(name: str, folder: Path) -> list[Resource]:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "pipeline.yaml"
        specifications = compile_package(name, file)
        pipeline = specifications[0]["pipelineInfo"]["name"]
        version = version_name(specifications)
        options = KubernetesManifestOptions(
            pipeline_name=pipeline, pipeline_version_name=version, include_pipeline_manifest=True
        )
        documents = compile_package(name, file, options)
    return [_resource(name, folder, document) for document in documents]


def _resource(name: str, folder: Path, document: dict[str, Any]) -> Resource:
    """Add what Argo CD must know: the Pipeline comes first, and old versions stay, since runs name them."""
    document["metadata"]["annotations"] = {
        "Pipeline": {"argocd.argoproj.io/sync-wave": "0"},
        "PipelineVersion": {
            "argocd.argoproj.io/sync-wave": "1",
            "argocd.argoproj.io/sync-options": "Prune=false",
            "argocd.argoproj.io/compare-options": "IgnoreExtraneous",  # else one that stays is out of sync for ever
        },
    }[document["kind"]]
    part = document["kind"].removeprefix("Pipeline").lower() or "pipeline"
    text = HEADER.format(name=name) + yaml.safe_dump(document, sort_keys=True)
    return Resource(folder / f"{name}-{part}.yaml", text)


def _content_hash(specifications: list[dict[str, Any]]) -> str:
    """Digest the pipeline and, where it says how tasks run on Kubernetes, that too."""
    return hashlib.sha256(yaml.safe_dump_all(specifications, sort_keys=True).encode()).hexdigest()[:12]
