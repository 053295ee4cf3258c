"""Jobs run before what comes after them, once, and again when there is a reason to."""

from local.kubernetes import controllers
from local.kubernetes.cluster import Cluster
from tests.constructs.apply_manifests.conftest import SHORT_SECONDS, Stack
from tests.constructs.apply_manifests.objects import (
    NAMESPACE,
    Object,
    a_config_map,
    a_gateway,
    a_job,
    a_pod,
)


def test_what_comes_after_a_job_waits_for_its_end(stack: Stack, kubernetes: Cluster) -> None:
    def slow(job: Object, reads: int) -> Object:
        assert kubernetes.get("Deployment", "gateway") is None
        return controllers.complete(job, 0 if reads < 5 else 1)

    kubernetes.controllers["Job"] = slow
    stack.create(NAMESPACE, a_job(), a_gateway())
    assert kubernetes.get("Deployment", "gateway") is not None


def test_a_failed_job_ends_the_deployment_and_says_why(stack: Stack, kubernetes: Cluster) -> None:
    stack.create(NAMESPACE, a_gateway())
    kubernetes.controllers["Job"] = controllers.fail
    labels = {"batch.kubernetes.io/job-name": "migrations-2"}
    ended = {"name": "gateway", "ready": False, "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}
    kubernetes.add(a_pod("migrations-2-a", ended, labels=labels, phase="Failed"))
    kubernetes.logs["migrations-2-a", "gateway", False] = ["one", "two", "three", "the schema is newer"]
    reason = stack.fail_to_update(NAMESPACE, a_job("migrations-2"), a_gateway("gateway:2"))
    assert reason == (
        "DeploymentError: Job migrations-2 in namespace gatehouse failed "
        "(Failed: Job has reached the specified backoff limit\n"
        "pod migrations-2-a: phase Failed; container gateway ended with exit code 3 (Error); its log ends:\n"
        "two\nthree\nthe schema is newer)"
    )
    gateway = kubernetes.get("Deployment", "gateway")
    assert gateway is not None
    assert gateway["spec"]["template"]["spec"]["containers"][0]["image"] == "gateway:1"


def test_a_failed_job_is_run_again_by_the_next_attempt(stack: Stack, kubernetes: Cluster) -> None:
    """CloudFormation asks twice at times, and cannot always remove what failed."""
    kubernetes.controllers["Job"] = controllers.fail
    stack.fail_to_create(NAMESPACE, a_job())
    first = kubernetes.get("Job", "migrations-1")
    assert first is not None

    def controller(job: Object, reads: int) -> Object:
        is_first = job["metadata"]["uid"] == first["metadata"]["uid"]
        return (controllers.fail if is_first else controllers.complete)(job, reads)

    kubernetes.controllers["Job"] = controller
    stack.create(NAMESPACE, a_job())
    second = kubernetes.get("Job", "migrations-1")
    assert second is not None
    assert second["metadata"]["uid"] != first["metadata"]["uid"]


def test_a_job_that_has_succeeded_is_not_run_again(stack: Stack, kubernetes: Cluster) -> None:
    stack.create(NAMESPACE, a_job())
    before = kubernetes.get("Job", "migrations-1")
    stack.update(NAMESPACE, a_job(), a_config_map())
    after = kubernetes.get("Job", "migrations-1")
    assert before is not None
    assert after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


def test_a_job_whose_values_have_changed_is_run_again(stack: Stack, kubernetes: Cluster) -> None:
    """Its name tells nothing of the values that CloudFormation fills in."""
    stack.create(NAMESPACE, a_job())
    before = kubernetes.get("Job", "migrations-1")
    # Kubernetes tells the value before it says what is wrong with it.
    long = f"gateway:{1000 * '2'}"
    stack.update(NAMESPACE, a_job(image=long))
    after = kubernetes.get("Job", "migrations-1")
    assert before is not None
    assert after is not None
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["spec"]["template"]["spec"]["containers"][0]["image"] == long


def test_a_job_that_runs_is_not_replaced(stack: Stack, kubernetes: Cluster) -> None:
    kubernetes.controllers["Job"] = lambda job, _reads: controllers.complete(job, 0)
    stack.seconds = SHORT_SECONDS
    stack.fail_to_create(NAMESPACE, a_job())
    reason = stack.fail_to_create(NAMESPACE, a_job(image="gateway:2"))
    assert reason.startswith("ImmutableFieldError: PATCH ")
    assert "DELETE /apis/batch/v1/namespaces/gatehouse/jobs/migrations-1" not in kubernetes.requests


def test_an_endless_job_is_answered_in_lambda_s_time(stack: Stack, kubernetes: Cluster) -> None:
    stack.seconds = SHORT_SECONDS
    kubernetes.controllers["Job"] = lambda job, _reads: controllers.complete(job, 0)
    reason = stack.fail_to_create(NAMESPACE, a_job())
    assert reason.startswith("DeploymentError: Job migrations-1 in namespace gatehouse takes too long (")
