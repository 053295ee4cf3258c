"""Calls of AWS: how long they may take, and how long refused ones are tried again.

What is refused may be permitted soon: policies take effect some time after CloudFormation has created them.
"""

import json
from collections.abc import Callable, Collection
from time import monotonic, sleep
from typing import TypeVar

from botocore.config import Config
from botocore.exceptions import ClientError

RETRY_SECONDS = 5.0
# A request that a network swallows must not take the time that the answer needs.
TIME_LIMITS = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})

_Result = TypeVar("_Result")


def patiently(call: Callable[[], _Result], codes: Collection[str], seconds: float) -> _Result:
    """Call, again and again for so many seconds while it is refused with an error of one of these codes.

    Raises ClientError: another one at once, one of these when the time is over.
    """
    last = monotonic() + seconds
    while True:
        try:
            return call()
        except ClientError as error:
            if error.response["Error"]["Code"] not in codes or monotonic() > last:
                raise
            print(json.dumps({"refused": str(error)}))
        sleep(RETRY_SECONDS)
