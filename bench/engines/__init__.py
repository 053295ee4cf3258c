"""Which server, HTTP client, codec and cache client the gateway should run on: `python -m bench.engines`."""
