"""Refusals in the form of Kubernetes' API: a Status."""

from http import HTTPStatus
from typing import Any


class StatusError(Exception):
    """A refusal; `reason` is Kubernetes' word for it, empty where it has none."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "code": code,
        }
        if reason:
            self.body["reason"] = reason


def not_found(plural: str, name: str) -> StatusError:
    """An object that is not there."""
    return StatusError(HTTPStatus.NOT_FOUND, "NotFound", f'{plural} "{name}" not found')


def no_such_path() -> StatusError:
    """An address that the API does not have."""
    return StatusError(HTTPStatus.NOT_FOUND, "NotFound", "the server could not find the requested resource")


def bad_request(message: str) -> StatusError:
    """A request that makes no sense."""
    return StatusError(HTTPStatus.BAD_REQUEST, "BadRequest", message)


def invalid(kind: str, name: str, problem: str) -> StatusError:
    """An object that breaks a rule of its kind."""
    return StatusError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", f'{kind} "{name}" is invalid: {problem}')


def unknown_field(kind: str, name: str, problem: str) -> StatusError:
    """A patch that the schema does not fit: 500 without a reason, also in Kubernetes."""
    message = f"failed to create typed patch object ({name}; Kind={kind}): {problem}"
    return StatusError(HTTPStatus.INTERNAL_SERVER_ERROR, "", message)


def unauthorized() -> StatusError:
    """A caller whom the cluster does not know."""
    return StatusError(HTTPStatus.UNAUTHORIZED, "Unauthorized", "Unauthorized")
