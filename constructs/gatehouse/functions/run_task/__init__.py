"""Runs an ECS task to its end for CloudFormation."""
