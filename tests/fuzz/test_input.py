"""Whatever a person writes into settings, tables and captions: the answer is a result, or one line
that says what is wrong.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transporter.clips.captions_layout import read_captions
from transporter.clips.contrast import COLUMNS, Concept, read_concepts
from transporter.pipeline.cases import Cases
from transporter.pipeline.config import check_config, load_config
from transporter.pipeline.plan import Plan
from transporter.support.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
DEFAULTS = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
LETTERS = 300
"""Letters of a refusal beside the file that it names."""
bounded = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

NUMBERS = st.integers() | st.floats() | st.sampled_from([10**12, 10**4000, 1.0, -0.0])
TEXT = st.text() | st.sampled_from(["", "a\nb", "{a}", "..", "\x00", "x" * 400, "all", "wan"])
PLAIN = st.none() | st.booleans() | NUMBERS | TEXT
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)
CELLS = st.text(max_size=12) | st.sampled_from(["red", "blue", "object", "a b", "quickly", "\t"])


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def answered(call: Callable[[], Any], names: str = "") -> Any:
    """The result of a call, or None where it was refused in one line; `names` is the file that the
    line names.
    """
    try:
        return call()
    except UserError as error:
        message = str(error)
        assert message.isprintable(), ascii(message)
        assert len(message.replace(names, "")) <= LETTERS, message
        return None


def _keys(part: Any, way: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(part, dict):
        return [way]
    return [way, *(path for key, inner in part.items() for path in _keys(inner, (*way, key)))]


@bounded
@given(st.data(), VALUES)
def test_settings(data: st.DataObject, value: Any) -> None:
    """One key of all that there are, of the default run or with all defaults filled in."""
    base = data.draw(st.sampled_from([DEFAULTS, _complete()]))
    *way, last = data.draw(st.sampled_from(_keys(base)[1:]))
    given_settings = copy.deepcopy(base)
    place = given_settings
    for key in way:
        place = place[key]
    place[last] = value

    def planned() -> Any:
        config = check_config(given_settings, [("mine.yaml", given_settings)])
        return Cases(Plan(config)).subjects

    answered(planned, "mine.yaml: ")


@cache
def _complete() -> dict[str, Any]:
    return check_config(DEFAULTS, [("mine.yaml", DEFAULTS)])


@bounded
@given(st.binary(max_size=200) | VALUES.map(lambda value: repr(value).encode("utf-8", "ignore")))
def test_files_of_settings(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    answered(lambda: load_config(path), f"{path}: ")


@bounded
@given(st.lists(st.lists(CELLS, min_size=5, max_size=5), max_size=3), st.binary(max_size=20))
def test_tables_of_concepts(tmp_path: Path, rows: list[list[str]], tail: bytes) -> None:
    path = tmp_path / "concepts.tsv"
    lines = ["\t".join(row) for row in [list(COLUMNS), *rows]]
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass") + b"\n" + tail)
    answered(lambda: read_concepts(path), str(path))


@bounded
@given(st.lists(st.tuples(CELLS, CELLS), max_size=4), st.binary(max_size=20))
def test_tables_of_captions(tmp_path: Path, rows: list[tuple[str, str]], tail: bytes) -> None:
    path = tmp_path / "captions.tsv"
    lines = ["\t".join(row) for row in [("clip", "caption"), *rows]]
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass") + b"\n" + tail)
    answered(lambda: read_captions(path), str(path))


@bounded
@given(st.text(min_size=1), st.text(min_size=1), st.text())
def test_captions(source: str, target: str, around: str) -> None:
    """A pair is a caption and another one, or nothing."""
    concept = Concept("a", "object", source, target, "what ?")
    for caption in (around, f"{around} {source} {around}", f"{source}{target}", f"{target}."):
        pair = answered(lambda caption=caption: concept.pair(caption))
        assert pair is None or (len(pair) == 2 and caption in pair)
