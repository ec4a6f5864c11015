"""Memory that a process keeps for itself between two tensors."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""Names of glibc's `malloc.h`."""
_SMALL, _PADDING, _KEPT = 2**25, 2**24, 2**29


def keep_freed_memory() -> bool:
    """Have blocks of up to 32 MB come from memory that this process has used before, up to 512 MB
    of it.

    By default glibc gives most of them back to the system at once, and takes fresh pages for the
    next tensor, which the system has to clear: about a seventh of the time of sampling on a CPU.
    Larger blocks still go back. Numbers stay the same to the last bit.

    Returns whether the C library has such a choice.
    """
    adjust = getattr(ctypes.CDLL(None), "mallopt", None)
    if adjust is None:  # another C library than glibc
        return False
    wanted = {_MMAP_THRESHOLD: _SMALL, _TRIM_THRESHOLD: _KEPT, _TOP_PAD: _PADDING}
    return all([adjust(name, size) for name, size in wanted.items()])
