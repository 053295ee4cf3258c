"""Build and run the gateway's image for real, also without a Docker daemon or a registry."""
