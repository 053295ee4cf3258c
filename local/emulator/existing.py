"""What an AWS account holds before the platform is deployed into it: the public zone its domain lives in."""

from ministack.services import route53


def add_hosted_zone(zone_id: str, name: str) -> None:
    """Put a public hosted zone under an ID of our choice, which Route 53's API cannot do."""
    zone_name = name.removesuffix(".") + "."
    route53._zones[zone_id] = {
        "id": zone_id,
        "name": zone_name,
        "caller_reference": zone_id,
        "comment": "",
        "private": False,
        "vpcs": [],
    }
    route53._records[zone_id] = route53._default_records(zone_name)
