"""Where a multi-region access point leads."""
