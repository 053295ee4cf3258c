"""What is taken back when an update fails, what is removed when, and what never is."""

import copy

import pytest

from gatehouse.functions.apply_manifests.ownership import LABEL
from local.kubernetes import controllers
from local.kubernetes.cluster import Cluster, Fault
from tests.constructs.apply_manifests.conftest import ALARM, NAME, SHORT_SECONDS, STACK, Aws, Stack
from tests.constructs.apply_manifests.objects import (
    NAMESPACE,
    Object,
    a_config_map,
    a_gateway,
    a_job,
    stuck,
)


def test_what_an_update_has_no_use_for_is_removed_after_it(stack: Stack, kubernetes: Cluster) -> None:
    stack.create(NAMESPACE, a_config_map("settings-1"), a_job("migrations-1"), a_gateway())
    stack.update(NAMESPACE, a_config_map("settings-2"), a_job("migrations-2"), a_gateway("gateway:2"))
    assert kubernetes.names() == {
        "Namespace gatehouse",
        "ConfigMap settings-2",
        "Job migrations-2",
        "Deployment gateway",
    }
    removed = [r for r in kubernetes.requests if r.startswith("DELETE")]
    assert [r.rpartition("/")[2] for r in removed] == ["migrations-1", "settings-1"]
    applied = [i for i, r in enumerate(kubernetes.requests) if r.startswith("PATCH")]
    assert kubernetes.requests.index(removed[0]) > applied[-1]


def test_a_failed_update_is_taken_back(stack: Stack, kubernetes: Cluster, aws: Aws) -> None:
    """With the alarm still on: the pods of before are applied, what was added is removed, no Job is run."""
    stack.create(NAMESPACE, a_config_map("settings-1"), a_job("migrations-1"), a_gateway())
    kubernetes.controllers["Deployment"] = stuck("gateway:2")
    stack.fail_to_update(NAMESPACE, a_config_map("settings-2"), a_job("migrations-2"), a_gateway("gateway:2"))
    assert "ConfigMap settings-1" in kubernetes.names()
    aws.on.add(ALARM)
    assert stack.take_back() == "taken back: objects applied: 4"
    assert kubernetes.names() == {
        "Namespace gatehouse",
        "ConfigMap settings-1",
        "Job migrations-1",
        "Deployment gateway",
    }
    gateway = kubernetes.get("Deployment", "gateway")
    assert gateway is not None
    assert gateway["spec"]["template"]["spec"]["containers"][0]["image"] == "gateway:1"


def test_taking_back_does_not_wait_for_a_job_that_failed(stack: Stack, kubernetes: Cluster) -> None:
    stack.create(NAMESPACE, a_job("migrations-1"))
    kubernetes.controllers["Job"] = controllers.fail
    stack.fail_to_update(NAMESPACE, a_job("migrations-2"), a_gateway())
    begun = stack.clock.now
    stack.take_back(with_clean_up=False)
    assert stack.clock.now - begun < 30
    assert kubernetes.names() == {"Namespace gatehouse", "Job migrations-1"}


def test_taking_back_starts_no_job_that_is_not_there_any_more(stack: Stack, kubernetes: Cluster) -> None:
    """It would run an old version's migrations on a newer database."""
    stack.create(NAMESPACE, a_job("migrations-1"))
    kubernetes.controllers["Job"] = controllers.fail
    stack.fail_to_update(NAMESPACE, a_job("migrations-2"))
    patches = len([r for r in kubernetes.requests if r == _PATCH_OF_OLD_JOB])
    kubernetes.remove("Job", "migrations-1")
    stack.take_back()
    assert len([r for r in kubernetes.requests if r == _PATCH_OF_OLD_JOB]) == patches
    assert kubernetes.names() == {"Namespace gatehouse"}


def test_a_job_that_a_failed_update_has_replaced_goes_with_it(stack: Stack, kubernetes: Cluster) -> None:
    """Its namesake cannot be changed back, and would run an old version's migrations if it were made anew."""
    stack.create(NAMESPACE, a_job(), a_gateway())
    kubernetes.controllers["Job"] = controllers.fail
    stack.fail_to_update(NAMESPACE, a_job(image="gateway:2"), a_gateway("gateway:2"))
    assert stack.take_back().startswith("taken back: ")
    assert kubernetes.names() == {"Namespace gatehouse", "Deployment gateway"}
    kubernetes.controllers["Job"] = controllers.complete
    stack.update(NAMESPACE, a_job(image="gateway:3"), a_gateway())
    assert "Job migrations-1" in kubernetes.names()


