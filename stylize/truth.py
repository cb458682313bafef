"""How near a stylized scene comes to the truth: the measurement that only rendered scenes allow.

A scene by day (content) in the style of another scene (exemplar) should look like the content rendered in exactly the
exemplar's light and weather (truth). The result has to be nearer to the truth than the content was, at full resolution
and after a strong blur, which asks for light and colour by region and forgives what no change of colour can bring.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import torch

from stylize.images import Pixels
from stylize.metrics import low_frequency_psnr, psnr


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One pair: PSNR to the truth in dB, full and of the low frequencies, of the content and of the result."""

    condition: str
    content: float
    content_low: float
    result: float
    result_low: float


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Many pairs: the shares in 0..1 whose result is nearer to the truth than their content, and mean PSNR in dB."""

    pairs: int
    closer: float
    closer_low: float
    content: float
    content_low: float
    result: float
    result_low: float

    def as_dict(self) -> dict[str, float]:
        """Return the fields as JSON values."""
        return asdict(self)


def compare(condition: str, content_HWC: Pixels, result_HWC: Pixels, truth_HWC: Pixels) -> Comparison:
    """Compare content and result with the truth; all of one size."""
    content, content_low = closeness(content_HWC, truth_HWC)
    result, result_low = closeness(result_HWC, truth_HWC)
    return Comparison(
        condition=condition, content=content, content_low=content_low, result=result, result_low=result_low
    )


def closeness(picture_HWC: Pixels, truth_HWC: Pixels) -> tuple[float, float]:
    """Return PSNR and low-frequency PSNR of a picture in dB."""
    picture, truth = (
        torch.from_numpy(np.ascontiguousarray(rgb_HWC.transpose(2, 0, 1)))[None].float() / 127.5 - 1
        for rgb_HWC in (picture_HWC, truth_HWC)
    )
    return float(psnr(picture, truth)), float(low_frequency_psnr(picture, truth))


def judge(comparisons: Iterable[Comparison]) -> Verdict:
    """Return what pairs come to; raises `ValueError` without any."""
    every = list(comparisons)
    if not every:
        raise ValueError("no pairs to judge")
    return Verdict(
        pairs=len(every),
        closer=float(np.mean([c.result > c.content for c in every])),
        closer_low=float(np.mean([c.result_low > c.content_low for c in every])),
        content=float(np.mean([c.content for c in every])),
        content_low=float(np.mean([c.content_low for c in every])),
        result=float(np.mean([c.result for c in every])),
        result_low=float(np.mean([c.result_low for c in every])),
    )


def by_condition(comparisons: Iterable[Comparison]) -> Mapping[str, Verdict]:
    """Return the verdict on each condition, in the order of their first pairs."""
    groups: dict[str, list[Comparison]] = {}
    for comparison in comparisons:
        groups.setdefault(comparison.condition, []).append(comparison)
    return {name: judge(group) for name, group in groups.items()}
