"""Tests that run inside of a store that is open, in the task that opened it, as stores want it."""

import functools
import inspect


def inside(opening):
    """A test whose first argument is what ``opening(open_store)``, a context manager, gives."""

    def decorate(test):
        own, *others = inspect.signature(test).parameters.values()

        @functools.wraps(test)
        async def run(open_store, **wanted):
            async with opening(open_store) as given:
                await test(given, **wanted)

        del run.__wrapped__
        run.__signature__ = inspect.Signature([own.replace(name="open_store"), *others])
        return run

    return decorate
