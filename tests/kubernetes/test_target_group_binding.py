"""How pods get into the load balancer's target group, and when they count as ready."""

from gatehouse.kubernetes.workload import prerequisites
from tests.kubernetes.workloads import TARGET_GROUP, on_an_existing_cluster, only, workload


def test_pods_are_bound_by_their_addresses_to_the_platform_s_target_group() -> None:
    binding = only(prerequisites(workload()), "TargetGroupBinding")
    service = only(prerequisites(workload()), "Service")
    assert binding["spec"] == {
        "targetGroupARN": TARGET_GROUP,
        "targetType": "ip",
        "serviceRef": {"name": service["metadata"]["name"], "port": service["spec"]["ports"][0]["port"]},
    }


def test_another_port_s_target_group_has_a_binding_of_its_own() -> None:
    # A binding's target group cannot be changed, and another port makes another group.
    names = {
        only(prerequisites(workload(profile)), "TargetGroupBinding")["metadata"]["name"]
        for profile in ("gatehouse", "litellm")
    }
    assert names == {"gateway-8080", "gateway-4000"}


def test_the_service_is_the_pods_port_and_reachable_from_outside_by_nobody() -> None:
    spec = only(prerequisites(workload()), "Service")["spec"]
    assert spec["type"] == "ClusterIP"
    assert spec["ports"] == [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]


def test_it_is_for_whoever_registers_targets_in_the_cluster() -> None:
    auto_mode, controller = workload(), on_an_existing_cluster()
    assert only(prerequisites(auto_mode), "TargetGroupBinding")["apiVersion"] == "eks.amazonaws.com/v1"
    assert only(prerequisites(controller), "TargetGroupBinding")["apiVersion"] == "elbv2.k8s.aws/v1beta1"


def test_a_pod_is_ready_when_the_load_balancer_finds_it_healthy() -> None:
    auto_mode, controller = (
        only(prerequisites(found), "Namespace")["metadata"]["labels"]
        for found in (workload(), on_an_existing_cluster())
    )
    assert auto_mode["eks.amazonaws.com/pod-readiness-gate-inject"] == "enabled"
    assert controller["elbv2.k8s.aws/pod-readiness-gate-inject"] == "enabled"
    assert not [name for name in auto_mode if name.startswith("elbv2")]


def test_each_account_has_the_role_of_its_annotations() -> None:
    found = workload(gateway_annotations={"role": "gateway"}, migration_annotations={"role": "owner"})
    manifests = prerequisites(found)
    accounts = {name: only(manifests, "ServiceAccount", name) for name in ("gateway", "migrations")}
    assert accounts["gateway"]["metadata"]["annotations"] == {"role": "gateway"}
    assert accounts["migrations"]["metadata"]["annotations"] == {"role": "owner"}
    assert all(account["automountServiceAccountToken"] is False for account in accounts.values())
