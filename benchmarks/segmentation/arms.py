"""The arms of the comparison: what a network is trained on, beside the source itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

RELIT = "relit"  # exemplars: the pictures of the source in random light and weather
METHODS = ("reinhard", "histogram", "fda", "adain")
COPIES = 4


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to train. `method` None means no copies; `exemplars` None means those of the source itself."""

    name: str
    method: str | None = None
    exemplars: str | None = None
    copies: int = COPIES
    strength: str = "1"
    grain: float = 0.0
    haze: float = 0.0
    blur: float = 0.0
    augmentation: str = "none"

    @property
    def mix(self) -> str | None:
        """The name of the stylized dataset; arms that differ in augmentation alone share it."""
        if self.method is None:
            return None
        strength = "" if self.strength == "1" else f"-s{self.strength}"
        grain = f"-g{self.grain:g}" if self.grain else ""
        haze = f"-h{self.haze:g}" if self.haze else ""
        blur = f"-b{self.blur:g}" if self.blur else ""
        return f"{self.method}-{self.exemplars or 'source'}-x{self.copies}{strength}{grain}{haze}{blur}"

    @property
    def describe(self) -> str:
        """What is trained on what, in words."""
        parts = ["source"]
        if self.method:
            whose = f"{self.exemplars} exemplars" if self.exemplars else "exemplars of the source"
            strength = "" if self.strength == "1" else f", strength {self.strength}"
            air = " and ".join(name for name in ("grain", "haze", "blur") if getattr(self, name))
            parts.append(f"{self.copies} copies by {self.method}, {whose}{strength}{', with ' if air else ''}{air}")
        if self.augmentation != "none":
            parts.append(f"{self.augmentation} while training")
        return " + ".join(parts)


def all_arms(exemplars: Iterable[str]) -> Mapping[str, Arm]:
    """Return every arm by name, for the sets of exemplars there are."""
    issa = Arm(name="issa", method="stylization")
    arms = [
        Arm(name="source"),
        Arm(name="colour-jitter", augmentation="colour-jitter"),
        Arm(name="cutmix", augmentation="cutmix"),
        Arm(name="weather", augmentation="weather"),
        replace(issa, name="issa-x1", copies=1),
        issa,
        Arm(name="reinhard", method="reinhard"),
    ]
    arms += _beyond(issa, strength="0.5-2")
    arms += _from_relit(issa)
    for name in exemplars:
        essa = replace(issa, name=f"essa:{name}", exemplars=name)
        arms += [essa, *(replace(essa, name=f"{method}:{name}", method=method) for method in METHODS)]
        for method in METHODS:
            grained = replace(essa, name=f"{method}:{name}+grain", method=method, grain=1.0)
            blurred = replace(grained, name=f"{grained.name}+blur", blur=1.0)
            arms += [grained, blurred, replace(grained, name=f"{grained.name}+haze", haze=1.0)]
        arms += _beyond(essa, strength="0.5-1.5")
    return {arm.name: arm for arm in arms}


def _from_relit(issa: Arm) -> list[Arm]:
    """Return the arms whose exemplars are the source itself in random light, and that light without any exemplar."""
    relit = replace(issa, name="issa-relit", exemplars=RELIT, grain=1.0, haze=1.0)
    return [
        relit,
        replace(relit, name="issa-relit-bare", grain=0.0, haze=0.0),
        replace(relit, name="issa-relit+colour-jitter", augmentation="colour-jitter"),
        replace(relit, name="reinhard-relit", method="reinhard"),
        Arm(name="relight", augmentation="relight"),
    ]


def _beyond(arm: Arm, strength: str) -> list[Arm]:
    """Return the arm with grain, haze, blur, exaggerated styles, all that goes together, and augmentation on top."""
    grained = replace(arm, name=f"{arm.name}+grain", grain=1.0)
    hazed = replace(grained, name=f"{grained.name}+haze", haze=1.0)
    strong = replace(arm, name=f"{arm.name}-strong", strength=strength)
    full = replace(strong, name=f"{arm.name}-full", grain=1.0)
    blurred = [replace(each, name=f"{each.name}+blur", blur=1.0) for each in (grained, hazed)]
    tops = [
        (each, top) for each in (arm, grained, hazed, *blurred, strong, full) for top in ("colour-jitter", "weather")
    ]
    on_top = [replace(each, name=f"{each.name}+{top}", augmentation=top) for each, top in tops]
    return [grained, hazed, *blurred, strong, full, *on_top]


def path_of(work: Path, arm: Arm) -> Path:
    """Return where an arm's stylized copies are."""
    if arm.mix is None:
        raise ValueError(f"{arm.name} has no copies")
    return work / "mixes" / arm.mix
