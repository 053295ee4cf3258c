"""Applies Kubernetes manifests for CloudFormation."""
