"""A cluster: its objects, what its API answers, and the faults that were ordered."""

import copy
import datetime
import itertools
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from local.kubernetes import controllers
from local.kubernetes.controllers import Controller
from local.kubernetes.errors import StatusError, bad_request, no_such_path, not_found
from local.kubernetes.kinds import KINDS, Kind, resource_list
from local.kubernetes.rules import check_object, check_patch
from local.kubernetes.server_side_apply import ConflictError, Object, Owners, merge

APPLY = "application/apply-patch+yaml"
_NAMESPACE_KIND = next(kind for kind in KINDS if kind.name == "Namespace")

Key = tuple[str, str, str, str]


@dataclass
class Fault:
    """Spoils requests: each one whose `METHOD /path` matches, as often as `times` says.

    status: what is answered in the API's place; 0 ends the connection without an answer, after the request
    was done if `after` says so.
    """

    pattern: str
    status: int
    times: int = 1
    message: str = "ordered by the test"
    after: bool = False


@dataclass(frozen=True)
class Request:
    """A request to the API; the path without the query."""

    method: str
    path: str
    query: Mapping[str, str]
    content_type: str = ""
    body: Any = None


@dataclass
class Stored:
    """An object, who owns its fields, and how often it was read since its spec changed."""

    object: Object
    owners: Owners = field(default_factory=dict)
    reads: int = 0
    reads_to_live: int | None = None


