"""The directory's content in memory, as of one version."""

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from gateway.callers import ADMIN_ROLE, DEFAULT_ROLE, Caller, Project, Role
from gateway.directory.records import (
    KeyRecord,
    RecordError,
    Row,
    SecretRecord,
    read_key,
    read_project,
    read_role,
    unix_time,
)


class _Client(NamedTuple):
    """A machine that calls in a project's name, as 'issuer#client_id'."""

    id: str


class Snapshot:
    """Projects, roles, keys and secrets by what they are looked up by.

    version: all changes up to this number are in it. Callers are made when they first call, and made anew
    when a key, a project or a role has changed: of tens of thousands of keys few are in use.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.version = -1
        self._clock = clock
        self._projects: dict[str, Project | RecordError] = {}
        # By names and clients, and those by projects.
        self._project_ids: dict[str | _Client, str] = {}
        self._names: dict[str, tuple[str | _Client, ...]] = {}
        self._roles: dict[str, Role | RecordError] = {}
        self._keys: dict[str, KeyRecord] = {}
        self._secrets: dict[bytes, SecretRecord] = {}
        self._callers: dict[str, Caller] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def key(self, digest: bytes) -> Caller | None:
        """The caller of a key's digest, None if it is nobody's or no longer; raises RecordError."""
        secret = self._secrets.get(digest)
        record = None if secret is None else self._keys.get(secret.key_id)
        if secret is None or record is None:
            return None
        now = self._clock()
        if now >= secret.expires_at or now >= record.expires_at:
            return None
        return self._callers.get(record.id) or self._make_caller(record)

    def project(self, id_or_name: str) -> Project | None:
        """A project by its ID or its name, None if there is none; raises RecordError."""
        found = self._projects.get(id_or_name) or self._projects.get(self._project_ids.get(id_or_name, ""))
        if isinstance(found, RecordError):
            # Anew: one that is raised again and again collects where it was raised.
            raise RecordError(str(found))
        return found

    def project_of_client(self, issuer: str, client_id: str) -> Project | None:
        """The project in whose name a machine calls, None if there is none; raises RecordError."""
        project_id = self._project_ids.get(_Client(f"{issuer}#{client_id}"))
        return None if project_id is None else self.project(project_id)

    def roles(self, names: Iterable[str]) -> tuple[Role, ...]:
        """The roles of these names that there are, the default role if there are none; raises RecordError.

        The role of administrators is always there: if it is not stored, it limits nothing.
        """
        found = [role for name in dict.fromkeys(names) if (role := self._role(name)) is not None]
        if not found and (default := self._role(DEFAULT_ROLE)) is not None:
            found.append(default)
        return tuple(found)

    def _role(self, name: str) -> Role | None:
        role = self._roles.get(name)
        if isinstance(role, RecordError):
            # Without it, a caller might have more than it may, or less.
            raise RecordError(str(role))
        return _ADMIN if role is None and name == ADMIN_ROLE else role

    def _make_caller(self, record: KeyRecord) -> Caller | None:
        if record.problem is not None:
            raise RecordError(record.problem)
        project = self.project(record.project_id)
        if project is None:
            # It is archived, and so are its keys.
            return None
        caller = self._callers[record.id] = Caller(
            record.id,
            record.name,
            "key",
            project=project,
            roles=self.roles(record.roles),
            limits=record.limits,
            models=record.models,
            networks=record.networks,
            priority=record.priority,
        )
        return caller

    # --- changes ---------------------------------------------------------------------------------

    def take(self, table: str, rows: Iterable[Row]) -> list[str]:
        """Take new or changed rows of a table; returns what is wrong with those that cannot be read."""
        take: Callable[[Row], str | None] = {
            "projects": self._take_project,
            "roles": self._take_role,
            "api_keys": self._take_key,
            "api_key_secrets": self._take_secret,
        }[table]
        return [problem for row in rows if (problem := take(row)) is not None]

    def _take_project(self, row: Row) -> str | None:
        project_id = row["id"]
        self._callers.clear()
        self._forget_names(project_id)
        if row["archived_at"] is not None:
            self._projects.pop(project_id, None)
            return None
        names = self._names[project_id] = (row["name"], *map(_Client, row["clients"]))
        for name in names:
            self._project_ids[name] = project_id
        try:
            self._projects[project_id] = read_project(row)
        except RecordError as error:
            self._projects[project_id] = error
            return str(error)
        return None

    def _forget_names(self, project_id: str) -> None:
        for name in self._names.pop(project_id, ()):
            # Another project may have taken it over meanwhile.
            if self._project_ids.get(name) == project_id:
                del self._project_ids[name]

    def _take_role(self, row: Row) -> str | None:
        self._callers.clear()
        if row["deleted_at"] is not None:
            self._roles.pop(row["name"], None)
            return None
        try:
            self._roles[row["name"]] = read_role(row)
        except RecordError as error:
            self._roles[row["name"]] = error
            return str(error)
        return None

    def _take_key(self, row: Row) -> str | None:
        self._callers.pop(row["id"], None)
        if row["revoked_at"] is not None:
            self._keys.pop(row["id"], None)
            return None
        record = self._keys[row["id"]] = read_key(row)
        return record.problem

    def _take_secret(self, row: Row) -> None:
        key = self._keys.get(row["key_id"])
        # The key's own text, so that it is in memory once.
        key_id = row["key_id"] if key is None else key.id
        self._secrets[row["digest"]] = SecretRecord(key_id, unix_time(row["expires_at"]))


_ADMIN = Role(ADMIN_ROLE)
