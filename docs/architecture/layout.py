"""Where things stand on the page of the architecture picture."""

from typing import NamedTuple

_BALANCER = "AWS::ElasticLoadBalancingV2"
WIDTH, HEIGHT = 980, 1250


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
BEDROCK = Rectangle(812, 584, 136, 64)
ENDPOINTS = Rectangle(812, 222, 136, 290)
VPC = Rectangle(213, 206, 743, 338)

# A box that crosses the border of the VPC lists the resources on each side of it apart.
PLACES = {
    "Edge": Place(
        Rectangle(24, 282, 401, 186),
        (
            Listing(
                40,
                334,
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
                334,
                ("AWS::ElasticLoadBalancingV2::LoadBalancer",),
                subnets_of="AWS::ElasticLoadBalancingV2::LoadBalancer",
            ),
        ),
    ),
    "Service": Place(
        Rectangle(474, 84, 310, 285),
        (
            Listing(
                490,
                134,
                (
                    "AWS::AppConfig::ConfigurationProfile",
                    "AWS::ApplicationAutoScaling::ScalableTarget",
                    "AWS::Logs::LogGroup",
                    "AWS::CloudWatch::Alarm",
                ),
            ),
            Listing(
                490, 241, ("AWS::ECS::Service", "Custom::DatabaseMigration"), subnets_of="AWS::ECS::Service"
            ),
        ),
    ),
    "Data": Place(
        Rectangle(474, 428, 310, 250),
        (
            Listing(
                490,
                478,
                ("AWS::RDS::DBInstance", "AWS::ElastiCache::ReplicationGroup"),
                subnets_of="AWS::RDS::DBSubnetGroup",
            ),
            Listing(
                490,
                568,
                (
                    "AWS::SecretsManager::Secret",
                    "AWS::S3::Bucket",
                    "AWS::Logs::LogGroup",
                    "AWS::CloudWatch::Alarm",
                ),
            ),
        ),
    ),
    "Network": Place(VPC, (Listing(229, 513, ("AWS::Logs::LogGroup",)),)),
    "Registry": Place(
        Rectangle(804, 64, 152, 104),
        (Listing(820, 114, ("AWS::ECR::Repository", "AWS::ECR::SigningConfiguration")),),
    ),
    "Identity": Place(
        Rectangle(24, 568, 205, 172),
        (
            Listing(
                40,
                618,
                (
                    "AWS::Cognito::UserPool",
                    "AWS::SES::EmailIdentity",
                    "AWS::Route53::RecordSet",
                    "AWS::Logs::LogGroup",
                    "AWS::CloudWatch::Alarm",
                ),
            ),
        ),
    ),
    "Keys": Place(Rectangle(245, 568, 205, 82), (Listing(261, 618, ("AWS::KMS::Key",)),)),
    "Observability": Place(Rectangle(245, 658, 205, 82), (Listing(261, 708, ("AWS::SNS::Topic",)),)),
    "Audit": Place(
        Rectangle(24, 756, 205, 150),
        (
            Listing(
                40,
                806,
                (
                    "AWS::CloudTrail::Trail",
                    "AWS::S3::Bucket",
                    "AWS::Logs::LogGroup",
                    "AWS::CloudWatch::Alarm",
                ),
            ),
        ),
    ),
    "Backup": Place(
        Rectangle(245, 756, 205, 108),
        (Listing(261, 806, ("AWS::Backup::BackupVault", "AWS::CloudWatch::Alarm")),),
    ),
    "ModelAccess": Place(
        Rectangle(474, 700, 310, 172),
        (
            Listing(
                490,
                750,
                (
                    "AWS::KMS::Key",
                    "AWS::SNS::Topic",
                    "AWS::CloudWatch::Alarm",
                    "AWS::Logs::LogGroup",
                    "Custom::ModelInvocationLogging",
                ),
            ),
        ),
    ),
}
# The standby region's stacks, by the names that the primary's have, and the types that each names there.
STANDBY = Rectangle(24, 930, 932, 296)
STANDBY_PLACES = {
    "Keys": ("AWS::KMS::ReplicaKey",),
    "Data": (
        "AWS::RDS::DBInstance",
        "AWS::S3::Bucket",
        "AWS::S3::MultiRegionAccessPoint",
        "AWS::ElastiCache::ReplicationGroup",
    ),
    "Identity": ("AWS::Cognito::UserPoolRegionalConfigurationAttachment",),
    "Registry": ("AWS::ECR::Repository",),
    "Network": (),  # its VPC
    "Edge": ("AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::WAFv2::WebACL", "AWS::Route53::RecordSet"),
    "Service": ("AWS::ECS::Service", "AWS::AppConfig::ConfigurationProfile"),
    "Observability": ("AWS::SNS::Topic",),
    "Backup": ("AWS::Backup::BackupVault",),
    "Recovery": ("AWS::ARCRegionSwitch::Plan",),
}
STANDBY_COLUMNS, STANDBY_GAP, STANDBY_BOX = 5, 10, Rectangle(40, 990, 172, 105)
FLOWS = (
    Flow((99, 148), (99, 282), "HTTPS", (127, 214), ("Edge", f"{_BALANCER}::Listener")),
    Flow((425, 316), (474, 316), "HTTP", (448, 307), ("Service", f"{_BALANCER}::ListenerRule")),
    Flow((784, 316), (812, 316), "", (0, 0), ("Network", "AWS::EC2::VPCEndpoint")),
    Flow((880, 512), (880, 584), "", (0, 0), ("Network", "AWS::EC2::VPCEndpoint")),
    Flow((614, 369), (614, 428), "TLS", (636, 403), ("Data", "AWS::RDS::DBInstance")),
    Flow((804, 140), (784, 140), "", (0, 0), ("Registry", "AWS::ECR::Repository")),
)
