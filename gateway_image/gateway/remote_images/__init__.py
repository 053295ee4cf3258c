"""Images that a request names by URL, for models that take none so: fetched here, from listed hosts only."""
