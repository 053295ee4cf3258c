"""Names of what the custom resource gives: for its function, and for the stack that reads them."""


def attribute(region: str) -> str:
    """A region as the name of an attribute, which has letters and digits alone."""
    return region.replace("-", "")
