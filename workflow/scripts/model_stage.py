"""What `stage` offers, for scripts that import torch: they name this module first, and where a run
keeps a process that has imported the libraries already, the script goes on in a fork of that one.
"""

from transporter.pipeline.prefork import run_forked

run_forked()

from stage import hand_over, kept, part_of, stage, unfinished  # noqa: E402

__all__ = ["hand_over", "kept", "part_of", "stage", "unfinished"]
