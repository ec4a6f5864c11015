"""The tour runs from top to bottom without a GPU, a run or a network, and shows what it says."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

TOUR = Path(__file__).resolve().parents[1] / "docs" / "notebooks" / "tour.ipynb"


@pytest.fixture(scope="module")
def executed() -> nbformat.NotebookNode:
    notebook = nbformat.read(TOUR, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    client = NotebookClient(
        notebook, timeout=1200, kernel_name="python3", resources={"metadata": {"path": TOUR.parent}}
    )
    return client.execute()


def outputs(notebook: nbformat.NotebookNode, kind: str) -> list[str]:
    """What cells show of one kind, `image/png` for instance."""
    shown = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    return [out["data"][kind] for out in shown if kind in out.get("data", {})]


def test_the_tour_runs_and_the_answer_turns(executed: nbformat.NotebookNode) -> None:
    [table] = [text for text in outputs(executed, "text/plain") if "log_odds" in text][-1:]
    first, *_, last = table.splitlines()[1:]
    assert "day" in first
    assert "night" in last


def test_it_shows_pictures_and_moving_clips(executed: nbformat.NotebookNode) -> None:
    assert len(outputs(executed, "image/png")) == 1
    [page] = [page for page in outputs(executed, "text/html") if "<video" in page]
    assert page.count("<video") == 3


def test_the_kept_notebook_is_executed_small_and_without_errors() -> None:
    kept = nbformat.read(TOUR, as_version=4)
    cells = [cell for cell in kept.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    shown = [out.output_type for cell in cells for out in cell.outputs]
    assert "error" not in shown
    assert TOUR.stat().st_size < 1_000_000
    assert outputs(kept, "image/png")
