"""From requests that have ended to rows of the ledger."""

import uuid
from typing import Any

from gateway.accounting import row_of
from gateway.request_record import RequestRecord

OWN = "111111111111"
ADMITTED = {
    "caller": "ci",
    "caller_id": "key_1",
    "caller_kind": "key",
    "operation": "embeddings",
    "admitted_at": 7,
}


def record(**fields: Any) -> RequestRecord:
    return RequestRecord(request_id="r", trace_id="t", method="POST", path="/v1/embeddings", **fields)


def test_a_request_that_was_not_let_in_is_in_no_row() -> None:
    assert row_of(record(**(ADMITTED | {"admitted_at": None})), own_account=OWN) is None


def test_every_row_has_an_id_of_its_own_that_postgresql_takes() -> None:
    rows = [row_of(record(**ADMITTED), own_account=OWN) for _ in range(1000)]
    ids = {str(uuid.UUID(row.id)) for row in rows if row is not None}
    assert ids == {row.id for row in rows if row is not None}
    assert len(ids) == 1000
    assert {uuid.UUID(each).version for each in ids} == {8}


def test_the_account_is_our_own_for_models_of_aws_without_a_role() -> None:
    def account(**fields: Any) -> str | None:
        row = row_of(record(**ADMITTED, **fields), own_account=OWN)
        assert row is not None
        return row.account

    assert account(provider="bedrock") == OWN
    assert account(provider="bedrock", account="222222222222") == "222222222222"
    assert account(provider="openai_compatible") is None


def test_what_has_no_price_costs_nobody_knows_how_much() -> None:
    for fields, cost in (({"cost_nano_usd": 5}, 5), ({"cost_nano_usd": 5, "unpriced": True}, None), ({}, 0)):
        row = row_of(record(**ADMITTED, **fields), own_account=OWN)
        assert row is not None
        assert row.cost_nano_usd == cost
