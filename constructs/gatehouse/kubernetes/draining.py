"""How long a pod has from the moment it is told to go, along the whole chain.

Kubernetes removes the pod from the load balancer's target group and, at the same time, runs its preStop hook;
when that is over, the container gets SIGTERM, and SIGKILL at the end of the grace period.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gatehouse.gateway_task import STOP_TIMEOUT
from gatehouse.image_profile import ImageProfile
from gatehouse.service_targets import DEREGISTRATION_DELAY

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


def draining(profile: ImageProfile) -> Draining:
    """How a pod of an image goes without cutting an answer for which the load balancer would wait.

    An image that is told how long its streams may take ends with the last of them. What another does with its
    streams on SIGTERM is not known: it gets that once the load balancer has given up on the last.
    """
    streams = int(DEREGISTRATION_DELAY.to_seconds())
    ending = int(STOP_TIMEOUT.to_seconds())
    if profile.drain_variable is None:
        return Draining(before_stop=streams, grace=streams + ending, variables={})
    return Draining(
        before_stop=LEAVING_SECONDS,
        grace=LEAVING_SECONDS + streams + ending,
        variables={profile.drain_variable: str(streams)},
    )
