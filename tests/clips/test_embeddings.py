"""Embedding a folder: every clip has its row, a run that stops goes on where it stopped, bad clips
are named.
"""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from transporter.clips.embedding import embed_clips, embed_latents
from transporter.clips.embeddings import Embeddings, aligned, load_embeddings
from transporter.clips.reading import read_clip, read_video
from transporter.clips.refusals import VideoError
from transporter.clips.window import Window
from transporter.clips.writing import write_video
from transporter.support.errors import UserError
from transporter.support.files import read_table

CLIPS, BATCH, SHARD = 10, 2, 4


class Model:
    """An embedding that can be checked by hand, and that may stop at its n-th batch."""

    def __init__(self, stop_at: int = 10**9) -> None:
        self.batches: list[int] = []
        self.stop_at = stop_at

    def __call__(self, video: torch.Tensor) -> torch.Tensor:
        if len(self.batches) + 1 == self.stop_at:
            raise KeyboardInterrupt
        self.batches.append(len(video))
        return torch.stack([video.flatten(1).mean(1), video.flatten(1).amax(1)], 1)


def read(path: Path) -> torch.Tensor:
    """A stand-in for a decoder: a text file of four numbers."""
    try:
        return torch.tensor([float(word) for word in path.read_text().split()]).view(1, 1, 2, 2)
    except (ValueError, RuntimeError, FileNotFoundError) as error:
        raise VideoError(f"{path}: cannot be decoded: {error}") from None


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    (tmp_path / "clips").mkdir()
    paths = [tmp_path / "clips" / f"{index:03d}" for index in range(CLIPS)]
    for index, path in enumerate(paths):
        path.write_text(f"{index} {index + 1} {index + 2} {index + 3}")
    return paths


def run(clips: Sequence[Path], model: Model, folder: Path, **options: object) -> None:
    embed_clips(clips, model, folder, lambda row: read(clips[row]), BATCH, SHARD, **options)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_clips_of_one_file_name_lie_in_folders(clips: list[Path], tmp_path: Path) -> None:
    """They are known by the names in their table, and a changed one makes its shard anew alone."""
    names = [f"day{index % 2}/{index // 2}" for index in range(CLIPS)]
    files = [tmp_path / "clips" / name for name in names]
    for old, new in zip(clips, files, strict=True):
        new.parent.mkdir(exist_ok=True)
        old.rename(new)
    run(files, Model(), tmp_path / "e", names=names)
    first = load_embeddings(tmp_path / "e")
    assert first.clips == names
    files[5].write_text("9 9 9 9")
    again = Model()
    run(files, again, tmp_path / "e", names=names)
    values = load_embeddings(tmp_path / "e").values
    assert again.batches == [2, 2]
    assert (values != first.values).any(1).nonzero().flatten().tolist() == [5]


def test_every_clip_has_its_row(clips: list[Path], tmp_path: Path) -> None:
    run(clips, Model(), tmp_path / "e")
    names, values = load_embeddings(tmp_path / "e")
    assert names == [path.name for path in clips]
    torch.testing.assert_close(
        values, torch.stack([Model()(read(path)[None])[0] for path in clips])
    )
    index = read_table(tmp_path / "e" / "index.tsv", ("clip", "shard", "row"), text=("clip",))
    assert index["row"].tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert index["shard"].unique().tolist() == [
        f"shard-0000{number}.safetensors" for number in range(3)
    ]
    assert (tmp_path / "e" / "failed.tsv").read_text() == "clip\treason\n"


def test_batches_are_as_large_as_asked(clips: list[Path], tmp_path: Path) -> None:
    model = Model()
    embed_clips(clips, model, tmp_path / "e", lambda row: read(clips[row]), batch=3, shard=7)
    assert model.batches == [3, 3, 1, 3]


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 0.0), (torch.float16, 1e-3)])
def test_the_type_on_disk_can_be_chosen(
    clips: list[Path], tmp_path: Path, dtype: torch.dtype, bound: float
) -> None:
    run(clips, lambda video: Model()(video) / 3, tmp_path / "e", dtype=dtype)
    assert load_file(tmp_path / "e" / "shard-00000.safetensors")["values"].dtype == dtype
    values = load_embeddings(tmp_path / "e").values
    assert values.dtype == torch.float32
    torch.testing.assert_close(
        values,
        torch.stack([Model()(read(path)[None])[0] / 3 for path in clips]),
        rtol=bound,
        atol=0,
    )


