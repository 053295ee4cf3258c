"""The API of a Kubernetes cluster: what applying manifests needs of it, and patience with it."""

import http.client
import json
import ssl
import urllib.parse
from collections.abc import Callable, Mapping
from time import monotonic, sleep
from typing import Any

from gatehouse.functions.apply_manifests.cluster_token import LIFETIME_SECONDS

FIELD_MANAGER = "gatehouse"
# Permissions take effect some time after CloudFormation has created them.
PERMISSION_SECONDS = 120.0
# An admission webhook may take 30 s.
_LONGEST_CALL_SECONDS = 35.0
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 8.0
_NOT_FOUND = 404
_TEMPORARY = frozenset({409, 429, 500, 502, 503, 504})
_NOT_YET_PERMITTED = frozenset({401, 403})
# Kubernetes answers a field that it does not know with 500 (https://github.com/kubernetes/kubernetes/issues/139253).
_UNKNOWN_FIELD = "failed to create typed patch object"
# Before it stands the whole value, longer than what is told of a message.
_IMMUTABLE_FIELD = b"field is immutable"
_LONGEST_MESSAGE = 1000

Object = dict[str, Any]


class ApiError(Exception):
    """The cluster's API refused a request, or could not be reached in time; the message holds its words."""


class ImmutableFieldError(ApiError):
    """A field has another value that cannot change as long as the object is there."""


