"""How Python looks for garbage in a process that keeps thousands of requests open."""

import gc

# Python's own thresholds suit scripts: with 10,000 open streams, every full collection stops the process for
# hundreds of milliseconds. Nearly all is freed by reference counting; cycles are found when they are young.
_THRESHOLDS = (10_000, 20, 10)


def keep_collections_short() -> None:
    """Collect rarely, and never again look at what is there already: call it once all is loaded."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
