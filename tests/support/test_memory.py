"""Page faults of a process that keeps freed memory, against one that does not."""

import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
from transporter.support.memory import keep_freed_memory

known = keep_freed_memory() if sys.argv[1] == "keep" else None
block = 2**23
begun = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    parts = [bytearray(block) for _ in range(4)]
print(known, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - begun)
"""


def test_freed_blocks_are_used_again():
    def faults(mode):
        result = subprocess.run(
            [sys.executable, "-c", FAULTS, mode], capture_output=True, text=True, check=True
        )
        known, count = result.stdout.split()
        return known, int(count)

    known, kept = faults("keep")
    if known == "False":
        pytest.skip("another C library than glibc")
    assert 10 * kept < faults("leave")[1]
