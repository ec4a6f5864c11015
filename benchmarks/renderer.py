"""How many clips per second one core renders. Goal: at least 100. Run:
`python benchmarks/renderer.py`.
"""

import time

import numpy as np

from microworld.attributes import draw_attributes
from microworld.renderer import draw_layout, render

CLIPS, GOAL = 500, 100


def main() -> None:
    """Render clips of a fixed seed, attributes and layouts included, and print the rate in
    processor and in wall time.
    """
    rng = np.random.default_rng(0)
    for _ in range(20):
        attributes = draw_attributes(rng)
        render(attributes, draw_layout(attributes, rng))
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(CLIPS):
        attributes = draw_attributes(rng)
        render(attributes, draw_layout(attributes, rng))
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(
        f"{CLIPS} clips: {CLIPS / processor:.0f} clips/s of processor time, {CLIPS / wall:.0f}"
        f" clips/s by the clock (goal {GOAL})"
    )


if __name__ == "__main__":
    main()
