"""The API server, as the kubeconfig or the pod's account reaches it; its client is imported when it is needed."""

import json
import os
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from components.contracts.errors import RankloopError

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

SECONDS = 10
Document = dict[str, Any]


class ClusterError(RankloopError):
    """The API server cannot be reached, or knows no account of ours."""


class DeniedError(RankloopError):
    """The API server refuses one request."""


def connect() -> "ApiClient":
    """Open the official client: by KUBECONFIG or its usual file, in a pod by the pod's account.

    Raises:
        ClusterError: there is neither, or it cannot be read.
    """
    from kubernetes import client, config

    configuration = client.Configuration()
    try:
        if "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ:
            config.load_incluster_config(client_configuration=configuration)
        else:
            file = os.environ.get("KUBECONFIG")
            config.load_kube_config(config_file=file, client_configuration=configuration)
    except Exception as error:  # of many types: no file, no context, not YAML, a plug-in that is missing
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ClusterError(f"found no usable kubeconfig ({reason}); set KUBECONFIG") from error
    configuration.retries = 1
    return client.ApiClient(configuration)


@dataclass(frozen=True)
class Answer:
    """A document, and the server's clock when it was sent."""

    document: Document
    moment: datetime | None


class Cluster:
    """The API server, one namespace of which is examined."""

    def __init__(self, client: "ApiClient", namespace: str) -> None:
        self.client, self.namespace = client, namespace

    def get(self, path: str) -> Document | None:
        """Return the document at a path; None if there is none.

        Raises:
            ClusterError, DeniedError: as ``ask``.
        """
        answer = self.ask("GET", path)
        return None if answer is None else answer.document

    def list(self, kind: str, group: str = "api/v1") -> list[Document]:
        """Return the objects of a kind in the namespace."""
        found = self.get(f"/{group}/namespaces/{self.namespace}/{kind}")
        return list((found or {}).get("items") or [])

    def named(self, kind: str, name: str) -> Document | None:
        """Return an object of the namespace by its name."""
        return self.get(f"/api/v1/namespaces/{self.namespace}/{kind}/{name}")

    def ask(
        self, method: str, path: str, body: Document | None = None, content_type: str = "application/json"
    ) -> Answer | None:
        """Make a request; return its answer, None if there is nothing at the path.

        Raises:
            ClusterError: the server cannot be reached, or refuses the account altogether.
            DeniedError: it refuses this request; the message is its own.
        """
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        place, _, query = path.partition("?")
        try:
            response, _, headers = self.client.call_api(
                place,
                method,
                query_params=[part.split("=", 1) for part in query.split("&") if part],
                header_params={"Accept": "application/json", "Content-Type": content_type},
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _request_timeout=SECONDS,
            )
        except ApiException as error:
            refuse(error)
            return None
        except (HTTPError, OSError) as error:
            raise self.unreachable(error) from error
        date = headers.get("Date")
        return Answer(self._document(response.data), parsedate_to_datetime(date) if date else None)

    def unreachable(self, error: Exception) -> ClusterError:
        """Return the error of a server that does not answer."""
        host = self.client.configuration.host
        return ClusterError(f"{host} cannot be reached ({type(error).__name__}); check KUBECONFIG")

    def _document(self, body: bytes) -> Document:
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            begin = " ".join(body[:60].decode(errors="replace").split())
            host = self.client.configuration.host
            raise ClusterError(f"{host} is not Kubernetes' API: found {begin!r}, expected a document; check KUBECONFIG")
        return document


def refuse(error: Any) -> None:
    """Raise one line for a refusal, nothing for what is not there.

    Raises:
        ClusterError: the server refuses the account altogether.
        DeniedError: it refuses this request.
    """
    try:
        message = json.loads(error.body or "{}").get("message", "")
    except ValueError:
        message = ""
    message = " ".join(str(message or error.reason).split())[:400]
    if error.status == 404:
        return
    if error.status == 401:
        raise ClusterError(f"the API server knows no such account ({message}); renew the kubeconfig's credentials")
    raise DeniedError(message)