class KubernetesApi:
    """A cluster's API over HTTPS, whose certificate the cluster's own authority has signed.

    What may pass is tried again until the deadline, a monotonic time: a connection that fails, a server that
    is busy or broken, and for PERMISSION_SECONDS that a role is unknown or may not.
    """

    def __init__(self, endpoint: str, authority: str, new_token: Callable[[], str], deadline: float) -> None:
        tls = ssl.create_default_context(cadata=authority)
        # Clusters' authorities have no key identifiers, which RFC 5280 lets a root leave out and Python 3.13
        # and later ask for. The chain and the host's name are verified nonetheless.
        tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
        # It connects at its first request, and again at the next one after it was closed.
        self._connection = http.client.HTTPSConnection(urllib.parse.urlsplit(endpoint).netloc, context=tls)
        self._new_token = new_token
        self._token = ""
        self._renew_token_at = 0.0
        self._deadline = deadline
        self._permitted_by = monotonic() + PERMISSION_SECONDS
        self._resources: dict[tuple[str, str], tuple[str, bool]] = {}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def apply(self, manifest: Object) -> Object:
        """Create or change an object by server-side apply; gives the object.

        A field that others have set becomes ours, an unknown one is an error. A kind that the cluster does
        not know is waited for: its definition may be on the way. Raises ImmutableFieldError.
        """
        pause = _FIRST_PAUSE_SECONDS
        while (path := self._path(manifest)) is None:
            kind = f"{manifest['kind']} of {manifest['apiVersion']}"
            pause = self._wait(pause, f"the cluster does not know the kind {kind}")
        query = f"?fieldManager={FIELD_MANAGER}&force=true"
        status, content = self._call("PATCH", path + query, manifest, "application/apply-patch+yaml")
        if status == _NOT_FOUND:
            raise ApiError(_message(content))
        applied: Object = json.loads(content)
        return applied

    def find(self, manifest: Object) -> Object | None:
        """The object of a manifest as it is in the cluster; None when it is not, or its kind is unknown."""
        path = self._path(manifest)
        if path is None:
            return None
        status, content = self._call("GET", path)
        found: Object | None = None if status == _NOT_FOUND else json.loads(content)
        return found

    def merge(self, manifest: Object, change: Object) -> None:
        """Change fields of an object that is there; the others stay whoever's they are."""
        status, content = self._call("PATCH", self._known(manifest), change, "application/merge-patch+json")
        if status == _NOT_FOUND:
            raise ApiError(_message(content))

    def scale(self, manifest: Object, replicas: Callable[[int], int]) -> int:
        """Set how many pods a Deployment wants, by how many it wanted; gives how many it wants now."""
        path = f"{self._known(manifest)}/scale"
        status, content = self._call("GET", path)
        if status == _NOT_FOUND:
            raise ApiError(_message(content))
        scale: Object = json.loads(content)
        before = int(scale["spec"].get("replicas", 0))
        wanted = replicas(before)
        if wanted != before:
            scale["spec"]["replicas"] = wanted
            self._call("PUT", path, scale, "application/json")
        return wanted

    def remove(self, manifest: Object) -> None:
        """Begin to remove an object, and what belongs to it before it; one that is not there is no error."""
        path = self._path(manifest)
        if path is not None:
            self._call("DELETE", path, {"propagationPolicy": "Foreground"}, "application/json")

    def pods(self, namespace: str, labels: Mapping[str, str]) -> list[Object]:
        """The pods of a namespace that have these labels."""
        selector = urllib.parse.quote(",".join(f"{name}={value}" for name, value in labels.items()), safe="")
        path = f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}"
        status, content = self._call("GET", path)
        return [] if status == _NOT_FOUND else json.loads(content)["items"]

    def log_lines(self, pod: Object, container: str, *, previous: bool, lines: int) -> list[str]:
        """The last lines of a container's log, or of the one before it; none if there is no such log."""
        place = pod["metadata"]
        query = f"?container={container}&previous={str(previous).lower()}&tailLines={lines}"
        path = f"/api/v1/namespaces/{place['namespace']}/pods/{place['name']}/log{query}"
        try:
            status, content = self._send("GET", path, None, "")
        except (OSError, http.client.HTTPException):
            return []
        return content.decode(errors="replace").splitlines() if status == http.client.OK else []

    def _known(self, manifest: Object) -> str:
        path = self._path(manifest)
        if path is None:
            raise ApiError(f"the cluster does not know {manifest['kind']} of {manifest['apiVersion']}")
        return path

    def _path(self, manifest: Object) -> str | None:
        version, kind = manifest["apiVersion"], manifest["kind"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if (version, kind) not in self._resources:
            status, content = self._call("GET", root)
            for resource in [] if status == _NOT_FOUND else json.loads(content)["resources"]:
                # status, log, scale and the like have the kind's name too.
                if "/" not in resource["name"]:
                    known = (resource["name"], resource["namespaced"])
                    self._resources[version, resource["kind"]] = known
        if (version, kind) not in self._resources:
            return None
        plural, is_namespaced = self._resources[version, kind]
        metadata = manifest["metadata"]
        place = f"/namespaces/{metadata['namespace']}" if is_namespaced else ""
        return f"{root}{place}/{plural}/{metadata['name']}"

    def _call(
        self, method: str, path: str, body: Object | None = None, content_type: str = ""
    ) -> tuple[int, bytes]:
        """A successful answer's status and content, or 404's; patient with what may pass."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                status, content = self._send(method, path, body, content_type)
            except ssl.SSLCertVerificationError:
                raise
            except (OSError, http.client.HTTPException) as error:
                problem = f"{type(error).__name__}: {error}"
            else:
                if status < http.client.BAD_REQUEST or status == _NOT_FOUND:
                    return status, content
                problem = f"{status}: {_message(content)}"
                if _UNKNOWN_FIELD in problem or not self._may_pass(status):
                    refusal = ImmutableFieldError if _IMMUTABLE_FIELD in content else ApiError
                    raise refusal(f"{method} {path.partition('?')[0]}: {problem}")
            pause = self._wait(pause, f"{method} {path.partition('?')[0]}: {problem}")

    def _may_pass(self, status: int) -> bool:
        if status in _NOT_YET_PERMITTED:
            self._renew_token_at = 0.0
            return monotonic() < self._permitted_by
        return status in _TEMPORARY

    def _wait(self, pause: float, problem: str) -> float:
        """Wait, and give the next pause; raises ApiError when there is no time for it."""
        if monotonic() + pause > self._deadline:
            raise ApiError(f"no more time; the last problem: {problem}")
        print(json.dumps({"pause_seconds": pause, "problem": problem}))
        sleep(pause)
        return min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _send(self, method: str, path: str, body: Object | None, content_type: str) -> tuple[int, bytes]:
        if monotonic() > self._renew_token_at:
            self._token = self._new_token()
            self._renew_token_at = monotonic() + LIFETIME_SECONDS / 2
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json, */*"}
        if content_type:
            headers["Content-Type"] = content_type
        self._connection.timeout = min(_LONGEST_CALL_SECONDS, max(1.0, self._deadline - monotonic()))
        if self._connection.sock is not None:
            self._connection.sock.settimeout(self._connection.timeout)
        try:
            data = None if body is None else json.dumps(body).encode()
            self._connection.request(method, path, data, headers)
            response = self._connection.getresponse()
            return response.status, response.read()
        except BaseException:
            self._connection.close()
            raise


def _message(content: bytes) -> str:
    """What Kubernetes says in its answer."""
    try:
        said = json.loads(content)["message"]
    except (ValueError, LookupError, TypeError):
        said = content.decode(errors="replace")
    return str(said)[:_LONGEST_MESSAGE]
