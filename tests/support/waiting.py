"""Waiting for what happens in another thread or process."""

import time


def wait_until(condition, seconds):
    """Waits until something is so, at most for some seconds; returns whether it is."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
