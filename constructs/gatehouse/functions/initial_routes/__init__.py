"""Says where a multi-region access point leads at first."""
