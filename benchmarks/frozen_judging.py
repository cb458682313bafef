"""What the models of `benchmarks/frozen_generator.py` make of frames and rendered scenes that they never saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import ablation
import numpy as np
import style_transfer
import torch
from torch import Tensor

from stylize.datasets.base import Sample
from stylize.evaluation.content import structure_agreement
from stylize.evaluation.features import Backbone, load_backbone
from stylize.evaluation.style import Style, colour_distance, feature_distance, styles
from stylize.images import Pixels, decode_rgb, from_model, to_model
from stylize.metrics import psnr
from stylize.models.bundle import Bundle
from stylize.models.perceptual import feature_distances
from stylize.render import recolour, render_clipped
from stylize.sheet import Cell, contact_sheet, evenly
from stylize.training.inputs import Inputs

EXEMPLARS = "*0001TP*"  # the dusk drive
CONTENTS, SHOWN = 24, 4  # frames that are recoloured, and how many of them are on the sheet
BATCH = 16
COMPARED = (180, 240)  # size at which colours, features and structure are compared
DISTANCES: Mapping[str, Callable[[Style, Style], float]] = {"colour": colour_distance, "features": feature_distance}


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Frames kept out of training, some of them as contents, and as many exemplars; uint8 `[H, W, 3]`."""

    heldout: Sequence[Pixels]
    contents: Sequence[Pixels]
    exemplars: Sequence[Pixels]


def load(inputs: Inputs) -> Pictures:
    """Read the frames; where the dataset has no dusk drive, exemplars are any of the training pictures."""

    def read(sample: Sample) -> Pixels:
        return decode_rgb(inputs.dataset.storage.read(sample.image))

    heldout = [read(sample) for sample in inputs.heldout]
    candidates = [s for s in inputs.train if Path(s.image).match(EXEMPLARS)] or list(inputs.train)
    count = min(CONTENTS, len(heldout))
    spread = np.linspace(0, len(candidates) - 1, count).round().astype(int)
    return Pictures(
        heldout=heldout,
        contents=[heldout[index] for index in evenly(len(heldout), count)],
        exemplars=[read(candidates[index]) for index in spread],
    )


def judge(bundle: Bundle, pictures: Pictures, pairs: Sequence[style_transfer.Pair]) -> dict[str, float]:
    """Return all figures of a model."""
    backbone = load_backbone(torch.device("cpu"))
    psnr_B, distance_B = reconstruct(bundle, pictures.heldout, backbone)
    truth = ablation.measure(bundle, pairs)
    return {
        "held-out PSNR": psnr_B.mean().item(),
        "held-out perceptual distance": distance_B.mean().item(),
        **approach(bundle, pictures, backbone),
        "closer to the truth": truth["closer"],
        "gain": truth["result"] - truth["content"],
        "gain error": truth["gain error"],
        "low gain": truth["result_low"] - truth["content_low"],
        "synthesis PSNR": truth["synthesis PSNR"],
    }


def in_frame(bundle: Bundle, pictures: Sequence[Pixels]) -> Tensor:
    """Return pictures in the model's frame, `[B, 3, H, W]`."""
    return torch.from_numpy(np.stack([to_model(picture, bundle.height, bundle.width) for picture in pictures]))


@torch.inference_mode()
def reconstruct(bundle: Bundle, pictures: Sequence[Pixels], backbone: Backbone) -> tuple[Tensor, Tensor]:
    """Return PSNR in dB and perceptual distance of each reconstruction, `[B]`."""
    found = []
    for start in range(0, len(pictures), BATCH):
        images = in_frame(bundle, pictures[start : start + BATCH])
        codes = bundle.invert(images)
        made = render_clipped(bundle, codes.ws_BLD, codes.noise)
        distances = feature_distances(backbone.maps(made), backbone.maps(images))
        found.append(torch.stack([psnr(made, images).float(), distances]))
    psnr_B, distance_B = torch.cat(found, dim=1)
    return psnr_B, distance_B


def transfer(bundle: Bundle, content_HWC: Pixels, exemplar_HWC: Pixels) -> tuple[Pixels, Pixels]:
    """Return a content after an exemplar: the plain synthesis, and recoloured at its own size."""
    content, exemplar = (bundle.invert(in_frame(bundle, [picture])) for picture in (content_HWC, exemplar_HWC))
    base = render_clipped(bundle, content.ws_BLD, content.noise)
    styled = render_clipped(bundle, exemplar.ws_BLD, content.noise)
    return from_model(styled[0].numpy()), recolour(content_HWC, base[0], styled[0])


def approach(bundle: Bundle, pictures: Pictures, backbone: Backbone) -> dict[str, float]:
    """Return the share of the way to the exemplars that recoloured contents go, and how much structure they keep."""
    look = partial(styles, backbone=backbone)
    before, after = ({name: list[float]() for name in DISTANCES} for _ in range(2))
    structure = []
    for content, exemplar in zip(pictures.contents, pictures.exemplars, strict=True):
        outcome = transfer(bundle, content, exemplar)[1]
        sides = [torch.from_numpy(to_model(x, *COMPARED))[None] for x in (content, outcome, exemplar)]
        was, now, goal = (look(side)[0] for side in sides)
        for name, distance in DISTANCES.items():
            before[name].append(distance(was, goal))
            after[name].append(distance(now, goal))
        structure.append(float(structure_agreement(sides[1], sides[0])))
    reached = {f"{name} reached": 1 - sum(after[name]) / sum(before[name]) for name in DISTANCES}
    return reached | {"structure": float(np.mean(structure))}


def sheet(bundles: Mapping[str, Bundle], pictures: Pictures) -> Pixels:
    """Return frames, their reconstructions by each model, an exemplar, and the syntheses in its style."""
    rows = []
    for index in evenly(len(pictures.contents), SHOWN):
        content, exemplar = pictures.contents[index], pictures.exemplars[index]
        again, styled = (
            [Cell(picture=transfer(bundle, content, style)[0], caption=caption) for bundle in bundles.values()]
            for style, caption in ((content, "reconstructed"), (exemplar, "in the exemplar's style"))
        )
        rows.append([Cell(picture=content), *again, Cell(picture=exemplar), *styled])
    return contact_sheet(("Frame", *bundles, "Exemplar", *bundles), rows, width=200)
