"""What is assumed of an environment's use."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """A month's use; sizes are of a request's and an answer's body together with its headers.

    log_kb: what the gateway, the firewall and the flow logs write for a request together.
    cluster_log_gb: what a Kubernetes cluster's control plane and add-ons write. change_gb: what the database
    writes anew, and objects_gb: what is stored in the bucket, both of which a standby region gets, too.
    """

    requests: int = 1_000_000
    request_kb: float = 8.0
    answer_kb: float = 8.0
    log_kb: float = 3.0
    people: int = 50
    image_gb: float = 1.0
    nat_gb: float = 20.0
    backup_gb: float = 50.0
    cluster_log_gb: float = 30.0
    change_gb: float = 20.0
    objects_gb: float = 20.0

    @property
    def in_gb(self) -> float:
        """What callers send."""
        return self.requests * self.request_kb / 1e6

    @property
    def out_gb(self) -> float:
        """What they receive."""
        return self.requests * self.answer_kb / 1e6

    @property
    def of_a_standby(self) -> Traffic:
        """What the passive region has of it: no callers, but the copies of what the other one writes."""
        return replace(self, requests=0, people=0, nat_gb=0)

    @property
    def of_a_primary(self) -> Traffic:
        """What the other regions have of it: either may copy objects to the other, which get there once."""
        return replace(self, objects_gb=0)
