"""The section `alarms`."""

from stacks.config.section import Section


class Alarms(Section):
    """Who is told when an alarm goes off."""
