"""A self-test of one model: which adapter suits its folder, and whether both keep to what the
method needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from transporter.generators import families as pipelines
from transporter.generators.base import Generator
from transporter.generators.pipelines import INDEX
from transporter.generators.self_test import generator_checks
from transporter.pipeline.adapters import BASES, check_adapter, import_adapter
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.support.errors import UserError
from transporter.support.self_test import Finding, findings
from transporter.vlms import families as models
from transporter.vlms.base import VLM
from transporter.vlms.self_test import vlm_checks


@dataclass(frozen=True)
class Model:
    """What a folder, or a place on the hub, holds."""

    kind: str
    """`generators` or `vlms`, as the settings call them."""
    adapter: str
    family: str | None = None
    """What it says of itself, where it was asked."""


def recognised(path: str, revision: str | None = None) -> Model:
    """The model in a folder or on the hub, by its configuration alone.

    Raises:
        UserError: it has none, or no adapter here knows the family.
    """
    if Path(path, INDEX).is_file() or (not Path(path).is_dir() and _is_pipeline(path, revision)):
        kind, name = "generators", pipelines.pipeline_name(path, revision)
        adapter = pipelines.ADAPTERS.get(name)
    else:
        kind, name = "vlms", models.model_type(path, revision or "main", "video vision-language")
        adapter = models.ADAPTERS.get(name)
    if adapter is None:
        raise UserError(
            f"{path}: this folder is a {name}: no adapter here loads it; --adapter takes one of"
            " your own as module:Class (docs/models.md)"
        )
    return Model(kind, adapter, name)


def _is_pipeline(path: str, revision: str | None) -> bool:
    try:
        return bool(pipelines.pipeline_name(path, revision))
    except UserError:
        return False


def named(adapter: str) -> Model:
    """A model that an adapter is named for.

    Raises:
        UserError: it is neither one of a generator nor one of a VLM.
    """
    complaints = []
    for kind in BASES:
        try:
            check_adapter(kind, adapter)
        except UserError as error:
            complaints.append(str(error))
        else:
            return Model(kind, adapter)
    raise UserError(complaints[-1].replace("key adapter", "--adapter"))


def check_model(model: Model, settings: Mapping[str, Any], fps: float) -> Iterator[Finding]:
    """Load a model and try it; `settings` are `path`, `dtype` and what else its adapter takes, with
    `frames`, `height` and `width` of the clips, and for a VLM how many frames it is `shown`.

    Raises:
        UserError: the folder cannot be loaded by the adapter.
    """
    import_adapter(model.kind, model.adapter)
    chosen = {**settings, "adapter": model.adapter}
    if model.kind == "generators":
        del chosen["shown"]
        tokens = pipelines.TOKENS.get(model.adapter, pipelines.MOST)
        generator = load_generator({"max_tokens": tokens, "fps": fps, **chosen})
        yield _loaded(generator)
        yield from findings(generator_checks(generator))
        return
    frames, height, width, shown = (
        chosen.pop(key) for key in ("frames", "height", "width", "shown")
    )
    shape = (frames, 3, height, width)
    vlm = load_vlm({**chosen, "frames": shown}, shape, fps=fps)
    yield _loaded(vlm)
    yield from findings(vlm_checks(vlm, shape))


def _loaded(model: Generator | VLM) -> Finding:
    networks = dict(model.networks()) if hasattr(model, "networks") else vars(model)
    weights = [
        weight
        for network in networks.values()
        if isinstance(network, nn.Module)
        for weight in network.parameters()
    ]
    count = sum(weight.numel() for weight in weights)
    size = sum(weight.nbytes for weight in weights) / 1e9
    words = f"{count / 1e6:,.1f} million weights, {size:.3g} GB, on {model.device}"
    return Finding("loads", True, words)
