"""Ways to give a picture an exemplar's style: the stylization by a generator, and the baselines it is compared with.

A baseline is a pure function `(content_HWC, exemplar_HWC) -> result_HWC` of uint8 pictures [H, W, 3] that may differ in
size; the result has the content's. One module each.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stylize.errors import ConfigurationError
from stylize.images import Pixels
from stylize.methods import adain, fda, histogram, reinhard

Transfer = Callable[[Pixels, Pixels], Pixels]

STYLIZATION = "stylization"  # by generator and noise maps, which is not one of these functions
BASELINES: dict[str, Transfer] = {
    "reinhard": reinhard.transfer,
    "histogram": histogram.transfer,
    "fda": fda.transfer,
    "adain": adain.transfer,
}
METHODS = (STYLIZATION, *BASELINES)


def load_method(name: str) -> Transfer:
    """Return the function of a baseline; raises ConfigurationError for any other name."""
    if name not in BASELINES:
        raise ConfigurationError(f"method {name!r} is unknown: choose one of {', '.join(BASELINES)}")
    return BASELINES[name]


def weights_sha256(name: str) -> str | None:
    """Return the hash of the weights that a baseline brings, None for one without any.

    Raises ConfigurationError for an unknown name, FatalError when what the method needs is not installed.
    """
    load_method(name)
    return adain.weights_sha256() if name == "adain" else None


def blend(content_HWC: Pixels, result_HWC: Pixels, strength: float) -> Pixels:
    """Blend two pictures from the content (strength 0, exactly) to the result (1, exactly); uint8 [H, W, 3]."""
    if strength == 1:
        return result_HWC
    content = content_HWC.astype(np.float32)
    mixed = content + np.float32(strength) * (result_HWC.astype(np.float32) - content)
    return np.rint(mixed).clip(0, 255).astype(np.uint8)
