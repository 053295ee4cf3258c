"""Which health check is which region's."""