class Cluster:
    """The objects of a cluster; `version` is of Kubernetes. Safe for several threads.

    `controllers` gives each kind its status, `removal_reads` says how often an object that is being removed
    is found before it is gone. `logs` holds the lines of containers by pod, container and whether it is the
    one before. All may be changed at any time.
    """

    def __init__(self, version: str = "1.36") -> None:
        self.version = version
        self.controllers: dict[str, Controller] = {
            "Deployment": controllers.roll_out,
            "Job": controllers.complete,
        }
        self.removal_reads = {"Deployment": 1, "Job": 1, "Namespace": 1}
        self.logs: dict[tuple[str, str, bool], list[str]] = {}
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self._objects: dict[Key, Stored] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        for name in ("default", "kube-system"):
            self.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def add(self, manifest: Object) -> None:
        """Put an object there as somebody else would have made it."""
        with self._lock:
            kind = next(k for k in KINDS if (k.version, k.name) == (manifest["apiVersion"], manifest["kind"]))
            metadata = manifest["metadata"]
            key = (kind.version, kind.name, metadata.get("namespace", ""), metadata["name"])
            _, owners = merge({}, manifest, {}, "somebody", force=False)
            self._objects[key] = Stored(self._new(copy.deepcopy(manifest), kind), owners)

    def remove(self, kind: str, name: str) -> None:
        """Take an object away at once."""
        with self._lock:
            self._objects = {k: s for k, s in self._objects.items() if (k[1], k[3]) != (kind, name)}

    def get(self, kind: str, name: str) -> Object | None:
        """The object of a kind and name, whatever its namespace, as it was last read."""
        with self._lock:
            found = [s.object for key, s in self._objects.items() if (key[1], key[3]) == (kind, name)]
            return copy.deepcopy(found[0]) if found else None

    def names(self) -> set[str]:
        """`Kind name` of all objects that somebody made."""
        with self._lock:
            return {f"{kind} {name}" for _, kind, _, name in self._objects} - {
                "Namespace default",
                "Namespace kube-system",
            }

    def take_fault(self, request: Request, *, after: bool) -> Fault | None:
        """The fault that was ordered for a request, which it then has had."""
        with self._lock:
            for fault in self.faults:
                asked = f"{request.method} {request.path}"
                if fault.times and fault.after == after and re.search(fault.pattern, asked):
                    fault.times -= 1
                    return fault
            return None

    def answer(self, request: Request) -> tuple[int, Any]:
        """The status and body of the answer; raises StatusError."""
        with self._lock:
            self.requests.append(f"{request.method} {request.path}")
            if request.method == "GET" and (found := resource_list(request.path)) is not None:
                return HTTPStatus.OK, found
            for kind in KINDS:
                place = r"/namespaces/(?P<namespace>[^/]+)" if kind.is_namespaced else ""
                pattern = rf"{re.escape(kind.root)}{place}/{kind.plural}(/(?P<name>[^/]+))?(?P<log>/log)?"
                match = re.fullmatch(pattern, request.path)
                if match is not None:
                    return self._answer(request, kind, match.groupdict(""))
            raise no_such_path()

    def _answer(self, request: Request, kind: Kind, place: Mapping[str, str]) -> tuple[int, Any]:
        key = (kind.version, kind.name, place.get("namespace", ""), place["name"])
        if place["log"]:
            return HTTPStatus.OK, self._log(request, place)
        if not place["name"]:
            if request.method != "GET":
                raise _not_allowed()
            return HTTPStatus.OK, self._list(request, kind, key[2])
        handlers: dict[str, Callable[[Request, Kind, Key], tuple[int, Any]]] = {
            "DELETE": self._delete,
            "GET": self._get,
            "PATCH": self._patch,
        }
        if request.method not in handlers:
            raise _not_allowed()
        return handlers[request.method](request, kind, key)

    def _get(self, _request: Request, kind: Kind, key: Key) -> tuple[int, Any]:
        return HTTPStatus.OK, self._read(kind, key)

    def _read(self, kind: Kind, key: Key) -> Object:
        """An object as it is now: reading moves its status on, and what is being removed to its end."""
        stored = self._objects.get(key)
        if stored is None:
            raise not_found(kind.plural, key[3])
        if stored.reads_to_live is not None:
            stored.reads_to_live -= 1
            if stored.reads_to_live < 0:
                self._forget(key)
                raise not_found(kind.plural, key[3])
        if kind.name in self.controllers:
            stored.object["status"] = self.controllers[kind.name](stored.object, stored.reads)
        stored.reads += 1
        return copy.deepcopy(stored.object)

    def _list(self, request: Request, kind: Kind, namespace: str) -> Object:
        wanted = dict(
            pair.split("=", 1) for pair in request.query.get("labelSelector", "").split(",") if pair
        )
        keys = [key for key in self._objects if key[:3] == (kind.version, kind.name, namespace)]
        items = [
            self._read(kind, key)
            for key in keys
            if wanted.items() <= (self._objects[key].object["metadata"].get("labels") or {}).items()
        ]
        return {"kind": f"{kind.name}List", "apiVersion": kind.version, "metadata": {}, "items": items}

    def _log(self, request: Request, place: Mapping[str, str]) -> str:
        container, previous = request.query.get("container", ""), request.query.get("previous") == "true"
        lines = self.logs.get((place["name"], container, previous))
        if lines is None:
            raise bad_request(f'container "{container}" in pod "{place["name"]}" is waiting to start')
        return "".join(f"{line}\n" for line in lines[-int(request.query.get("tailLines", "1000")) :])

    def _patch(self, request: Request, kind: Kind, key: Key) -> tuple[int, Any]:
        if request.content_type != APPLY:
            raise StatusError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", "only apply")
        manager = request.query.get("fieldManager")
        if not manager:
            raise bad_request("fieldManager: Required value: is required for apply patch")
        check_patch(kind, key[2], key[3], request.body)
        self._check_namespace(key[2], is_new=key not in self._objects)
        stored = self._objects.get(key)
        live = {} if stored is None else stored.object
        wanted = {name: value for name, value in request.body.items() if name != "status"}
        try:
            force = request.query.get("force") == "true"
            merged, owners = merge(live, wanted, stored.owners if stored else {}, manager, force=force)
        except ConflictError as error:
            raise StatusError(HTTPStatus.CONFLICT, "Conflict", f"Apply failed with {error}") from None
        check_object(kind, self.version, merged, live or None)
        if stored is None:
            if kind.is_namespaced:
                merged["metadata"]["namespace"] = key[2]
            self._objects[key] = Stored(self._new(merged, kind), owners)
            return HTTPStatus.CREATED, copy.deepcopy(self._objects[key].object)
        if merged.get("spec") != live.get("spec"):
            merged["metadata"]["generation"] = live["metadata"]["generation"] + 1
            stored.reads = 0
        if merged != live:
            merged["metadata"]["resourceVersion"] = str(next(self._numbers))
        stored.object, stored.owners = merged, owners
        return HTTPStatus.OK, copy.deepcopy(merged)

    def _check_namespace(self, namespace: str, *, is_new: bool) -> None:
        if not namespace or not is_new:
            return
        found = self._objects.get((_NAMESPACE_KIND.version, _NAMESPACE_KIND.name, "", namespace))
        if found is None:
            raise not_found("namespaces", namespace)
        if found.reads_to_live is not None:
            message = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise StatusError(HTTPStatus.FORBIDDEN, "Forbidden", message)

    def _new(self, merged: Object, kind: Kind) -> Object:
        number = next(self._numbers)
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        merged["metadata"] |= {
            "uid": str(uuid.UUID(int=number)),
            "resourceVersion": str(number),
            "creationTimestamp": merged["metadata"].get("creationTimestamp", now),
        }
        if "spec" in merged:
            merged["metadata"]["generation"] = 1
        if kind.name == "Deployment":
            merged["spec"].setdefault("replicas", 1)
        return merged

    def _delete(self, request: Request, kind: Kind, key: Key) -> tuple[int, Any]:
        stored = self._objects.get(key)
        if stored is None:
            raise not_found(kind.plural, key[3])
        options = request.body or {}
        policy = options.get("propagationPolicy", request.query.get("propagationPolicy", "Background"))
        if policy not in ("Background", "Foreground", "Orphan"):
            raise bad_request(f"propagationPolicy: Unsupported value: {policy}")
        if stored.reads_to_live is None:
            stored.reads_to_live = self.removal_reads.get(kind.name, 0)
            stored.object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            stored.object["metadata"]["finalizers"] = ["foregroundDeletion"]
        if stored.reads_to_live == 0:
            self._forget(key)
        return HTTPStatus.OK, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}

    def _forget(self, key: Key) -> None:
        """Remove an object, a namespace with all in it."""
        del self._objects[key]
        if key[1] == _NAMESPACE_KIND.name:
            self._objects = {k: stored for k, stored in self._objects.items() if k[2] != key[3]}


def _not_allowed() -> StatusError:
    message = "the server does not allow this method on the requested resource"
    return StatusError(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
