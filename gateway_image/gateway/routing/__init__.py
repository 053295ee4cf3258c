"""Which deployment answers a request, and what happens when it cannot."""
