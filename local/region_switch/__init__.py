"""A stand-in for ARC Region switch: its API's wire format, and plans that are really executed."""