_PATCH_OF_OLD_JOB = "PATCH /apis/batch/v1/namespaces/gatehouse/jobs/migrations-1"


def test_pods_that_stay_broken_do_not_keep_an_update_from_being_taken_back(
    stack: Stack, kubernetes: Cluster
) -> None:
    """CloudFormation would be stuck: it is told, and the next update can go on from there."""
    stack.create(NAMESPACE, a_gateway())
    stack.seconds = 2 * SHORT_SECONDS
    kubernetes.controllers["Deployment"] = lambda deployment, _reads: controllers.get_stuck(deployment, 0)
    stack.fail_to_update(NAMESPACE, a_gateway("gateway:2"))
    reason = stack.take_back()
    assert reason.startswith("taken back, but: Deployment gateway in namespace gatehouse")


def test_an_api_that_fails_after_all_is_applied_again_is_told(stack: Stack, kubernetes: Cluster) -> None:
    stack.create(NAMESPACE, a_gateway())
    kubernetes.controllers["Deployment"] = stuck("gateway:2")
    stack.fail_to_update(NAMESPACE, a_config_map(), a_gateway("gateway:2"))
    kubernetes.faults.append(Fault("^DELETE ", 503, times=100_000, message="no leader"))
    reason = stack.take_back(with_clean_up=False)
    assert reason.startswith("taken back, but: no more time; the last problem: DELETE ")


def test_removal_is_last_to_first_and_each_is_gone_before_the_next(stack: Stack, kubernetes: Cluster) -> None:
    stack.create(NAMESPACE, a_config_map(), a_job(), a_gateway())
    kubernetes.removal_reads["Job"] = 4
    assert stack.delete() == "objects removed: 4"
    assert kubernetes.names() == set()
    asked = [r.rpartition("/")[2] for r in kubernetes.requests if r.startswith("DELETE")]
    assert asked == ["gateway", "migrations-1", "settings", "gatehouse"]
    path = "/apis/batch/v1/namespaces/gatehouse/jobs/migrations-1"
    after_job = kubernetes.requests.index(f"DELETE {path}") + 1
    assert kubernetes.requests[after_job : after_job + 4] == [f"GET {path}"] * 4


def test_pods_may_end_their_answers_for_longer_than_their_removal_takes(
    stack: Stack, kubernetes: Cluster
) -> None:
    """Up to their grace period, which is longer than Lambda's time: they go by themselves."""
    kubernetes.add(copy.deepcopy(NAMESPACE))
    stack.create(a_config_map(), a_gateway())
    stack.seconds = SHORT_SECONDS
    kubernetes.removal_reads["Deployment"] = 10_000
    assert stack.delete() == (
        "objects removed: 2; Deployment gateway in namespace gatehouse is not gone yet: "
        "it waits for foregroundDeletion"
    )
    assert kubernetes.names() == {"Namespace gatehouse", "Deployment gateway"}


def test_removal_that_does_not_end_says_what_it_waits_for(stack: Stack, kubernetes: Cluster) -> None:
    stack.create(NAMESPACE)
    stack.seconds = SHORT_SECONDS
    kubernetes.removal_reads["Namespace"] = 10_000
    assert stack.fail_to_delete() == (
        "DeploymentError: Namespace gatehouse is not gone yet: it waits for foregroundDeletion"
    )


def test_removal_asked_for_twice_is_no_error(stack: Stack) -> None:
    stack.create(NAMESPACE, a_gateway())
    stack.delete()
    assert stack.delete() == "objects removed: 0"


def test_removal_of_what_was_half_made(stack: Stack, kubernetes: Cluster) -> None:
    kubernetes.controllers["Job"] = controllers.fail
    stack.fail_to_create(NAMESPACE, a_config_map(), a_job(), a_gateway())
    stack.delete()
    assert kubernetes.names() == set()


@pytest.mark.parametrize(
    "state",
    [
        None,
        {"status": "FAILED"},
        {
            "status": "DELETING",
            "endpoint": "https://127.0.0.1:1",
            "certificateAuthority": {"data": ""},
        },
    ],
)
def test_nothing_is_left_of_a_cluster_that_is_gone(stack: Stack, aws: Aws, state: Object | None) -> None:
    stack.create(NAMESPACE, a_gateway())
    aws.cluster = state
    assert stack.delete().startswith("nothing is left to remove: ")


