"""The gateways that ours is measured against, each in an environment of its own outside the repository."""

from bench.peers.litellm import LITELLM
from bench.peers.nginx import NGINX
from bench.peers.portkey import PORTKEY
from bench.peers.tensorzero import TENSORZERO

__all__ = ["LITELLM", "NGINX", "PORTKEY", "TENSORZERO"]
