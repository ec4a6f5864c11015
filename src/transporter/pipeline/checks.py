"""Checks that compare keys of the settings with each other, and with the files that they name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from transporter.clips.contrast import Concept, read_concepts
from transporter.coupling.settings import share_complaint
from transporter.pipeline.ablations import OWN_ROWS
from transporter.pipeline.adapters import GIVEN, check_adapter
from transporter.pipeline.paths import IMAP_PROMPTS
from transporter.pipeline.refusals import Source, blamed, refusal
from transporter.pipeline.rendered_captions import rendered_lacks
from transporter.pipeline.world import load_world
from transporter.saliency.prompts import read_prompts
from transporter.support.errors import UserError
from transporter.support.refusals import nearest

MADE = ("results/models/", "results/planted/")
"""Models below these folders are made by rules, so they need not be there yet."""
RESERVED = ("results", "unfinished", "logs", "models", "config", "workflow", ".git", ".snakemake")
"""Folders of a clone that no clips are rendered into."""
EXAMPLE = "results/own_clips"
"""A folder of own clips that a rule makes."""

GRIDS = {"wan": (4, 16), "hunyuan_video": (4, 16), "cogvideox": (4, 16)}
"""By adapter: frames, and pixels of a side, that a token of the generator stands for, at least;
some models want more, which they say when they are loaded.
"""

PIXELS = 10**9
"""Of all frames of a video, at most: 100 of 4K."""

Config = Mapping[str, Any]
Sources = Sequence[Source]


def check_phi(config: Config, sources: Sources) -> None:
    """Strengths rise, and both ends are among them."""
    phi, path = config["generation"]["phi"], ("generation", "phi")
    if any(after <= before for before, after in pairwise(phi)):
        raise refusal(sources, path, f"expected numbers in rising order, got {phi}")
    if twice := next((few for few in pairwise(phi) if f"{few[0]:g}" == f"{few[1]:g}"), None):
        complaint = f"expected numbers that differ in six digits, got {list(twice)}"
        raise refusal(sources, path, complaint)
    if not {0, 1} <= set(phi):
        both = "a list that holds 0 (source) and 1 (target)"
        raise refusal(sources, path, f"expected {both}, got {phi}")


def check_choice(config: Config, sources: Sources) -> None:
    """The run uses models that are there, and shows no more than it makes."""
    chosen: dict[tuple[str, str], tuple[str, Iterable[str]]] = {
        ("run", kind): (kind, config["run"][kind]) for kind in ("generators", "vlms")
    }
    if config["truth"]["vlms"] != "all":
        chosen["truth", "vlms"] = ("vlms", config["truth"]["vlms"])
    for path, (kind, names) in chosen.items():
        _check_names(sources, path, names, list(config[kind]), kind)
    seeds, made = config["gallery"]["seeds"], config["generation"]["seeds"]
    if seeds > made:
        complaint = f"expected at most generation.seeds ({made}), got {seeds}"
        raise refusal(sources, ("gallery", "seeds"), complaint)


def check_adapters(config: Config, sources: Sources) -> None:
    """Every model has an adapter that is there, and options that have no key of their own."""
    for kind in ("generators", "vlms"):
        for name, model in config[kind].items():
            try:
                check_adapter(kind, model["adapter"])
            except UserError as error:
                complaint = str(error).removeprefix("key adapter: ")
                raise refusal(sources, (kind, name, "adapter"), complaint) from None
            if taken := sorted((model["options"] or {}).keys() & {*model, *GIVEN}):
                complaint = f"expected arguments without a key of their own, got {taken[0]}"
                raise refusal(sources, (kind, name, "options"), complaint)


def check_places(config: Config, sources: Sources) -> None:
    """The models' folders are there."""
    paths = {
        (kind, name, "path"): config[kind][name]["path"]
        for kind in ("generators", "vlms")
        for name in config["run"][kind]
    }
    judges = {
        ("probes",): config["probes"],
        ("metrics", "clip_judge"): config["metrics"]["clip_judge"],
        ("metrics", "clip"): config["metrics"]["clip"],
    }
    for key, path in (paths | judges).items():
        if path is not None and _is_place(path) and not Path(path).is_dir():
            complaint = f"expected a model's folder, got {path}, which is not there"
            raise refusal(sources, key, complaint)
    head = config["metrics"]["head"]
    if head is not None and not Path(head).is_file():
        complaint = f"expected a file of weights, got {head}, which is not there"
        raise refusal(sources, ("metrics", "head"), complaint)
    masks = config["saliency"]["masks"]["folder"]
    if masks is not None and not Path(masks).is_dir():
        complaint = f"expected a folder of clips with masks, got {masks}, which is not there"
        raise refusal(sources, ("saliency", "masks", "folder"), complaint)


