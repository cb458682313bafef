"""Whether stylized pictures kept their content and reached their style: pairs measured in batches, and the sets."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from stylize.codec import Floats
from stylize.evaluation.content import edge_agreement, structure_agreement
from stylize.evaluation.features import Backbone
from stylize.evaluation.frechet import Gaussian, frechet_distance
from stylize.evaluation.style import Style, colour_distance, feature_distance, styles
from stylize.evaluation.tables import Distribution
from stylize.segmentation import ConfusionMatrix

REMEMBERED = 4096  # styles of exemplars, some 3 kB each
# Pairs whose content is this near to its exemplar have no way to go, and no share of it.
NEAR = {"colour": 1.0, "features": 0.02}
IDS = 255  # of segmenters; 255 itself is no class

Distance = Callable[[Style, Style], float]
DISTANCES: Mapping[str, Distance] = {"colour": colour_distance, "features": feature_distance}


@dataclass(frozen=True, kw_only=True)
class Triple:
    """Content, output and exemplar, each [3, H, W] in [-1, 1] at one size; `score` is the guard's, of the output.

    `agreement` holds the counts of a segmenter's ids on the content (as truth) against those on the output, or None.
    """

    content_CHW: Floats
    output_CHW: Floats
    exemplar: str
    exemplar_CHW: Floats
    score: float
    agreement: ConfusionMatrix | None = None


class StylizationJudge:
    """Measures triples; keeps the distributions by measure, the Gaussians of the three sets, and the agreement."""

    def __init__(self, backbone: Backbone | None, device: torch.device, *, segmented: bool) -> None:
        self._backbone, self._device = backbone, device
        self.measures = {name: Distribution(1e-4) for name in ("content_score", "structure", "edges")}
        if segmented:
            self.measures["agreement"] = Distribution(1e-4)
        for kind in self._kinds:
            step = NEAR[kind] / 100
            self.measures |= {f"{kind}_content": Distribution(step), f"{kind}_output": Distribution(step)}
            self.measures |= {f"{kind}_exemplars": Distribution(step), f"{kind}_reached": Distribution(1e-3)}
        self.agreement = ConfusionMatrix(IDS) if segmented else None
        self._sets = {name: Gaussian() for name in ("content", "output", "exemplar")}
        self._exemplars: OrderedDict[str, Style] = OrderedDict()
        self._previous: tuple[str, Style] | None = None

    @property
    def _kinds(self) -> Sequence[str]:
        return list(DISTANCES) if self._backbone is not None else ["colour"]

    @torch.inference_mode()
    def __call__(self, batch: Sequence[Triple]) -> list[dict[str, float]]:
        """Return the values of each measure, by picture."""
        contents_BCHW, outputs_BCHW = (
            torch.from_numpy(np.stack(pictures)).to(self._device)
            for pictures in ([one.content_CHW for one in batch], [one.output_CHW for one in batch])
        )
        rows = [
            {"content_score": one.score, "structure": float(structure), "edges": float(edges)}
            for one, structure, edges in zip(
                batch,
                structure_agreement(outputs_BCHW, contents_BCHW),
                edge_agreement(outputs_BCHW, contents_BCHW),
                strict=True,
            )
        ]
        before, after = styles(contents_BCHW, self._backbone), styles(outputs_BCHW, self._backbone)
        for row, triple, *looks in zip(rows, batch, before, after, self._styles_of(batch), strict=True):
            self._segment(row, triple.agreement)
            self._collect(dict(zip(self._sets, looks, strict=True)))
            row |= self._approach(*looks) | self._apart(triple.exemplar, looks[-1])
            for name, value in row.items():
                self.measures[name].add(value)
        return rows

    def reached(self) -> dict[str, float]:
        """Return the share of the way to the exemplars that was gone, by kind of statistics: of the mean distances."""
        return {kind: _share(self._mean(kind, "output"), self._mean(kind, "content"), 0) for kind in self._kinds}

    def frechet(self) -> dict[str, float]:
        """Return the Frechet distances of contents and of outputs to the exemplars; empty without a network."""
        if self._backbone is None:
            return {}
        exemplars = self._sets["exemplar"]
        return {name: frechet_distance(self._sets[name], exemplars) for name in ("content", "output")}

    def _mean(self, kind: str, of: str) -> float:
        return self.measures[f"{kind}_{of}"].mean

    def _approach(self, content: Style, output: Style, exemplar: Style) -> dict[str, float]:
        found: dict[str, float] = {}
        for kind in self._kinds:
            before, after = DISTANCES[kind](content, exemplar), DISTANCES[kind](output, exemplar)
            found |= {f"{kind}_content": before, f"{kind}_output": after}
            found[f"{kind}_reached"] = _share(after, before, NEAR[kind])
        return found

    def _apart(self, name: str, style: Style) -> dict[str, float]:
        """Return how far an exemplar is from the one before it: what nearness among pictures of one style means."""
        previous, self._previous = self._previous, (name, style)
        if previous is None or previous[0] == name:
            return {}
        return {f"{kind}_exemplars": DISTANCES[kind](previous[1], style) for kind in self._kinds}

    def _segment(self, row: dict[str, float], matrix: ConfusionMatrix | None) -> None:
        if self.agreement is not None and matrix is not None:
            self.agreement = self.agreement + matrix
            row["agreement"] = matrix.accuracy()

    def _collect(self, looks: Mapping[str, Style]) -> None:
        for name, style in looks.items():
            if style.pooled is not None:
                self._sets[name].add(style.pooled[None])

    def _styles_of(self, batch: Sequence[Triple]) -> list[Style]:
        """Return the exemplars' styles; those met lately are remembered."""
        new = {one.exemplar: one.exemplar_CHW for one in batch if one.exemplar not in self._exemplars}
        if new:
            pictures_BCHW = torch.from_numpy(np.stack(list(new.values()))).to(self._device)
            self._exemplars |= zip(new, styles(pictures_BCHW, self._backbone), strict=True)
        found = [self._exemplars[one.exemplar] for one in batch]
        for one in batch:
            self._exemplars.move_to_end(one.exemplar)
        while len(self._exemplars) > REMEMBERED:
            self._exemplars.popitem(last=False)
        return found


def compare_predictions(before_HW: npt.NDArray[np.integer], after_HW: npt.NDArray[np.integer]) -> ConfusionMatrix:
    """Return the counts of what a segmenter says of a content (as truth) and of its output, which are of one size."""
    matrix = ConfusionMatrix(IDS)
    matrix.update(before_HW, after_HW)
    return matrix


def _share(after: float, before: float, near: float) -> float:
    return 1 - after / before if before > near else math.nan
