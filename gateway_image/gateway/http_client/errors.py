"""What can go wrong with a request the gateway sends."""


class HttpError(Exception):
    """A request failed before its response was complete: the network, the peer or the protocol."""


class HttpConnectError(HttpError):
    """No connection could be made, so the request was not sent."""


class HttpTimeoutError(HttpError):
    """The peer took longer than it may."""
