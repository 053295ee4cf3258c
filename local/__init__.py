"""The whole platform on one machine: a local AWS, its neighbours, the gateway. `python -m local --help`."""
