"""Whether a replica has all that its database was told."""
