"""The function that empties a VPC's default security group."""
