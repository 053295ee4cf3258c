"""How many pods a Deployment may have."""
