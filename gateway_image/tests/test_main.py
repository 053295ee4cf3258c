import os
import subprocess
import sys

import pytest

from gateway import __main__ as module
from gateway.settings import Settings
from gateway.structured_log import StructuredLog


def test_secrets_leave_the_environment(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    key = "0123456789abcdef0123456789abcdef"
    environ = {
        "GATEWAY_ENVIRONMENT": "dev",
        "GATEWAY_REGION": "us-east-1",
        "GATEWAY_MODELS_SOURCE": "file:///models.json",
        "GATEWAY_API_KEYS": f'{{"ci": "{key}"}}',
        "GATEWAY_CACHE_HOST": "cache",
        "GATEWAY_CACHE_USERNAME": "gateway",
        "GATEWAY_CACHE_PASSWORD": "password-of-the-cache",
        "GATEWAY_DATABASE_HOST": "database",
        "GATEWAY_DATABASE_NAME": "gateway",
        "GATEWAY_DATABASE_USERNAME": "gateway",
        "GATEWAY_DATABASE_PASSWORD": "password-of-the-database",
        "GATEWAY_KEY_HASHING_SECRET": "hashing-secret-0123456789-0123456789",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    seen: dict[str, str] = {}

    def serve(settings: Settings, _: StructuredLog, worker: object) -> int:
        assert worker is None
        assert settings.cache_password is not None
        assert settings.cache_password.get_secret_value() == "password-of-the-cache"
        seen.update(os.environ)
        return 0

    monkeypatch.setattr(module, "_serve", serve)
    assert module.main() == 0
    assert seen["GATEWAY_CACHE_HOST"] == "cache"
    for secret in (key, "password-of", "hashing-secret"):
        assert secret not in str(seen)


def test_what_the_first_answer_does_not_need_is_not_loaded_before_it() -> None:
    late = ("jwt", "cryptography", "gateway.admin", "sqlalchemy", "alembic", "botocore")
    code = f"import sys, gateway.__main__; print([name for name in {late} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
