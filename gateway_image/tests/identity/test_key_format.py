import hmac
import string
from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.identity.key_format import digest, is_well_formed, make_key, shown_prefix

# Made once and never changed: keys that are in use must stay valid.
KNOWN = "gh_" + "0" * 40 + "2fmIJe"


def test_a_key_is_well_formed_and_like_no_other() -> None:
    keys = {make_key() for _ in range(1000)}
    assert len(keys) == 1000
    assert all(is_well_formed(key) and len(key) == 49 for key in keys)
    used = set("".join(key[3:] for key in keys))
    assert used == set(string.digits + string.ascii_letters)


def test_the_format_stays_as_it_is() -> None:
    assert is_well_formed(KNOWN)


@settings(deadline=None)
@given(position=st.integers(3, 48), character=st.sampled_from(string.digits + string.ascii_letters))
def test_a_mistyped_key_is_told(position: int, character: str) -> None:
    key = make_key()
    mistyped = key[:position] + character + key[position + 1 :]
    assert is_well_formed(mistyped) is (mistyped == key)


@settings(deadline=None)
@given(st.text())
def test_other_texts_are_no_keys(text: str) -> None:
    assert not is_well_formed(text)
    assert not is_well_formed(f"gh_{text}")
    assert not is_well_formed(f"{make_key()}{text or ' '}")


def test_a_key_is_stored_by_its_keyed_hash() -> None:
    key, secret = make_key(), b"hashing-secret"
    assert digest(secret, key) == hmac.new(secret, key.encode(), sha256).digest()
    assert digest(b"another-secret", key) != digest(secret, key)
    assert digest(secret, make_key()) != digest(secret, key)
    assert len(digest(secret, "schlüssel \ud800")) == 32


def test_little_of_a_key_may_be_shown() -> None:
    key = make_key()
    assert shown_prefix(key) == key[:11]
