"""The function of a custom resource: what another region's stack told."""
