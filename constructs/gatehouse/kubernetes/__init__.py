"""The gateway on Kubernetes: the cluster, and what runs in it."""
