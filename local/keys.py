"""Projects and API keys on gateways of this machine, by the admin API."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

import httpx

_KNOWN_SECONDS = 20


def create_project(url: str, admin_key: str, name: str, **fields: Any) -> str:
    """Create a project; returns its ID. Raises httpx.HTTPError."""
    return str(_post(url, admin_key, "projects", {"name": name, **fields})["id"])


def create_key(url: str, admin_key: str, project_id: str, name: str, **fields: Any) -> str:
    """Create an API key of a project; returns the key itself. Raises httpx.HTTPError."""
    return str(_post(url, admin_key, "keys", {"project_id": project_id, "name": name, **fields})["key"])


def wait_until_known(urls: Iterable[str], key: str) -> None:
    """Wait until every gateway knows a key that was just created; raises TimeoutError."""
    deadline = time.monotonic() + _KNOWN_SECONDS
    for url in urls:
        while httpx.get(f"{url}/v1/models", headers=_headers(key)).status_code != 200:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url} does not know the new key after {_KNOWN_SECONDS} s")
            time.sleep(0.05)


def _post(url: str, admin_key: str, what: str, body: Mapping[str, Any]) -> Any:
    response = httpx.post(f"{url}/admin/v1/{what}", json=body, headers=_headers(admin_key))
    response.raise_for_status()
    return response.json()


def _headers(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}
