"""The fields of the kinds that are no part of Kubernetes, as their definitions have them (November 2026).

TargetGroupBinding: github.com/kubernetes-sigs/aws-load-balancer-controller, config/crd, and for EKS Auto Mode
the table of differences in "Create an IngressClass" of the EKS User Guide. SecretProviderClass:
github.com/kubernetes-sigs/secrets-store-csi-driver, config/crd. NodeClass: "Create a Node Class" of the EKS
User Guide. NodePool: karpenter.sh, NodePools. Fields that the platform does not use are left out, so that one
that is misspelt is found.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator

from gatehouse.kubernetes.manifest import Manifest

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
NUMBER: Schema = {"type": "integer", "minimum": 0}
DURATION: Schema = {"type": "string", "pattern": r"^([0-9]+(s|m|h))+$"}
PERCENT: Schema = {"type": "string", "pattern": r"^(100|[0-9]{1,2})%$"}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items, "minItems": 1}


def _object(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
        "additionalProperties": False,
    }


_SERVICE = _object({"name": TEXT, "port": {"type": ["integer", "string"]}})
_TARGET_GROUP_BINDING = _object(
    {"targetGroupARN": TEXT, "serviceRef": _SERVICE, "targetType": {"enum": ["ip", "instance"]}}
)
_SECRET_OBJECT = _object(
    {
        "secretName": TEXT,
        "type": TEXT,
        "data": _list(_object({"objectName": TEXT, "key": TEXT})),
    },
    {"labels": TEXTS},
)
_SECRET_PROVIDER_CLASS = _object(
    # What AWS's provider reads. All of them are text.
    {
        "provider": {"const": "aws"},
        "parameters": _object(
            {"region": TEXT, "objects": TEXT}, {"usePodIdentity": {"enum": ["true", "false"]}}
        ),
    },
    {"secretObjects": _list(_SECRET_OBJECT)},
)
_NODE_CLASS = _object(
    {
        "role": TEXT,
        "subnetSelectorTerms": _list(_object({"id": TEXT})),
        "securityGroupSelectorTerms": _list(_object({"id": TEXT})),
    },
    {
        "ephemeralStorage": _object({}, {"size": TEXT, "iops": NUMBER, "kmsKeyID": TEXT}),
        "networkPolicy": {"enum": ["DefaultAllow", "DefaultDeny"]},
        "networkPolicyEventLogs": {"enum": ["Disabled", "Enabled"]},
        "snatPolicy": {"enum": ["Random", "Disabled"]},
        "advancedNetworking": _object(
            {}, {"associatePublicIPAddress": {"type": "boolean"}, "ipv4PrefixSize": {"enum": ["Auto", "32"]}}
        ),
        "tags": TEXTS,
    },
)
_REQUIREMENT = _object(
    {"key": TEXT, "operator": {"enum": ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]}},
    {"values": _list(TEXT), "minValues": NUMBER},
)
_NODES = _object(
    {
        "nodeClassRef": _object({"group": TEXT, "kind": TEXT, "name": TEXT}),
        "requirements": _list(_REQUIREMENT),
    },
    {"expireAfter": DURATION, "terminationGracePeriod": DURATION},
)
_BUDGET = _object(
    {"nodes": PERCENT},
    {
        "reasons": _list({"enum": ["Drifted", "Underutilized", "Empty"]}),
        "schedule": TEXT,
        "duration": DURATION,
    },
)
_NODE_POOL = _object(
    {"template": _object({"spec": _NODES}, {"metadata": _object({}, {"labels": TEXTS})})},
    {
        "disruption": _object(
            {"consolidateAfter": DURATION},
            {
                "consolidationPolicy": {"enum": ["WhenEmpty", "WhenEmptyOrUnderutilized"]},
                "budgets": _list(_BUDGET),
            },
        ),
        "limits": TEXTS,
        "weight": NUMBER,
    },
)
SPECS: Mapping[tuple[str, str], Schema] = {
    ("eks.amazonaws.com/v1", "TargetGroupBinding"): _TARGET_GROUP_BINDING,
    ("elbv2.k8s.aws/v1beta1", "TargetGroupBinding"): _TARGET_GROUP_BINDING,
    ("secrets-store.csi.x-k8s.io/v1", "SecretProviderClass"): _SECRET_PROVIDER_CLASS,
    ("eks.amazonaws.com/v1", "NodeClass"): _NODE_CLASS,
    ("karpenter.sh/v1", "NodePool"): _NODE_POOL,
}
_METADATA = _object({"name": TEXT, "labels": TEXTS}, {"namespace": TEXT, "annotations": TEXTS})


def problems(manifest: Manifest) -> Sequence[str]:
    """What is wrong with an object of such a kind; KeyError for a kind that is not known."""
    spec = SPECS[manifest["apiVersion"], manifest["kind"]]
    whole = _object({"apiVersion": TEXT, "kind": TEXT, "metadata": _METADATA, "spec": spec})
    return [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(whole).iter_errors(manifest)
    ]
