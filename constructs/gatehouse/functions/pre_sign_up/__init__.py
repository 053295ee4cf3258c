"""Says who may get an account."""
