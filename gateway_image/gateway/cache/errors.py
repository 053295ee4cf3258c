"""What goes wrong when the cache is asked."""


class CacheError(Exception):
    """The cache did not do what it was asked; the message holds no secret."""


class CacheUnavailableError(CacheError):
    """There is no connection, or it broke or hung before the reply. Whether the command ran is not known."""


class CacheReplyError(CacheError):
    """The cache replied with an error; the message begins with its code, such as OOM or NOPERM."""
