"""The section `backup`."""

from stacks.config.section import Section


class Backup(Section):
    """Copies of the data that nobody can delete early."""
