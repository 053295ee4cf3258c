"""Whether a region serves."""