def check_prompts(config: Config, sources: Sources) -> None:
    """The table of prompts can be read, but for the one that a rule fetches."""
    path = config["saliency"]["prompts"]["table"]
    if path is None or (path == IMAP_PROMPTS and not Path(path).exists()):
        return
    if not Path(path).is_file():
        complaint = f"expected a table of prompts, got {path}, which is not there"
        raise refusal(sources, ("saliency", "prompts", "table"), complaint)
    read_prompts(path)


def _is_place(path: str) -> bool:
    """Whether a model's path means a folder that must exist, not a name on the hub or what a rule
    makes.
    """
    if path.startswith(MADE) and ".." not in Path(path).parts:
        return False
    return (
        path.startswith((".", "/", "~", "models/"))
        or path.count("/") != 1
        or Path(path).parts[0] == "results"
    )


def check_sizes(config: Config, sources: Sources) -> None:
    """Videos are of sizes that the family's VAE and patches can make; of an adapter of your own
    nothing is known before it is loaded.
    """
    for name, model in config["generators"].items():
        temporal, spatial = GRIDS.get(model["adapter"], (1, 1))
        frames, path = model["frames"], ("generators", name)
        if frames % temporal != 1 % temporal:
            near = frames // temporal * temporal + 1
            complaint = f"expected {temporal} k + 1 frames, got {frames}; {near} works"
            raise refusal(sources, (*path, "frames"), complaint)
        for side in ("height", "width"):
            if model[side] % spatial:
                near = model[side] // spatial * spatial
                complaint = f"expected a multiple of {spatial}, got {model[side]}; {near} works"
                raise refusal(sources, (*path, side), complaint)
        pixels = frames * model["height"] * model["width"]
        if pixels > PIXELS:
            complaint = f"expected videos of at most {PIXELS:.0e} pixels in all, got {pixels:.1e}"
            raise refusal(sources, path, complaint)


def check_frames(config: Config, sources: Sources) -> None:
    """No VLM is shown more frames than the clips of the run have."""
    run = config["run"]
    fewest = min(run["generators"], key=lambda name: config["generators"][name]["frames"])
    most = config["generators"][fewest]["frames"]
    for name in run["vlms"]:
        if (frames := config["vlms"][name]["frames"] or 1) > most:
            complaint = f"expected at most the frames of {fewest} ({most}), got {frames}"
            raise refusal(sources, ("vlms", name, "frames"), complaint)


def check_networks(config: Config, sources: Sources) -> None:
    """The heads of Phi_2 share its width, and the processes that train Phi the passes of a step."""
    processes, accumulate = (config["coupling"][key] for key in ("processes", "accumulate"))
    if complaint := share_complaint(processes, accumulate):
        raise refusal(sources, ("coupling", "accumulate"), complaint)
    phi_2 = config["coupling"]["phi_2"]
    if phi_2["width"] % phi_2["heads"]:
        complaint = f"expected a divisor of phi_2.width ({phi_2['width']}), got {phi_2['heads']}"
        raise refusal(sources, ("coupling", "phi_2", "heads"), complaint)


