"""What moves callers and data from one region to another: the Region switch plan and all that it needs."""
