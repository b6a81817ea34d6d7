"""Runs a model until it has done enough, and says how to repeat a run that failed.

ASYNCSTORE_MODEL_OPERATIONS says how many operations a machine does, or cases a test, and
ASYNCSTORE_MODEL_SEED where the first of its batches begins; each batch has the seed after the last
one's.
"""

import contextlib
import itertools
import os
import random

import anyio
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.stateful import run_state_machine_as_test

EXAMPLES, STEPS = 20, 50  # of a batch
SETTINGS = settings(
    deadline=None, database=None, print_blob=False, suppress_health_check=list(HealthCheck)
)


def run_model(machine, *, operations):
    """Until ``machine.operations`` is what is wanted; the environment may want another number."""
    chosen = settings(SETTINGS, max_examples=EXAMPLES, stateful_step_count=STEPS)
    wanted = wanted_of(operations)
    number = first_seed()
    machine.operations = 0
    while machine.operations < wanted:
        with repeatable(number):
            run_state_machine_as_test(seed(number)(machine), settings=chosen)
        number += 1
    print(f"{machine.__name__}: {machine.operations} operations")


def run_data_sets(run, *, cases, first):
    """Awaits ``run.data_set`` of one seed after the other until ``run.cases`` is what is wanted."""
    wanted = wanted_of(cases)
    for number in itertools.count(first):
        with repeatable(number):
            anyio.run(run.data_set, number)
        if run.cases >= wanted:
            break
    print(f"{run.cases} cases")


def wanted_of(operations):
    return int(os.environ.get("ASYNCSTORE_MODEL_OPERATIONS", operations))


def first_seed():
    return int(os.environ.get("ASYNCSTORE_MODEL_SEED", random.getrandbits(32)))


@contextlib.contextmanager
def repeatable(number):
    """Around what a batch does: if that fails, tells the line that repeats it."""
    try:
        yield
    except BaseException:
        test = os.environ["PYTEST_CURRENT_TEST"].split(" ")[0]
        print(
            f"repeat: ASYNCSTORE_MODEL_SEED={number} ASYNCSTORE_MODEL_OPERATIONS=1 "
            f"python -m pytest '{test}'"
        )
        raise


def examples(strategy, count, number):
    """So many examples of a strategy, the same ones for the same seed."""
    found = []

    @seed(number)
    @settings(SETTINGS, max_examples=count, phases=[Phase.generate])
    @given(strategy)
    def take(example):
        found.append(example)

    take()
    return found
