"""A local AWS: MiniStack with what the deployed stacks need beyond it, as one process.

`repairs` mends answers that AWS gives differently, `stand_ins` records the resource types that MiniStack does
not know, `existing` adds what an account holds beforehand.
"""
