"""The errors Bedrock answers with, and how each travels over HTTP."""

from collections.abc import Mapping
from types import MappingProxyType

# Bedrock names its errors in this header with a suffix that SDKs cut off at the colon.
_ERROR_TYPE_SUFFIX = ":http://internal.amazon.com/coral/com.amazon.bedrock/"

STATUS_OF_ERROR = MappingProxyType(
    {
        "AccessDeniedException": 403,
        "ExpiredTokenException": 403,
        "IncompleteSignatureException": 403,
        "InternalServerException": 500,
        "InvalidSignatureException": 403,
        "MissingAuthenticationTokenException": 403,
        "ModelErrorException": 424,
        "ModelNotReadyException": 429,
        "ModelTimeoutException": 408,
        "ResourceNotFoundException": 404,
        "SerializationException": 400,
        "ServiceUnavailableException": 503,
        "ThrottlingException": 429,
        "UnknownOperationException": 404,
        "UnrecognizedClientException": 403,
        "ValidationException": 400,
    }
)


class ServiceError(Exception):
    """A refusal in Bedrock's own terms; `name` is a key of STATUS_OF_ERROR."""

    def __init__(self, name: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.headers = headers or {}

    @property
    def status(self) -> int:
        """The HTTP status this error travels with."""
        return STATUS_OF_ERROR[self.name]

    @property
    def type_header(self) -> str:
        """The value of the x-amzn-ErrorType header."""
        return self.name + _ERROR_TYPE_SUFFIX


def invalid(message: str) -> ServiceError:
    """A ValidationException with this message."""
    return ServiceError("ValidationException", message)


def model_refuses(message: str) -> ServiceError:
    """A ValidationException that Bedrock passes on from the model behind it."""
    return invalid(f"The model returned the following errors: {message}")


def not_an_object(path: str) -> ServiceError:
    """A ValidationException for free-form JSON that must be an object but is not."""
    return invalid(
        f"The format of the value at {path} is invalid. Provide a json object for the field and try again."
    )


def malformed(problem: str) -> ServiceError:
    """A ValidationException for a body that does not have the form it must have."""
    return invalid(f"Malformed input request: {problem}, please reformat your input and try again.")
