"""What the gateway needs of AWS: credentials, request signatures and endpoints."""
