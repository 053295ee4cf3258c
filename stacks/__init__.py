"""The stacks of one environment: they wire constructs together and define no resources themselves."""
