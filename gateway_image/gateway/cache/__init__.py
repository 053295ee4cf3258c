"""What the gateway's processes share in Valkey. All of it can be rebuilt, and requests go on without it."""
