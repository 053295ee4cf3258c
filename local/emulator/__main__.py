"""MiniStack with repairs, stand-ins and an existing zone; its own variables configure the rest."""

import argparse
import signal
import sys
from pathlib import Path

import ministack.app
from ministack.services.cloudformation import provisioners

from local.emulator.copies import add_copies
from local.emulator.existing import add_hosted_zone
from local.emulator.outages import with_outages
from local.emulator.region_switch import RegionSwitch
from local.emulator.repairs import point_clusters_to, repair
from local.emulator.stand_ins import Records, register


def _enforce_iam(*_signal: object) -> None:
    """From now on a request needs a policy that allows it; the account's root may do everything."""
    ministack.app.AUTH = True


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m local.emulator", description=__doc__)
    parser.add_argument("--records", type=Path, required=True, help="file that shows what the stand-ins hold")
    parser.add_argument("--outages", type=Path, required=True, help="folder that names lost regions")
    parser.add_argument("--hosted-zone", nargs=2, required=True, metavar=("ID", "NAME"))
    parser.add_argument(
        "--kubernetes",
        nargs=2,
        metavar=("ENDPOINT", "CERTIFICATE"),
        help="the API that clusters of EKS have, and the file of its authority's certificate",
    )
    arguments = parser.parse_args()
    repair(provisioners)
    add_copies(provisioners)
    if arguments.kubernetes:
        endpoint, certificate = arguments.kubernetes
        point_clusters_to(endpoint, Path(certificate).read_text())
    register(provisioners._RESOURCE_HANDLERS, Records(arguments.records))
    add_hosted_zone(*arguments.hosted_zone)
    region_switch = RegionSwitch()
    region_switch.register(provisioners)
    ministack.app.app = with_outages(region_switch.in_front_of(ministack.app.app), arguments.outages)
    signal.signal(signal.SIGUSR1, _enforce_iam)
    sys.argv = sys.argv[:1]  # MiniStack's main() parses a command line of its own
    ministack.app.main()
