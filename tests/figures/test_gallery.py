"""The gallery as it is written, and the page of clips that the shipped models made."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from gallery_pages import (
    CONCEPTS,
    Page,
    data_of,
    write,
)

from microworld.attributes import WORDS
from microworld.world import MICROWORLD
from transporter.clips.contrast import Concept
from transporter.concepts.bank import ConceptBank
from transporter.coupling.network import Coupling
from transporter.coupling.reader import Reader
from transporter.figures.gallery import Clip, page, write_gallery
from transporter.generation.sweeps import Generated, write_concept
from transporter.generators.base import Sampling
from transporter.metrics.faithfulness import label, read_concept
from transporter.metrics.summary import summarise
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.support.errors import UserError
from transporter.support.files import read_table, write_table

MODELS = Path(__file__).parents[2] / "models"


def test_only_the_clips_shown_are_copied_and_bytes_are_stable(
    inputs, gallery: Path, tmp_path: Path
) -> None:
    assert len(list(gallery.rglob("*.mp4"))) == len(inputs[1])
    write(tmp_path / "again", inputs)
    assert (tmp_path / "again" / "index.html").read_bytes() == (gallery / "index.html").read_bytes()
    assert "http" not in (gallery / "index.html").read_text().replace(
        "http://www.w3.org/2000/svg", ""
    )


def test_data_cannot_end_its_script_element() -> None:
    text = page({"title": "<b>&", "caption": "</script><!--"})
    assert text.count("</script>") == 3 and "<!--" not in text and "<b>&" not in text


def test_replaces_an_older_gallery(inputs, tmp_path: Path) -> None:
    (tmp_path / "gallery").mkdir()
    (tmp_path / "gallery" / "stale").write_text("")
    write(tmp_path / "gallery", inputs, seeds=1)
    assert sorted(path.name for path in (tmp_path / "gallery").iterdir()) == ["clips", "index.html"]
    assert [path.name for path in tmp_path.iterdir()] == ["gallery"]


def test_errors_say_what_is_wrong(inputs, tmp_path: Path) -> None:
    readings, clips, summary = inputs
    with pytest.raises(UserError, match="missing: log_odds"):
        write(tmp_path / "g", (readings.drop(columns="log_odds"), clips, summary))
    with pytest.raises(UserError, match="missing: shape"):
        write(tmp_path / "g", (readings.drop(columns="shape"), clips, summary))
    with pytest.raises(UserError, match="at least one row"):
        write(tmp_path / "g", (readings[:0], clips, summary))
    with pytest.raises(UserError, match="no concept named day_night"):
        write_gallery(tmp_path / "g", readings, clips, CONCEPTS[:2], summary)
    with pytest.raises(UserError, match=r"'seed': 2.*generate the clips again"):
        write(tmp_path / "g", inputs, seeds=3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("caption", "parts", "pair"),
    [
        ("a ball, at night, on grass", ["a ball, ", ", on grass"], ["at night", "by day"]),
        ("At night a ball rolls", ["", " a ball rolls"], ["At night", "By day"]),
        ("a ball rolls by day.", ["a ball rolls ", "."], ["at night", "by day"]),
        ("a ball rolls", ["a ball rolls"], []),
        ("at night, at night", ["at night, at night"], []),
        ("at night, at night, by day", ["at night, at night, by day"], []),
    ],
)
def test_a_caption_is_cut_at_its_word(
    caption: str, parts: list[str], pair: list[str], inputs, tmp_path: Path
) -> None:
    """Words may be phrases, commas may follow them, and a caption in which it is not clear what is
    changed stays whole.
    """
    readings, clips, summary = inputs
    night = Concept("red_blue", "scene", "at night", "by day", "when is it ?")
    rows = readings[readings["concept"] == "red_blue"].assign(caption=caption)
    write_gallery(tmp_path / "g", rows, clips, [night], summary, seeds=1)
    [run, *_] = data_of(tmp_path / "g")["sweeps"][0]["runs"]
    assert (run["caption"], run["pair"]) == (parts, pair)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, Path]:
    """Readings of two clips by the shipped models, as the pipeline makes and stores them, and the
    page of them. The coupling has learnt nothing, and the vector is the difference of two
    captions.
    """
    folder, cpu, concept = tmp_path_factory.mktemp("real"), torch.device("cpu"), CONCEPTS[0]
    shape = {"frames": 17, "height": 64, "width": 64, "fps": 8, "max_tokens": 16}
    generator = load_generator({"adapter": "wan", "path": str(MODELS / "generator"), **shape}, cpu)
    vlm = load_vlm(
        {"adapter": "qwen_vl", "path": str(MODELS / "vlms/qwen2_vl")}, generator.video_shape, cpu
    )
    coupling = Coupling(generator.latent_shape, generator.condition_shape, vlm.tokens_shape).eval()
    pair = concept.pair("a large red circle moves slowly left on grass during the day")
    minus, plus = generator.encode_text(list(pair)).embeddings
    bank = ConceptBank({concept.name: plus - minus})
    made = folder / "generated"
    write_concept(
        made, concept, [pair], generator, bank, (0.0, 1.0), ["transporter"], Sampling(4, 2.0)
    )
    probes = MICROWORLD.probes(MODELS / "probes")
    read = read_concept(
        Generated.load(made), concept, Reader(generator, vlm, coupling), bank, probes
    )
    write_table(label(read, concept, "microworld", "qwen2_vl"), folder / "readings.tsv")
    readings = read_table(folder / "readings.tsv", ("concept",))
    clips = {
        Clip(row.generator, row.vlm, row.concept, row.method, row.seed, row.phi): made / row.clip
        for row in readings.itertuples()
    }
    write_gallery(folder / "page", readings, clips, [concept], summarise(readings), list(WORDS))
    return readings, folder / "page"


def test_what_the_probes_see_is_attributes_and_nothing_else(real, browser) -> None:
    readings, folder = real
    opened = Page(browser, folder)
    for phi, row in readings.set_index("phi").iterrows():
        opened.open(f"stop={phi}")
        seen = opened.run(
            "return [...document.querySelectorAll('[data-fact=\"Probes see\"] dd span')].map("
            "one => [one.dataset.attribute, one.textContent])"
        )
        assert seen == [[name, row[name]] for name in WORDS]
        assert opened.texts('[data-fact="Probes see"] dd') == [", ".join(row[list(WORDS)])]
        assert opened.texts('[data-fact="VLM says"] dd') == [row["caption_reencoded"]]
    # the words that differ from those of the first clip are marked, and no others
    first, last = (readings.iloc[k] for k in (0, 1))
    changed = [last[name] for name in WORDS if last[name] != first[name]]
    assert opened.texts("dd .changed") == changed


def test_a_column_that_is_no_attribute_is_not_on_the_page(real) -> None:
    readings, folder = real
    data = data_of(folder)
    assert data["attributes"] == list(WORDS)
    [run] = data["sweeps"][0]["runs"]
    known = {word for words in WORDS.values() for word in words}
    assert {word for words in run["words"] for word in words} <= known
    assert run["answers"] == readings["caption_reencoded"].tolist()
