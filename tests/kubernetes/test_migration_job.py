"""The Job that migrates the database: once for each version of what it runs."""

from dataclasses import replace
from typing import Any

import aws_cdk as cdk

from gatehouse.kubernetes.workload import prerequisites
from gatehouse.kubernetes.workload_inputs import Workload
from gatehouse.profiles.gatehouse import MIGRATIONS_COMMAND, PYTHON
from tests.constructs.parts import new_stack
from tests.kubernetes.workloads import IMAGE, on_an_existing_cluster, only, pod_of, values_of, workload


def _job(found: Workload) -> dict[str, Any]:
    return only(prerequisites(found), "Job")


def test_it_runs_the_image_s_migrations_as_their_own_account() -> None:
    pod = pod_of(_job(workload()))
    (container,) = pod["containers"]
    assert container["image"] == IMAGE
    assert [*container["command"], *container["args"]] == [PYTHON, *MIGRATIONS_COMMAND]
    assert pod["serviceAccountName"] == "migrations"
    assert container["resources"]["limits"] == {"cpu": "250m", "memory": "512Mi"}
    values = values_of(container)
    assert values["GATEWAY_DATABASE_USERNAME"] == "owner"
    # The gateway's secrets are none of its business.
    assert not any("csi" in volume for volume in pod["volumes"])


def test_an_attempt_that_fails_is_made_again_within_the_time_that_somebody_waits() -> None:
    spec = _job(workload())["spec"]
    assert spec["backoffLimit"] == 2
    assert spec["activeDeadlineSeconds"] < 15 * 60
    assert pod_of(_job(workload()))["restartPolicy"] == "Never"
    # A node that goes away is no failure of the migrations.
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onPodConditions"]) == (
        "Ignore",
        [{"type": "DisruptionTarget", "status": "True"}],
    )
    annotations = spec["template"]["metadata"]["annotations"]
    assert annotations == {"karpenter.sh/do-not-disrupt": "true"}


def test_it_is_named_by_what_it_runs() -> None:
    name = _job(workload())["metadata"]["name"]
    assert name.startswith("migrations-")
    assert name == _job(workload())["metadata"]["name"]
    others = [
        workload(image_uri=IMAGE.replace("a", "b")),
        workload(cpu_architecture="x86_64"),
        on_an_existing_cluster(),
    ]
    assert len({name, *(_job(other)["metadata"]["name"] for other in others)}) == 4
    # What concerns the gateway alone migrates nothing again.
    assert _job(workload(cpu_units=4096, memory_mib=8192))["metadata"]["name"] == name


def test_its_name_does_not_depend_on_how_the_cdk_numbers_its_values() -> None:
    def name(values_before: int) -> str:
        stack = new_stack()
        for number in range(values_before):
            str(cdk.CfnParameter(stack, f"Parameter{number}").value_as_string)
        image = cdk.CfnParameter(stack, "Image").value_as_string
        usual = workload()
        found: str = _job(replace(usual, image_uri=image, resolve=stack.resolve))["metadata"]["name"]
        return found

    assert name(0) == name(3)


def test_it_stays_when_it_has_ended() -> None:
    # Whoever keeps the manifests applied would run it again if it were gone.
    assert "ttlSecondsAfterFinished" not in _job(workload())["spec"]


def test_an_image_without_migrations_has_none() -> None:
    manifests = prerequisites(workload("custom"))
    assert "Job" not in {each["kind"] for each in manifests}
    assert [each["metadata"]["name"] for each in manifests if each["kind"] == "ServiceAccount"] == ["gateway"]
    assert "migrations" not in [each["metadata"]["name"] for each in manifests]
