"""The format of API keys: `gh_`, 40 random base62 characters, and a checksum that tells a mistyped key.

The checksum is no secret. It spares a look-up for what can be no key, and it lets secret scanners tell a key
from other text, as GitHub's does in its tokens.
"""

import hmac
import re
import secrets
import string
import zlib
from functools import lru_cache

PREFIX = "gh_"
# What may be shown of a key, so that people can tell theirs apart: the prefix and eight characters of forty.
SHOWN_LENGTH = 11

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LENGTH = 40
_CHECKSUM_LENGTH = 6
_FORMAT = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM_LENGTH + _CHECKSUM_LENGTH}}}")


def make_key() -> str:
    """Make a new key, of 238 random bits."""
    body = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """Whether a text has the format and the checksum of a key; that says nothing about whether it is one."""
    if not _FORMAT.fullmatch(key):
        return False
    return key[-_CHECKSUM_LENGTH:] == _checksum(key[:-_CHECKSUM_LENGTH])


def shown_prefix(key: str) -> str:
    """The part of a key that may be stored and shown."""
    return key[:SHOWN_LENGTH]


def digest(hashing_secret: bytes, key: str) -> bytes:
    """The keyed hash under which a key is stored: HMAC-SHA256, 32 bytes.

    Keys are found by their digests in a hash table. How long that takes depends on the digest alone, and
    without the hashing secret nobody can make a digest that comes near a stored one: time tells nothing.
    A slow hash, as for passwords, would add nothing either: nobody guesses 238 random bits.
    """
    keyed = _keyed(hashing_secret).copy()
    keyed.update(key.encode("utf-8", "surrogatepass"))
    return keyed.digest()


@lru_cache(maxsize=1)
def _keyed(hashing_secret: bytes) -> hmac.HMAC:
    return hmac.new(hashing_secret, digestmod="sha256")


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = []
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