def check_concepts(config: Config, sources: Sources) -> None:
    """The table of concepts can be read and has those of the run."""
    path, wanted = config["concepts"], config["run"]["concepts"]
    if not Path(path).is_file():
        complaint = f"expected a table of concepts, got {path}, which is not there"
        raise refusal(sources, ("concepts",), complaint)
    known = [concept.name for concept in read_concepts(path)]
    if wanted != "all":
        _check_names(sources, ("run", "concepts"), wanted, known, path)


def check_world(config: Config, sources: Sources) -> None:
    """The world is installed, and its table of shortcuts can be read."""
    try:
        world = load_world(config["world"])
    except UserError as error:
        raise UserError(f"{blamed(sources, ('world',))}: {error}") from None
    if world is None:
        if config["clips"]["source"] == "world":
            complaint = "expected folder, since world is null, got 'world'"
            raise refusal(sources, ("clips", "source"), complaint)
        return
    path = config["shortcuts"]
    if not Path(path).is_file():
        complaint = f"expected a table of shortcuts, got {path}, which is not there"
        raise refusal(sources, ("shortcuts",), complaint)
    world.read_shortcuts(path)


def check_figures(config: Config, sources: Sources) -> None:
    """Figures show concepts of the run, in no more parts than there are steps."""
    figures = config["figures"]
    run = [concept.name for concept in _run_concepts(config)]
    named = {("several", number): names for number, names in enumerate(figures["several"] or ())}
    for figure in ("injection", "partial_frames"):
        named[figure, "concepts"] = figures[figure]["concepts"] or ()
    for path, names in named.items():
        if unknown := [name for name in names if name not in run]:
            complaint = f"expected concepts of the run ({', '.join(run)}), got {unknown[0]!r}"
            raise refusal(sources, ("figures", *path), complaint)
    steps = config["generators"][config["run"]["generators"][0]]["steps"]
    frames = _latent_frames(config["generators"][config["run"]["generators"][0]])
    for figure, most, what in (
        ("injection", steps, "the generator's steps"),
        ("partial_frames", frames, "the generator's latent frames"),
    ):
        parts = figures[figure]["parts"]
        if parts > most:
            complaint = f"expected at most {what} ({most}), got {parts}"
            raise refusal(sources, ("figures", figure, "parts"), complaint)


def _latent_frames(generator: Mapping[str, Any]) -> int:
    temporal, _ = GRIDS.get(generator["adapter"], (1, 1))
    return (generator["frames"] - 1) // temporal + 1


def check_ablations(config: Config, sources: Sources) -> None:
    """No ablation has the name of a row that their table has of itself."""
    if taken := [name for name in config["ablations"] if name in OWN_ROWS]:
        complaint = (
            f"expected another name than {', '.join(OWN_ROWS)}, rows of the table; rename it"
        )
        raise refusal(sources, ("ablations", taken[0]), complaint)


def check_windows(config: Config, sources: Sources) -> None:
    """Several parts are taken of own clips alone, and of none that is read from start to end."""
    clips, path = config["clips"], ("clips", "windows")
    if clips["windows"] == 1:
        return
    if clips["source"] == "world":
        complaint = f"expected 1, since the world's clips are short, got {clips['windows']}"
        raise refusal(sources, path, complaint)
    if clips["seconds"] == "all":
        complaint = f"expected 1, since clips.seconds is all, got {clips['windows']}"
        raise refusal(sources, path, complaint)


def check_truth(config: Config, sources: Sources) -> None:
    """No more captions are wanted than are tried."""
    pool, captions = config["truth"]["pool"], config["truth"]["captions"]
    if captions > pool:
        complaint = f"expected at most truth.pool ({pool}), got {captions}"
        raise refusal(sources, ("truth", "captions"), complaint)