@pytest.mark.parametrize("stop_at", range(1, 6))
def test_an_interrupted_run_goes_on(clips: list[Path], tmp_path: Path, stop_at: int) -> None:
    run(clips, Model(), tmp_path / "whole")
    first, second = Model(stop_at), Model()
    with pytest.raises(KeyboardInterrupt):
        run(clips, first, tmp_path / "e")
    with pytest.raises(UserError, match="an interrupted run has not written it yet"):
        load_embeddings(tmp_path / "e")
    run(clips, second, tmp_path / "e")
    finished_shards = len(first.batches) // 2
    assert len(second.batches) == 5 - 2 * finished_shards
    assert contents(tmp_path / "e") == contents(tmp_path / "whole")


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_parts_make_the_shards_and_the_whole_the_tables(
    clips: list[Path], tmp_path: Path, parts: int
) -> None:
    run(clips, Model(), tmp_path / "whole")
    for number in reversed(range(parts)):
        run(clips, Model(), tmp_path / "e", part=(number, parts))
    assert ("index.tsv" in contents(tmp_path / "e")) is (parts == 1)
    gathering = Model()
    run(clips, gathering, tmp_path / "e")
    assert gathering.batches == []
    assert contents(tmp_path / "e") == contents(tmp_path / "whole")


def test_a_finished_run_computes_nothing_again(clips: list[Path], tmp_path: Path) -> None:
    run(clips, Model(), tmp_path / "e")
    before, model = contents(tmp_path / "e"), Model()
    run(clips, model, tmp_path / "e")
    assert model.batches == []
    assert contents(tmp_path / "e") == before


def test_a_shard_is_made_again_when_a_clip_of_it_changed(clips: list[Path], tmp_path: Path) -> None:
    run(clips, Model(), tmp_path / "e")
    clips[5].write_text("50 50 50 50")
    model = Model()
    run(clips, model, tmp_path / "e")
    assert model.batches == [2, 2]
    assert load_embeddings(tmp_path / "e").values[5].tolist() == [50, 50]


@pytest.mark.parametrize("options", [{"key": "another model"}, {"dtype": torch.float16}])
def test_shards_of_another_model_are_not_kept(
    clips: list[Path], tmp_path: Path, options: dict[str, object]
) -> None:
    run(clips, Model(), tmp_path / "e")
    model = Model()
    run(clips, model, tmp_path / "e", **options)
    assert sum(model.batches) == CLIPS


def test_a_damaged_shard_is_made_again(clips: list[Path], tmp_path: Path) -> None:
    run(clips, Model(), tmp_path / "e")
    before = contents(tmp_path / "e")
    (tmp_path / "e" / "shard-00001.safetensors").write_bytes(before["shard-00001.safetensors"][:-3])
    run(clips, Model(), tmp_path / "e")
    assert contents(tmp_path / "e") == before


def test_shards_of_a_longer_run_go(clips: list[Path], tmp_path: Path) -> None:
    run(clips, Model(), tmp_path / "e")
    run(clips[:4], Model(), tmp_path / "e")
    assert sorted(contents(tmp_path / "e")) == [
        "failed.tsv",
        "index.tsv",
        "shard-00000.safetensors",
    ]


def test_a_bad_clip_is_left_out_and_named(clips: list[Path], tmp_path: Path) -> None:
    clips[1].write_text("no numbers")
    clips[9].unlink()
    run(clips, Model(), tmp_path / "e")
    names, values = load_embeddings(tmp_path / "e")
    assert names == [path.name for path in clips if path not in (clips[1], clips[9])]
    assert values[:, 1].tolist() == [3, 5, 6, 7, 8, 9, 10, 11]
    failed = read_table(tmp_path / "e" / "failed.tsv", ("clip", "reason"), text=("clip",))
    assert failed["clip"].tolist() == ["001", "009"]
    assert failed["reason"].str.contains("cannot be decoded").all()


