"""A seccomp filter that refuses io_uring, as Docker's default profile does; and who runs under it.

    python tests/crash/sandbox.py FOLDER ASYNC_SCORER ERRNO

Puts the filter on itself, opens the store, searches it, and prints what it saw as JSON.
"""

import asyncio
import ctypes
import json
import os
import struct
import sys

import numpy as np

import asyncstore
from asyncstore import models as m

# The same numbers on x86-64 and aarch64.
IO_URING_SETUP, IO_URING_ENTER, IO_URING_REGISTER = 425, 426, 427

PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
SECCOMP_RET_ALLOW = 0x7FFF0000
SECCOMP_RET_ERRNO = 0x00050000
BPF_LOAD_WORD = 0x20  # BPF_LD | BPF_W | BPF_ABS: of struct seccomp_data, whose first word is nr
BPF_JUMP_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
BPF_RETURN = 0x06  # BPF_RET | BPF_K


class SockFprog(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def refuse_io_uring(refusal_errno: int) -> None:
    """From now on the three calls of io_uring fail with this errno, in this process for ever."""
    refused = [IO_URING_SETUP, IO_URING_ENTER, IO_URING_REGISTER]
    program = [(BPF_LOAD_WORD, 0, 0, 0)]
    for at, number in enumerate(refused):
        # Jumps count from the next instruction: over the other comparisons and the "allow".
        program.append((BPF_JUMP_EQUAL, len(refused) - at, 0, number))
    program.append((BPF_RETURN, 0, 0, SECCOMP_RET_ALLOW))
    program.append((BPF_RETURN, 0, 0, SECCOMP_RET_ERRNO | refusal_errno))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    fprog = SockFprog(len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(fprog), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def uring_errno() -> int:
    """What io_uring_setup says to nonsense: EFAULT where it is there."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(IO_URING_SETUP, 1, None)
    return ctypes.get_errno()


async def look(folder: str, async_scorer: str) -> dict[str, object]:
    config = {"storage": {"async_scorer": async_scorer, "performance": {"workers": 1}}}
    try:
        async with asyncstore.open_store(folder, config=config) as store:
            docs = await store.get_collection("docs")
            hits = await docs.search([0.0, 1.0, 0.0], limit=2)
            exact = await docs.search(
                [0.0, 1.0, 0.0], limit=2, params=m.SearchParams(exact=True), with_vectors=True
            )
            await docs.upsert_arrays([77], np.ones((1, 3), np.float32))
            statistics = store.statistics()
            return {
                "reader": statistics.reader,
                "reason": statistics.reader_reason,
                "hits": [(hit.id, hit.score) for hit in hits],
                "exact": [(hit.id, hit.vector) for hit in exact],
                "written": [record.id for record in await docs.retrieve([77])],
            }
    except asyncstore.AsyncStoreError as error:
        return {"error": type(error).__name__, "message": str(error)}


def main() -> None:
    folder, async_scorer, refusal_errno = sys.argv[1:]
    refuse_io_uring(int(refusal_errno))
    seen = asyncio.run(look(folder, async_scorer))
    print(json.dumps({"uring_errno": uring_errno(), **seen}), flush=True)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