def check_splits(config: Config, sources: Sources) -> None:
    """Shares are of own clips, and no more than there are; own clips are there and hold the run's
    words.
    """
    clips, path = config["clips"], ("clips", "splits")
    if clips["source"] == "world":
        _check_rendered(clips["folder"], sources)
        if clips["layout"] != "captions":
            complaint = f"expected captions, since the world has its own, got {clips['layout']}"
            raise refusal(sources, ("clips", "layout"), complaint)
    shares = {split: size for split, size in clips["splits"].items() if size < 1}
    if clips["source"] == "world":
        for split, share in shares.items():
            complaint = f"expected a number of clips of the world, got the share {share}"
            raise refusal(sources, (*path, split), complaint)
        _check_rendered_words(config, sources)
        return
    if sum(shares.values()) > 1 + 1e-9:
        complaint = f"expected shares that add up to 1 at most, got {sum(shares.values()):g}"
        raise refusal(sources, path, complaint)
    folder, layout = Path(clips["folder"]), clips["layout"]
    if folder == Path(EXAMPLE) and not (folder / "captions.tsv").exists():
        return
    parts = ("captions.tsv", "clips") if layout == "captions" else ()
    wanted = "captions.tsv and clips/" if parts else f"clips as {layout} has them"
    for part in (folder, *map(folder.joinpath, parts)):
        if not part.exists():
            complaint = f"expected a folder with {wanted}, got no {part}"
            raise refusal(sources, ("clips", "folder"), complaint)
    from transporter.pipeline.own_clips import check_clips  # with pandas, which a world needs not

    try:
        check_clips(folder, clips["splits"], config["seed"], _run_concepts(config), layout)
    except UserError as error:
        raise UserError(f"{blamed(sources, ('clips', 'folder'))}: clips.folder: {error}") from None


def _check_rendered(folder: str, sources: Sources) -> None:
    """Clips are rendered below the working folder, and not where results are."""
    parts = Path(folder).parts
    if Path(folder).is_absolute() or ".." in parts or not parts or parts[0] in RESERVED:
        complaint = f"expected a folder of its own below this one, such as data, got {folder}"
        raise refusal(sources, ("clips", "folder"), complaint)


def _check_rendered_words(config: Config, sources: Sources) -> None:
    """The captions of the clips to be rendered hold the words of the run."""
    world, splits = load_world(config["world"]), config["clips"]["splits"]
    assert world is not None
    lacks = rendered_lacks(world, splits, config["seed"], concepts := _run_concepts(config))
    if lacks:
        served = ", ".join(concept.name for concept in concepts if concept.name not in lacks)
        others = f", or run those that they have (run.concepts: {served})" if served else ""
        name, lack = next(iter(lacks.items()))
        more = f" and {len(lacks) - 1} more" if len(lacks) > 1 else ""
        complaint = (
            f"expected clips with the words of every concept, got too few for {name} ({lack}"
        )
        raise refusal(sources, ("clips", "splits"), f"{complaint}){more}; take more clips{others}")


def _run_concepts(config: Config) -> list[Concept]:
    wanted = config["run"]["concepts"]
    return read_concepts(config["concepts"], None if wanted == "all" else wanted)


def _check_names(
    sources: Sources, path: Sequence[str], names: Iterable[str], known: Sequence[str], where: str
) -> None:
    for name in names:
        if name not in known:
            choice = f"expected names from {where} ({', '.join(known)}), got {name!r}"
            raise refusal(sources, path, f"{choice}{nearest(name, known)}")


CHECKS: Sequence[Callable[[Config, Sources], None]] = (
    check_phi,
    check_choice,
    check_adapters,
    check_sizes,
    check_frames,
    check_networks,
    check_places,
    check_prompts,
    check_concepts,
    check_world,
    check_figures,
    check_ablations,
    check_truth,
    check_windows,
    check_splits,
)
"""In the order that a user meets them."""
OF_CLIPS = (check_windows, check_splits)
"""Those that look at the clips themselves."""