def test_a_shard_without_any_good_clip(clips: list[Path], tmp_path: Path) -> None:
    for path in clips[4:8]:
        path.write_text("")
    for model, batches in ((Model(), 3), (Model(), 0)):
        run(clips, model, tmp_path / "e")
        assert len(load_embeddings(tmp_path / "e").clips) == 6
        assert len(model.batches) == batches


def test_what_is_not_finite_is_left_out(clips: list[Path], tmp_path: Path) -> None:
    run(clips, lambda video: Model()(video) * 10_000, tmp_path / "e", dtype=torch.float16)
    assert load_embeddings(tmp_path / "e").clips == ["000", "001", "002", "003"]
    failed = read_table(tmp_path / "e" / "failed.tsv", ("clip", "reason"))
    assert set(failed["reason"]) == {"its embedding is not finite in torch.float16"}


def test_no_good_clip_at_all_is_an_error(clips: list[Path], tmp_path: Path) -> None:
    for path in clips:
        path.write_text("")
    with pytest.raises(
        UserError, match=r"none of 10 clips could be embedded; the first, 000: .*cannot be decoded"
    ):
        run(clips, Model(), tmp_path / "e")
    assert not (tmp_path / "e" / "index.tsv").exists()
    assert len(read_table(tmp_path / "e" / "failed.tsv", ("clip", "reason"))) == CLIPS


def test_real_clips_and_a_truncated_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / f"{index}.mp4" for index in range(3)]
    for index, path in enumerate(paths):
        write_video(path, torch.full((5, 3, 32, 32), index / 4), 8)
    paths[1].write_bytes(paths[1].read_bytes()[:-200])
    embed_clips(
        paths,
        lambda video: video.mean((1, 2, 3, 4))[:, None],
        tmp_path / "e",
        lambda row: read_video(paths[row], 5, 32, 32),
        2,
        2,
    )
    names, values = load_embeddings(tmp_path / "e")
    assert names == ["0.mp4", "2.mp4"]
    torch.testing.assert_close(values[:, 0], torch.tensor([0.0, 0.5]), atol=0.02, rtol=0)
    assert "1.mp4" in read_table(tmp_path / "e" / "failed.tsv", ("clip", "reason"))["clip"].tolist()
    assert "shard 2/2: 3 of 3 clips, 1 left out" in capsys.readouterr().out


def test_the_index_tells_which_part_of_a_clip_was_read_and_by_whom(tmp_path: Path) -> None:
    paths = [tmp_path / f"{index}.mp4" for index in range(5)]
    for path, length in zip(paths, (9, 9, 4, 9, 9), strict=True):
        write_video(path, torch.rand(length, 3, 32, 32), 8)
    folder = tmp_path / "e"

    def embed() -> None:
        embed_clips(
            paths,
            lambda video: video.mean((1, 2, 3, 4))[:, None],
            folder,
            lambda row: read_clip(paths[row], (5, 32, 32), 8, Window(0.25), "pad"),
            2,
            2,
        )

    embed()
    (folder / "shard-00001.safetensors").unlink()
    embed()  # the other shards are those of before
    index = read_table(folder / "index.tsv", ("start", "seconds", "reader"), text=("clip",))
    assert index["clip"].tolist() == ["0.mp4", "1.mp4", "3.mp4", "4.mp4"]
    assert set(index["start"]) == {0.25} and set(index["seconds"]) == {0.625}
    assert set(index["fit"]) == {"pad"}
    libraries = {f"{name} {version(name)}" for name in ("decord", "av")}
    assert set(index["reader"]) <= libraries
    reason = read_table(folder / "failed.tsv", ("clip", "reason"))["reason"].item()
    assert "2.mp4: expected 0.625 s of video from 0.25 s on, for 5 frames at 8 a second" in reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda clips: {"clip_files": []}, "expected clips to embed, got none"),
        (
            lambda clips: {"clip_files": [*clips, clips[0].parent / "other" / "000"]},
            "got 000 more than once; rename one",
        ),
        (
            lambda clips: {"batch": 0},
            "expected a batch and a shard of at least one clip, got 0 and 4",
        ),
        (
            lambda clips: {"shard": 0},
            "expected a batch and a shard of at least one clip, got 2 and 0",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    clips: list[Path], tmp_path: Path, change: object, message: str
) -> None:
    arguments = {
        "clip_files": clips,
        "embed": Model(),
        "folder": tmp_path / "e",
        "read": lambda row: read(clips[row]),
        "batch": BATCH,
        "shard": SHARD,
    }
    with pytest.raises(UserError, match=message):
        embed_clips(**arguments | change(clips))


