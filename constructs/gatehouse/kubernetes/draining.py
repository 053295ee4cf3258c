"""How long a pod has from the moment it is told to go, along the whole chain.

Kubernetes removes the pod from the load balancer's target group and, at the same time, runs its preStop hook;
when that is over, the container gets SIGTERM, and SIGKILL at the end of the grace period.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gatehouse.image_profile import ImageProfile
from gatehouse.time_limits import STOP_SECONDS

# Until the controller has taken the pod out of its target group and the load balancer sends it nothing new.
LEAVING_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Draining:
    """The time limits of a pod that goes, in seconds.

    before_stop: until SIGTERM. grace: until SIGKILL. variables: what the image has to be told of it.
    """

    before_stop: int
    grace: int
    variables: Mapping[str, str]


def draining(profile: ImageProfile, *, drain_seconds: int) -> Draining:
    """How a pod of an image goes: `drain_seconds` are for the answers that it still gives.

    The load balancer waits for them for as long, from when it sends nothing new. An image that is told how
    long its streams may take ends with the last of them. What another does with its streams on SIGTERM is not
    known: it gets that once the load balancer has given up on the last.
    """
    given_up = LEAVING_SECONDS + drain_seconds
    if profile.drain_variable is None:
        return Draining(before_stop=given_up, grace=given_up + STOP_SECONDS, variables={})
    return Draining(
        before_stop=LEAVING_SECONDS,
        grace=given_up + STOP_SECONDS,
        variables={profile.drain_variable: str(drain_seconds)},
    )
