"""Where things stand on the page of the architecture picture."""

from typing import NamedTuple

_BALANCER = "AWS::ElasticLoadBalancingV2"
WIDTH, HEIGHT = 980, 656


class Rectangle(NamedTuple):
    """A box by its upper left corner and size, in pixels."""

    x: float
    y: float
    width: float
    height: float


class Listing(NamedTuple):
    """Types of resources, listed from a point downwards; below them the subnets of one of the types."""

    x: float
    y: float
    types: tuple[str, ...]
    subnets_of: str | None = None


class Place(NamedTuple):
    """A stack's box and the listings in it."""

    box: Rectangle
    listings: tuple[Listing, ...]


class Flow(NamedTuple):
    """An arrow with its label, and the resource (stack, type) without which it would not be true."""

    start: tuple[float, float]
    end: tuple[float, float]
    label: str
    label_at: tuple[float, float]
    needs: tuple[str, str]


APPLICATIONS = Rectangle(24, 84, 150, 64)
BEDROCK = Rectangle(812, 568, 136, 64)
ENDPOINTS = Rectangle(812, 222, 136, 214)
VPC = Rectangle(213, 190, 743, 330)

# A box that crosses the border of the VPC lists the resources on each side of it apart.
PLACES = {
    "Edge": Place(
        Rectangle(24, 270, 401, 190),
        (
            Listing(
                40,
                322,
                (
                    "AWS::Route53::RecordSet",
                    "AWS::CertificateManager::Certificate",
                    "AWS::WAFv2::WebACL",
                    "AWS::S3::Bucket",
                    "AWS::Logs::LogGroup",
                ),
            ),
            Listing(
                229,
                322,
                ("AWS::ElasticLoadBalancingV2::LoadBalancer",),
                subnets_of="AWS::ElasticLoadBalancingV2::LoadBalancer",
            ),
        ),
    ),
    "Service": Place(
        Rectangle(474, 84, 280, 264),
        (
            Listing(
                490,
                134,
                (
                    "AWS::AppConfig::ConfigurationProfile",
                    "AWS::ApplicationAutoScaling::ScalableTarget",
                    "AWS::Logs::LogGroup",
                ),
            ),
            Listing(
                490, 220, ("AWS::ECS::Service", "Custom::DatabaseMigration"), subnets_of="AWS::ECS::Service"
            ),
        ),
    ),
    "Data": Place(
        Rectangle(474, 408, 280, 224),
        (
            Listing(
                490,
                458,
                ("AWS::RDS::DBInstance", "AWS::ElastiCache::ReplicationGroup"),
                subnets_of="AWS::RDS::DBSubnetGroup",
            ),
            Listing(490, 548, ("AWS::SecretsManager::Secret", "AWS::S3::Bucket", "AWS::Logs::LogGroup")),
        ),
    ),
    "Network": Place(VPC, (Listing(229, 505, ("AWS::Logs::LogGroup",)),)),
    "Registry": Place(Rectangle(804, 84, 152, 82), (Listing(820, 134, ("AWS::ECR::Repository",)),)),
    "Identity": Place(Rectangle(24, 550, 205, 82), (Listing(40, 600, ("AWS::Cognito::UserPool",)),)),
    "Keys": Place(Rectangle(245, 550, 205, 82), (Listing(261, 600, ("AWS::KMS::Key",)),)),
}
FLOWS = (
    Flow((99, 148), (99, 270), "HTTPS", (127, 214), ("Edge", f"{_BALANCER}::Listener")),
    Flow((425, 316), (474, 316), "HTTP", (448, 307), ("Service", f"{_BALANCER}::ListenerRule")),
    Flow((754, 316), (812, 316), "", (0, 0), ("Network", "AWS::EC2::VPCEndpoint")),
    Flow((880, 436), (880, 568), "", (0, 0), ("Network", "AWS::EC2::VPCEndpoint")),
    Flow((614, 348), (614, 408), "TLS", (636, 383), ("Data", "AWS::RDS::DBInstance")),
    Flow((804, 140), (754, 140), "image", (779, 131), ("Registry", "AWS::ECR::Repository")),
)