def test_a_cluster_that_is_gone_takes_no_manifests(stack: Stack, aws: Aws) -> None:
    aws.cluster = None
    assert stack.fail_to_create(NAMESPACE) == f"ClusterGoneError: there is no cluster {NAME}"


@pytest.mark.parametrize("kind", ["Namespace", "ConfigMap"])
def test_what_was_there_before_is_changed_and_never_removed(
    stack: Stack, kubernetes: Cluster, kind: str
) -> None:
    """The namespace of a team's own cluster, above all."""
    theirs: Object = copy.deepcopy(NAMESPACE if kind == "Namespace" else a_config_map())
    theirs["metadata"]["labels"] = {"team": "platform"}
    kubernetes.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gatehouse"}})
    kubernetes.add(theirs)
    stack.create(NAMESPACE, a_config_map())
    stack.update(NAMESPACE, a_config_map(), a_gateway())
    found = kubernetes.get(kind, theirs["metadata"]["name"])
    assert found is not None
    assert found["metadata"]["labels"] == {"team": "platform"}
    stack.delete()
    assert f"{kind} {theirs['metadata']['name']}" in kubernetes.names()


def test_what_gitops_has_made_of_these_manifests_is_taken_over(stack: Stack, kubernetes: Cluster) -> None:
    kubernetes.add(copy.deepcopy(NAMESPACE))
    stack.create(NAMESPACE)
    stack.delete()
    assert kubernetes.names() == set()


def test_what_its_owners_have_taken_the_mark_off_stays(stack: Stack, kubernetes: Cluster) -> None:
    """As before GitOps takes over from CloudFormation."""
    stack.create(NAMESPACE, a_gateway())
    for kind, name in (("Namespace", "gatehouse"), ("Deployment", "gateway")):
        found = kubernetes.get(kind, name)
        assert found is not None
        del found["metadata"]["labels"][LABEL]
        kubernetes.add(found)
    assert stack.delete() == "objects removed: 0"
    assert kubernetes.names() == {"Namespace gatehouse", "Deployment gateway"}


def test_another_stack_s_objects_are_not_touched(stack: Stack, kubernetes: Cluster) -> None:
    stack.create(NAMESPACE, a_config_map())
    other = Stack(stack.aws, stack.clock, stack.answers)
    other.id = f"{STACK}-other/2"
    assert other.fail_to_create(NAMESPACE, a_config_map()) == (
        "ForeignObjectError: ConfigMap settings in namespace gatehouse belongs to another stack: "
        "give this one a namespace of its own"
    )


def test_another_stack_s_job_that_has_failed_stays(stack: Stack, kubernetes: Cluster) -> None:
    kubernetes.controllers["Job"] = controllers.fail
    stack.fail_to_create(NAMESPACE, a_job())
    other = Stack(stack.aws, stack.clock, stack.answers)
    other.id = f"{STACK}-other/2"
    assert "belongs to another stack" in other.fail_to_create(NAMESPACE, a_job())
    assert "Job migrations-1" in kubernetes.names()


def test_two_stacks_may_share_a_namespace(stack: Stack, kubernetes: Cluster) -> None:
    stack.create(NAMESPACE, a_config_map())
    other = Stack(stack.aws, stack.clock, stack.answers)
    other.id = f"{STACK}-other/2"
    other.create(NAMESPACE, a_config_map("others"))
    other.delete()
    assert kubernetes.names() == {"Namespace gatehouse", "ConfigMap settings"}


def test_a_stack_that_is_made_anew_finds_its_objects(stack: Stack, kubernetes: Cluster) -> None:
    stack.create(NAMESPACE, a_config_map())
    again = Stack(stack.aws, stack.clock, stack.answers)
    again.id = f"{STACK}/2"
    stack.aws.stack_status = "CREATE_IN_PROGRESS"
    again.create(NAMESPACE, a_config_map())
    again.delete()
    assert kubernetes.names() == set()


def test_marks_stay_what_deployed_objects_carry(stack: Stack, kubernetes: Cluster) -> None:
    stack.create(NAMESPACE)
    namespace = kubernetes.get("Namespace", "gatehouse")
    assert namespace is not None
    assert namespace["metadata"]["labels"][LABEL] == stack.physical_id
    assert stack.physical_id == "5df41dd91e9e9cde.5a271305d926daf454f9e6a841c9431a"
