"""Ask a service that runs in another process, as its callers do."""

import json
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import Any

PATIENCE_SECONDS = 300


def is_ready(address: str) -> bool:
    """Whether the service at an address says that it is ready."""
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=5):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def recommend(address: str, key: str, user_id: str) -> Any:
    """Ask for a user's list and return the answer; None where the key is not good."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    request = urllib.request.Request(f"{address}/v1/recommend", json.dumps({"user_id": user_id}).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != HTTPStatus.UNAUTHORIZED:
            raise
        return None
