"""Two regions on one machine, and what happens to callers when the first of them is lost."""
