"""What the commands of the local platform report instead of a traceback."""


class LocalError(Exception):
    """Something failed while running; the message is complete and says what to do about it."""


class PreconditionError(LocalError):
    """This machine or this command line is not ready, and nothing was started; one line per problem."""
