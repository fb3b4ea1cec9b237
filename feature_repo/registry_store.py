"""Where Feast keeps the registry of a home: a document of the home, in a folder or in a bucket.

``feature_store.yaml`` names the class as ``registry_store_type``; Feast imports it by that name.
"""

import uuid
from datetime import UTC, datetime
from pathlib import Path

from feast.infra.registry.registry_store import RegistryStore
from feast.protos.feast.core.Registry_pb2 import Registry
from feast.repo_config import RegistryConfig

from components.contracts.errors import FeatureError
from components.home.storage.documents import read_document, remove_document, update_document
from components.home.storage.locations import parse_location


class DocumentRegistryStore(RegistryStore):
    """A registry as one document; changes that another process wrote meanwhile are never overwritten."""

    def __init__(self, registry_config: RegistryConfig, repo_path: Path | None) -> None:
        self._location = parse_location(registry_config.path)
        self._read: bytes | None = None

    def get_registry_proto(self) -> Registry:
        """Read the registry.

        Raises:
            FileNotFoundError: there is none yet.
        """
        self._read = read_document(self._location)
        if self._read is None:
            raise FileNotFoundError(f"{self._location}: found no registry; `rankloop run` and `feast apply` make it")
        registry = Registry()
        registry.ParseFromString(self._read)
        return registry

    def update_registry_proto(self, registry_proto: Registry) -> None:
        """Write the registry, if it is still the one that was read.

        Raises:
            FeatureError: somebody else wrote it meanwhile.
        """
        registry_proto.version_id = str(uuid.uuid4())
        registry_proto.last_updated.FromDatetime(datetime.now(UTC).replace(tzinfo=None))
        content = registry_proto.SerializeToString()
        self._read = update_document(self._location, lambda current: self._replaced(current, content))

    def _replaced(self, current: bytes | None, content: bytes) -> bytes:
        if current != self._read:
            raise FeatureError(f"{self._location}: somebody else changed Feast's registry meanwhile; run again")
        return content

    def teardown(self) -> None:
        """Remove the registry."""
        remove_document(self._location)
