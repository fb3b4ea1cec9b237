"""A compiled pipeline in KFP: a version that is named by its content, uploaded once.

The name is that of the PipelineVersion in `manifests/`, so that a version which Argo CD has synced is used as it is.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.client import Client
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec, PlatformSpec
from kfp_server_api import V2beta1Pipeline, V2beta1PipelineVersion
from kfp_server_api.exceptions import ApiException

from pipelines.kubeflow.client import CONFLICT, SubmissionError, ignoring, in_namespace

INTERNAL_ERROR = 500
REASON_IN_LOG = (
    "Kubeflow keeps the reason to the log of its API server: `kubectl -n kubeflow logs deployment/ml-pipeline`. "
    "In its Kubernetes-native mode a webhook may have refused it, or not answered; see `rankloop doctor --cluster`"
)


@dataclass(frozen=True)
class Version:
    """A version of a pipeline in KFP."""

    name: str
    pipeline_id: str
    version_id: str


def upload_if_new(client: Client, package: Path, name: str, namespace: str | None) -> Version:
    """Return the version of a compiled pipeline; upload it, and its pipeline, if KFP has none of that name.

    ``namespace``: of the user, where KFP has several. Two uploads at once come to the same version.

    Raises:
        SubmissionError: a version of that name holds something else.
    """
    documents = list(yaml.safe_load_all(package.read_text()))
    pipeline_id = _pipeline_id(client, documents[0], namespace)
    version = _find_version(client, pipeline_id, name) or _upload(client, package, name, pipeline_id)
    stored = client.get_pipeline_version(pipeline_id, version.pipeline_version_id).pipeline_spec
    if _content(stored) != _content(_joined(documents)):
        raise SubmissionError(
            f"holds a pipeline version {name} with other content than this code compiles to; "
            "delete that version in Kubeflow, or change the pipeline"
        )
    return Version(name, pipeline_id, version.pipeline_version_id)


def equals(key: str, value: str) -> str:
    """Return KFP's filter for entries whose field has a value."""
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": key, "stringValue": value}]})


def _pipeline_id(client: Client, specification: dict[str, Any], namespace: str | None) -> str:
    name = specification["pipelineInfo"]["name"]
    pipeline_id = _find_pipeline(client, name, namespace)
    if pipeline_id is None:
        description = specification["pipelineInfo"].get("description")
        body = V2beta1Pipeline(name=name, display_name=name, description=description, namespace=namespace)
        with ignoring(CONFLICT):
            client._pipelines_api.pipeline_service_create_pipeline(body)
        pipeline_id = _find_pipeline(client, name, namespace)
    if pipeline_id is None:
        raise SubmissionError(f"does not list the pipeline {name} that was created just now; submit again")
    return pipeline_id


def _find_pipeline(client: Client, name: str, namespace: str | None) -> str | None:
    listed = client._pipelines_api.pipeline_service_list_pipelines(
        filter=equals("name", name), **in_namespace(namespace)
    ).pipelines
    return listed[0].pipeline_id if listed else None


def _find_version(client: Client, pipeline_id: str, name: str) -> V2beta1PipelineVersion | None:
    listed = client.list_pipeline_versions(pipeline_id, filter=equals("name", name)).pipeline_versions
    return listed[0] if listed else None


def _upload(client: Client, package: Path, name: str, pipeline_id: str) -> V2beta1PipelineVersion:
    try:
        with ignoring(CONFLICT):
            client.upload_pipeline_version(str(package), name, pipeline_id=pipeline_id)
    except ApiException as error:
        if error.status != INTERNAL_ERROR:
            raise
        raise SubmissionError(f"could not create the pipeline version {name}; {REASON_IN_LOG}") from error
    version = _find_version(client, pipeline_id, name)
    if version is None:
        raise SubmissionError(f"does not list the version {name} that was uploaded just now; submit again")
    return version


def _joined(documents: list[dict[str, Any]]) -> dict[str, Any]:
    return {"pipeline_spec": documents[0]} | ({"platform_spec": documents[1]} if len(documents) > 1 else {})


def _content(stored: dict[str, Any]) -> tuple[bytes, bytes]:
    """Return what a version holds, independent of the order and the defaults of its fields."""
    held = stored if "pipeline_spec" in stored else {"pipeline_spec": stored}
    messages = (
        json_format.ParseDict(held["pipeline_spec"], PipelineSpec(), ignore_unknown_fields=True),
        json_format.ParseDict(held.get("platform_spec", {}), PlatformSpec()),
    )
    pipeline, platform = (message.SerializeToString(deterministic=True) for message in messages)
    return pipeline, platform
