"""Recovery in another region: readiness, failover, failback and drills."""
