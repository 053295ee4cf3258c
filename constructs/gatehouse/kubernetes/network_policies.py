"""Who may open a connection to whom, in the workload's namespace: what is not named here is refused."""

from collections.abc import Sequence

from lightkube.models import meta_v1 as meta
from lightkube.models import networking_v1 as networking

from gatehouse.kubernetes.manifest import Manifest
from gatehouse.kubernetes.workload_inputs import GATEWAY, MIGRATIONS, Workload, selector

HTTPS = 443
DNS = 53
# Names are resolved on the node, by the cluster or by the VPC, as the cluster has it: none of them is public.
PRIVATE_CIDRS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16")
# Where EKS Pod Identity hands out credentials, on each node.
IDENTITY_AGENT_CIDR = "169.254.170.23/32"
IDENTITY_AGENT_PORT = 80
ANYWHERE = "0.0.0.0/0"
ANYWHERE_IPV6 = "::/0"
_BOTH = ["Ingress", "Egress"]


def network_policies(workload: Workload) -> list[Manifest]:
    """Refuse everything, then open what the gateway and its migrations need.

    Kubelet's probes are always let through. Secrets are mounted by the node, not by the pod.
    """
    policies = [_refuse_everything(workload), _for_gateway(workload)]
    if workload.profile.migrations is not None:
        policies.append(_for_migrations(workload))
    return [policy.to_dict() for policy in policies]


def _refuse_everything(workload: Workload) -> networking.NetworkPolicy:
    return networking.NetworkPolicy(
        metadata=workload.metadata("refuse-everything", "network"),
        spec=networking.NetworkPolicySpec(podSelector=meta.LabelSelector(), policyTypes=_BOTH),
    )


def _for_gateway(workload: Workload) -> networking.NetworkPolicy:
    """In from the load balancer; out to AWS and model providers, whose addresses nobody can name."""
    anywhere = [ANYWHERE, ANYWHERE_IPV6] if workload.has_ipv6 else [ANYWHERE]
    return _policy(
        workload,
        GATEWAY,
        ingress=[
            networking.NetworkPolicyIngressRule(
                from_=_blocks(workload.load_balancer_cidrs), ports=[_port(workload.profile.port)]
            )
        ],
        egress=[
            *_names_and_role(workload),
            _to(workload.backend_cidrs, workload.database_port, workload.cache_port),
            _to(anywhere, HTTPS),
        ],
    )


def _for_migrations(workload: Workload) -> networking.NetworkPolicy:
    egress = [*_names_and_role(workload), _to(workload.backend_cidrs, workload.database_port)]
    if workload.cluster.identity == "oidc":
        # STS, which gives the role for the cluster's token.
        egress.append(_to([ANYWHERE], HTTPS))
    return _policy(workload, MIGRATIONS, ingress=None, egress=egress)


def _names_and_role(workload: Workload) -> list[networking.NetworkPolicyEgressRule]:
    names = networking.NetworkPolicyEgressRule(
        to=_blocks(PRIVATE_CIDRS), ports=[_port(DNS, "UDP"), _port(DNS, "TCP")]
    )
    if workload.cluster.identity == "oidc":
        return [names]
    return [names, _to([IDENTITY_AGENT_CIDR], IDENTITY_AGENT_PORT)]


def _policy(
    workload: Workload,
    component: str,
    *,
    ingress: list[networking.NetworkPolicyIngressRule] | None,
    egress: list[networking.NetworkPolicyEgressRule],
) -> networking.NetworkPolicy:
    return networking.NetworkPolicy(
        metadata=workload.metadata(component, component),
        spec=networking.NetworkPolicySpec(
            podSelector=meta.LabelSelector(matchLabels=selector(component)),
            policyTypes=_BOTH,
            ingress=ingress,
            egress=egress,
        ),
    )


def _to(cidrs: Sequence[str], *ports: int) -> networking.NetworkPolicyEgressRule:
    return networking.NetworkPolicyEgressRule(to=_blocks(cidrs), ports=[_port(port) for port in ports])


def _blocks(cidrs: Sequence[str]) -> list[networking.NetworkPolicyPeer]:
    return [networking.NetworkPolicyPeer(ipBlock=networking.IPBlock(cidr=cidr)) for cidr in cidrs]


def _port(port: int, protocol: str = "TCP") -> networking.NetworkPolicyPort:
    return networking.NetworkPolicyPort(port=port, protocol=protocol)
