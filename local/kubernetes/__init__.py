"""The API of a Kubernetes cluster on one machine: what deploying into a cluster of EKS needs of it."""
