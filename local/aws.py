"""Speaking to the emulator: never with the caller's own AWS settings, never through a proxy."""

import os
from collections.abc import MutableMapping
from typing import Any

import boto3
from botocore.config import Config

from local.options import Options

# What the emulator takes for the account's root; they open nothing anywhere else.
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


def environment(options: Options, region: str, account: str | None = None) -> dict[str, str]:
    """Variables that point any AWS SDK at the emulator and at no file of the user's.

    account: another than the emulator's own, which takes a key of this name for that account's root.
    """
    return {
        **_CREDENTIALS,
        **({} if account is None else {"AWS_ACCESS_KEY_ID": account}),
        "AWS_REGION": region,
        "AWS_ENDPOINT_URL": options.url("emulator"),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def forget_caller(environ: MutableMapping[str, str]) -> None:
    """Drop every AWS setting of the caller from this process, profiles and files included."""
    for name in [name for name in environ if name.startswith("AWS_")]:
        del environ[name]
    environ["AWS_CONFIG_FILE"] = environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


def client(
    service: str, options: Options, region: str, *, role: str | None = None, account: str | None = None
) -> Any:
    """A boto3 client of the emulator: as a role (an ARN), or as the root of its account or of another."""
    root = (account or _CREDENTIALS["AWS_ACCESS_KEY_ID"], _CREDENTIALS["AWS_SECRET_ACCESS_KEY"], None)
    key, secret, token = _session(options, region, role) if role else root
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=options.url("emulator"),
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(proxies={}, retries={"mode": "standard"}),
    )


def _session(options: Options, region: str, role: str) -> tuple[str, str, str]:
    sts = client("sts", options, region)
    session = sts.assume_role(RoleArn=role, RoleSessionName="local")["Credentials"]
    return session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"]
