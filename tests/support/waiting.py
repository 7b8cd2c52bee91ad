"""Waiting for something to become true, with a deadline and without fixed sleeps in tests."""

import time


class TooLate(AssertionError):
    pass


def wait_until(condition, seconds=10.0, what="the condition", every=0.01):
    """Polls `condition` until it returns something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TooLate(f"{what} did not happen within {seconds} s")
        time.sleep(every)
