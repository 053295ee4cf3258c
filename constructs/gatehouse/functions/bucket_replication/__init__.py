"""Has the bucket of another region copied into this one."""
