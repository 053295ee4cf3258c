"""The Kubernetes versions that are offered, and how long Amazon EKS supports them at the ordinary price."""

from collections.abc import Mapping
from datetime import date

# From endoflife.date/amazon-eks, which follows the release calendar of the EKS user guide (in UTC), as of
# 2026-11-21. After its day a cluster costs six times as much.
END_OF_STANDARD_SUPPORT: Mapping[str, date] = {
    "1.35": date(2027, 3, 27),
    "1.36": date(2027, 8, 2),
}


def days_of_support(version: str, today: date) -> int:
    """How many days of standard support a version has left; 0 or less when it has ended."""
    return (END_OF_STANDARD_SUPPORT[version] - today).days
