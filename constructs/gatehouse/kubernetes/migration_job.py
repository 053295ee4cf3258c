"""The Job that brings the database's schema up to date."""

from lightkube.models import batch_v1 as batch
from lightkube.models import core_v1 as core
from lightkube.models import meta_v1 as meta

from gatehouse.image_profile import Migrations
from gatehouse.kubernetes.manifest import Manifest, digest, labels
from gatehouse.kubernetes.pods import image_container, image_pod
from gatehouse.kubernetes.workload_inputs import GATEWAY, MIGRATIONS, Workload

# All attempts together, with a new node and the image: less than the 15 minutes of what waits for the Job.
DEADLINE_SECONDS = 720
ATTEMPTS = 3


def migration_job(workload: Workload, migrations: Migrations) -> Manifest:
    """A Job that is named by what it runs: Kubernetes changes none, and the same need not run again.

    It stays when it has ended: whoever applies the manifests again would run it again if it were gone.
    """
    spec = _spec(workload, migrations)
    name = f"{MIGRATIONS}-{digest(workload.resolve(spec.to_dict()))}"
    return batch.Job(metadata=workload.metadata(name, MIGRATIONS), spec=spec).to_dict()


def _spec(workload: Workload, migrations: Migrations) -> batch.JobSpec:
    # A pod that its node takes along is no failed attempt.
    disrupted = batch.PodFailurePolicyOnPodConditionsPattern(type="DisruptionTarget", status="True")
    rule = batch.PodFailurePolicyRule(action="Ignore", onPodConditions=[disrupted])
    return batch.JobSpec(
        backoffLimit=ATTEMPTS - 1,
        activeDeadlineSeconds=DEADLINE_SECONDS,
        podFailurePolicy=batch.PodFailurePolicy(rules=[rule]),
        template=core.PodTemplateSpec(
            metadata=meta.ObjectMeta(
                labels=labels(GATEWAY, MIGRATIONS),
                # Nor are nodes rearranged in the middle of it.
                annotations={"karpenter.sh/do-not-disrupt": "true"},
            ),
            spec=_pod(workload, migrations),
        ),
    )


def _pod(workload: Workload, migrations: Migrations) -> core.PodSpec:
    main = image_container(
        workload,
        MIGRATIONS,
        migrations.container,
        cpu_units=migrations.cpu_units,
        memory_mib=migrations.memory_mib,
        environment={},
        secrets_variable=None,
    )
    pod = image_pod(workload, MIGRATIONS, migrations.container, main)
    pod.restartPolicy = "Never"
    return pod
