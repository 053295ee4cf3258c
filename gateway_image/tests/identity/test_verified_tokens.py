from gateway.callers import Caller
from gateway.identity.verified_tokens import LONGEST_SECONDS, VerifiedTokens

CALLER = Caller("user:issuer#ada", "ada", "user")


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_token_is_remembered_until_it_expires() -> None:
    clock = Clock()
    tokens = VerifiedTokens(clock)
    tokens.put("token", CALLER, clock.now + 10, (1, 1))
    assert tokens.get("token", (1, 1)) is CALLER
    assert tokens.get("token ", (1, 1)) is None
    clock.now += 10
    assert tokens.get("token", (1, 1)) is None


def test_nothing_is_remembered_for_long() -> None:
    clock = Clock()
    tokens = VerifiedTokens(clock)
    tokens.put("token", CALLER, clock.now + 86_400, (1, 1))
    clock.now += LONGEST_SECONDS - 1
    assert tokens.get("token", (1, 1)) is CALLER
    clock.now += 1
    assert tokens.get("token", (1, 1)) is None


def test_another_version_of_what_it_was_judged_by_forgets_it() -> None:
    clock = Clock()
    tokens = VerifiedTokens(clock)
    for versions in ((2, 1), (1, 2)):
        tokens.put("token", CALLER, clock.now + 10, (1, 1))
        assert tokens.get("token", versions) is None
        assert tokens.get("token", (1, 1)) is None


def test_memory_is_bounded_and_the_latest_are_kept() -> None:
    clock = Clock()
    tokens = VerifiedTokens(clock)
    for number in range(10_000):
        tokens.put(str(number), CALLER, clock.now + 10, (1, 1))
    assert tokens.get("0", (1, 1)) is CALLER
    tokens.put("one more", CALLER, clock.now + 10, (1, 1))
    assert tokens.get("0", (1, 1)) is CALLER
    assert tokens.get("1", (1, 1)) is None
    assert len(tokens._verified) == 10_000
