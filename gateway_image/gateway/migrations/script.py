"""Runs a migration's SQL."""

from alembic import op


def run_script(sql: str) -> None:
    """Run several statements in the migration's transaction; Alembic itself runs one at a time."""
    connection = op.get_bind().connection
    connection.run_async(lambda driver: driver.execute(sql))
