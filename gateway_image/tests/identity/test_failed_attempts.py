from ipaddress import ip_address

from gateway.identity.failed_attempts import FAILURES, WINDOW_SECONDS, FailedAttempts

HERE, THERE = ip_address("203.0.113.7"), ip_address("203.0.113.8")


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


def test_an_address_has_to_wait_after_so_many_failures_in_a_minute() -> None:
    clock = Clock()
    failed = FailedAttempts(clock)
    for _ in range(FAILURES):
        assert failed.seconds_to_wait(HERE) == 0
        failed.note(HERE)
    assert failed.seconds_to_wait(HERE) == WINDOW_SECONDS
    assert failed.seconds_to_wait(THERE) == 0
    clock.now += WINDOW_SECONDS - 0.5
    assert failed.seconds_to_wait(HERE) == 1
    clock.now += 0.5
    assert failed.seconds_to_wait(HERE) == 0
    failed.note(HERE)
    assert failed.seconds_to_wait(HERE) == 0


def test_failures_now_and_then_do_no_harm() -> None:
    clock = Clock()
    failed = FailedAttempts(clock)
    for _ in range(10 * FAILURES):
        failed.note(HERE)
        clock.now += WINDOW_SECONDS / (FAILURES - 2)
        assert failed.seconds_to_wait(HERE) == 0


def test_an_ipv6_network_counts_as_one() -> None:
    failed = FailedAttempts(Clock())
    for number in range(FAILURES):
        failed.note(ip_address(f"2001:db8:0:1::{number:x}"))
    assert failed.seconds_to_wait(ip_address("2001:db8:0:1:ffff::1"))
    assert not failed.seconds_to_wait(ip_address("2001:db8:0:2::1"))


def test_memory_is_bounded_and_the_latest_are_kept() -> None:
    failed = FailedAttempts(Clock())
    for _ in range(FAILURES):
        failed.note(HERE)
    for number in range(9_999):
        failed.note(ip_address(number))
    assert failed.seconds_to_wait(HERE)
    failed.note(ip_address(9_999))
    assert len(failed._windows) == 10_000
    assert not failed.seconds_to_wait(HERE)


def test_unknown_addresses_are_counted_together() -> None:
    failed = FailedAttempts(Clock())
    for _ in range(FAILURES):
        failed.note(None)
    assert failed.seconds_to_wait(None)
    assert not failed.seconds_to_wait(ip_address(0))
