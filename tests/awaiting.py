"""Waiting for a server that may still be opening its store."""

import time

import httpx

SECONDS_MAX = 30


def await_ready(process, url, trust=None):
    """Until the server of the process answers that it is ready; ``trust`` is for HTTPS."""
    deadline = time.monotonic() + SECONDS_MAX
    while not is_ready(url, trust):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"not ready within {SECONDS_MAX} seconds"
        time.sleep(0.05)


def is_ready(url, trust=None):
    """Whether it is; not while it does not listen, or recovers."""
    try:
        return httpx.get(url + "/readyz", verify=trust or True).status_code == 200
    except httpx.TransportError:
        return False