def test_a_model_that_loses_clips_is_a_mistake(clips: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected 2 embeddings of 2 clips"):
        run(clips, lambda video: video[:1], tmp_path / "e")


def test_latents_are_embedded_under_their_names(clips: list[Path], tmp_path: Path) -> None:
    clips[1].write_text("no numbers")
    run(clips, Model(), tmp_path / "xi")
    embed_latents(tmp_path / "xi", lambda z: z * 2, tmp_path / "again", batch=2, shard=5)
    xi, again = load_embeddings(tmp_path / "xi"), load_embeddings(tmp_path / "again")
    assert again.clips == xi.clips
    torch.testing.assert_close(again.values, xi.values * 2, rtol=0, atol=0)


def test_embedding_latents_goes_on_too(clips: list[Path], tmp_path: Path) -> None:
    run(clips, Model(), tmp_path / "xi")
    with pytest.raises(KeyboardInterrupt):
        embed_latents(tmp_path / "xi", Model(stop_at=4), tmp_path / "again", batch=2, shard=4)
    model = Model()
    embed_latents(tmp_path / "xi", model, tmp_path / "again", batch=2, shard=4)
    assert model.batches == [2, 2, 2]


def test_missing_embeddings_are_named(clips: list[Path], tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"none: expected embeddings with an index\.tsv, found none"
    ):
        load_embeddings(tmp_path / "none")
    run(clips, Model(), tmp_path / "e")
    (tmp_path / "e" / "shard-00001.safetensors").unlink()
    with pytest.raises(
        UserError,
        match=(
            r"shard-00001\.safetensors: expected 4 rows, named by index\.tsv, could not read them"
        ),
    ):
        load_embeddings(tmp_path / "e")


def test_alignment_keeps_what_all_have_in_one_order() -> None:
    one = Embeddings(["a", "b", "c", "d"], torch.arange(4.0)[:, None])
    other = Embeddings(["d", "x", "b", "a"], torch.tensor([[3.0], [9.0], [1.0], [0.0]]))
    third = Embeddings(["b", "d", "e"], torch.tensor([[1.0], [3.0], [4.0]]))
    for each in aligned(one, other, third):
        assert each.clips == ["b", "d"]
        assert each.values.tolist() == [[1.0], [3.0]]
    assert aligned(one)[0].clips == one.clips


def test_alignment_of_strangers_is_refused() -> None:
    with pytest.raises(
        UserError, match="embeddings of 1, 2 clips: expected clips in common, got none"
    ):
        aligned(Embeddings(["a"], torch.zeros(1, 1)), Embeddings(["b", "c"], torch.zeros(2, 1)))


@pytest.mark.parametrize(
    "name", ["../other/shard-00000.safetensors", "/etc/passwd", "other.safetensors", "", "."]
)
def test_an_index_cannot_name_files_elsewhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "other").mkdir()
    save_file({"values": torch.zeros(1, 2)}, tmp_path / "other" / "shard-00000.safetensors")
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "index.tsv").write_text(f"clip\tshard\trow\na.mp4\t{name}\t0\n")
    with pytest.raises(UserError, match="column shard: expected names such as shard-00000"):
        load_embeddings(tmp_path / "e")
