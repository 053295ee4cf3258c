"""The section `audit`."""

from stacks.config.section import Section


class Audit(Section):
    """What is recorded of who did what in the account."""
