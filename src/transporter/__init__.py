"""TRANSPORTER: from the logits of a video vision-language model to videos.

    import transporter

    explainer = transporter.Explainer.from_pretrained()
    explainer.fit("day_night")
    explanation = explainer.sweep("a red circle moves left on grass during the day", "day_night")
    explanation.show()

Names are imported when they are first asked for, so that `import transporter` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transporter.clips.contrast import Concept, read_concepts
    from transporter.clips.reading import read_video
    from transporter.clips.writing import write_video
    from transporter.concepts.bank import ConceptBank
    from transporter.coupling.network import Coupling
    from transporter.coupling.reader import Reader
    from transporter.explainer.explainer import Explainer
    from transporter.explainer.explanation import Explanation
    from transporter.explainer.fits import Fit
    from transporter.generators.base import Generator, Sampling
    from transporter.pipeline.config import load_config
    from transporter.pipeline.loading import load_generator, load_vlm
    from transporter.support.errors import UserError
    from transporter.vlms.base import VLM

__all__ = [
    "VLM",
    "Concept",
    "ConceptBank",
    "Coupling",
    "Explainer",
    "Explanation",
    "Fit",
    "Generator",
    "Reader",
    "Sampling",
    "UserError",
    "__version__",
    "load_config",
    "load_generator",
    "load_vlm",
    "read_concepts",
    "read_video",
    "write_video",
]

# relative names: a string that names a module in full counts as an import for the hashes of code
_PLACES = {
    "Concept": ".clips.contrast",
    "ConceptBank": ".concepts.bank",
    "Coupling": ".coupling.network",
    "Explainer": ".explainer.explainer",
    "Explanation": ".explainer.explanation",
    "Fit": ".explainer.fits",
    "Generator": ".generators.base",
    "Reader": ".coupling.reader",
    "Sampling": ".generators.base",
    "UserError": ".support.errors",
    "VLM": ".vlms.base",
    "load_config": ".pipeline.config",
    "load_generator": ".pipeline.loading",
    "load_vlm": ".pipeline.loading",
    "read_concepts": ".clips.contrast",
    "read_video": ".clips.reading",
    "write_video": ".clips.writing",
}


def __getattr__(name: str) -> object:
    """Import a public name from its module, once (PEP 562)."""
    if name == "__version__":
        value: object = _version()
    elif name in _PLACES:
        value = getattr(import_module(_PLACES[name], __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    """The version of the installed package, or `unknown` of a folder of sources."""
    from importlib import metadata

    try:
        return metadata.version(__name__)
    except metadata.PackageNotFoundError:
        return "unknown"
