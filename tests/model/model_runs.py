"""Runs a state machine until it has done enough, and says how to repeat a run that failed.

ASYNCSTORE_MODEL_OPERATIONS says how many operations a machine does, ASYNCSTORE_MODEL_SEED where the
first of its batches begins; each batch has the seed after the last one's.
"""

import os
import random

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

EXAMPLES, STEPS = 20, 50  # of a batch


def run_model(machine, *, operations):
    """Until ``machine.operations`` is what is wanted; the environment may want another number."""
    wanted = int(os.environ.get("ASYNCSTORE_MODEL_OPERATIONS", operations))
    number = int(os.environ.get("ASYNCSTORE_MODEL_SEED", random.getrandbits(32)))
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    machine.operations = 0
    while machine.operations < wanted:
        try:
            run_state_machine_as_test(seed(number)(machine), settings=chosen)
        except BaseException:
            test = os.environ["PYTEST_CURRENT_TEST"].split(" ")[0]
            print(
                f"repeat: ASYNCSTORE_MODEL_SEED={number} ASYNCSTORE_MODEL_OPERATIONS=1 "
                f"python -m pytest {test}"
            )
            raise
        number += 1
    print(f"{machine.__name__}: {machine.operations} operations")
