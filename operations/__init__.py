"""The command `gatehouse`: runs a gateway from a terminal or a script, through its admin API."""
