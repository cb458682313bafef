"""The arms of the comparison: what a network is trained on, beside the source itself.

An arm's name says what it is: `BASE[:EXEMPLARS][+ADDED...]`, as in `essa:dusk+grain+cover` or `issa+colour-jitter`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.mixoptions import TAKEN

RELIT = "relit"  # exemplars: the pictures of the source in random light and weather
METHODS = ("reinhard", "histogram", "fda", "adain")
AUGMENTATIONS = ("colour-jitter", "cutmix", "weather", "relight")
COPIES, MANY = 4, 12
UNEVEN = 0.15
ADDED: Mapping[str, Mapping[str, Any]] = {
    **{name: {name: 1.0} for name in TAKEN},
    "all-weather": dict.fromkeys(TAKEN, 1.0),
    "uneven": {"uneven": UNEVEN},
    "many": {"copies": MANY},
    **{name: {"augmentation": name} for name in AUGMENTATIONS},
    "standardised": {"standardised": True},
}
"""What stands after a plus: what copies take on beside colours, how many there are, or what is done while training."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to train. `method` None means no copies; `exemplars` None means those of the source itself."""

    name: str
    method: str | None = None
    exemplars: str | None = None
    copies: int = COPIES
    strength: str = "1"
    uneven: float = 0.0
    cover: float = 0.0
    grain: float = 0.0
    haze: float = 0.0
    blur: float = 0.0
    augmentation: str = "none"
    standardised: bool = False

    @property
    def mix(self) -> str | None:
        """The name of the stylized dataset; arms that differ in what is done while training alone share it."""
        if self.method is None:
            return None
        strength = "" if self.strength == "1" else f"-s{self.strength}"
        shares = (("g", self.grain), ("h", self.haze), ("b", self.blur), ("c", self.cover), ("u", self.uneven))
        weather = "".join(f"-{letter}{share:g}" for letter, share in shares if share)
        return f"{self.method}-{self.exemplars or 'source'}-x{self.copies}{strength}{weather}"

    @property
    def describe(self) -> str:
        """What is trained on what, in words."""
        parts = ["source"]
        if self.method:
            whose = f"{self.exemplars} exemplars" if self.exemplars else "exemplars of the source"
            strength = "" if self.strength == "1" else f", strength {self.strength}"
            added = [name for name in ("grain", "haze", "blur", "cover") if getattr(self, name)]
            added += [f"unevenness {self.uneven:g}"] if self.uneven else []
            parts.append(
                f"{self.copies} copies by {self.method}, {whose}{strength}{', with ' if added else ''}"
                + " and ".join(added)
            )
        if self.augmentation != "none":
            parts.append(f"{self.augmentation} while training")
        return " + ".join(parts) + (", each picture standardised" if self.standardised else "")


def arm_of(name: str, exemplars: Collection[str]) -> Arm:
    """Return the arm of a name, for the sets of exemplars there are; raises ValueError that says what is unknown."""
    base, *added = name.split("+")
    kind, colon, chosen = base.partition(":")
    if kind in AUGMENTATIONS:
        kind, added = "source", [kind, *added]
    whose, dash, how = chosen.partition("-")
    if colon and whose not in exemplars:
        raise ValueError(f"no exemplars {whose!r}, only {', '.join(exemplars)}")
    arm = _base(f"{kind}:*{dash}{how}" if colon else kind)
    arm = replace(arm, name=name, exemplars=whose if colon else arm.exemplars)
    for one in added:
        if one not in ADDED:
            raise ValueError(f"nothing called {one!r} is added, only {', '.join(ADDED)}")
        arm = replace(arm, **ADDED[one])
    return arm


def _base(name: str) -> Arm:
    if name not in _BASES:
        known = ", ".join(base.replace("*", "EXEMPLARS") for base in _BASES)
        raise ValueError(f"no arm {name.replace('*', 'EXEMPLARS')!r}, only {known}")
    return _BASES[name]


def _bases() -> dict[str, Arm]:
    """Return what stands before a plus; an asterisk stands for the name of a set of exemplars."""
    issa, strong, full = Arm(name="", method="stylization"), {"strength": "0.5-2"}, {"grain": 1.0}
    relit = replace(issa, exemplars=RELIT, grain=1.0, haze=1.0)
    return {
        "source": Arm(name=""),
        "issa": issa,
        "issa-x1": replace(issa, copies=1),
        "issa-strong": replace(issa, **strong),
        "issa-full": replace(issa, **strong, **full),
        "issa-relit": relit,
        "issa-relit-bare": replace(relit, grain=0.0, haze=0.0),
        "reinhard-relit": replace(relit, method="reinhard"),
        "essa:*": issa,
        "essa:*-strong": replace(issa, strength="0.5-1.5"),
        "essa:*-full": replace(issa, strength="0.5-1.5", **full),
        **{method: replace(issa, method=method) for method in METHODS},
        **{f"{method}:*": replace(issa, method=method) for method in METHODS},
    }


_BASES = _bases()

ALONE = ("source", *AUGMENTATIONS, "issa-x1", "issa", "issa-strong", "reinhard")
RELIT_ARMS = ("issa-relit", "issa-relit+all-weather", "reinhard-relit")
COMPLEMENTARY = ("issa-strong+colour-jitter", "issa-relit+colour-jitter")
STANDARDISED = ("source+standardised", "colour-jitter+standardised", "issa-relit+all-weather+standardised")
OF_EXEMPLARS = (
    *("essa:*", "essa:*+grain", "essa:*+grain+haze", "essa:*+all-weather", "essa:*+all-weather+colour-jitter"),
    *(f"{method}:*" for method in METHODS),
    *(f"{method}:*+all-weather" for method in METHODS),
    *("essa:*-strong+all-weather", "essa:*-strong+all-weather+standardised", "fda:*+all-weather+standardised"),
)


MAIN = ("source", "source+standardised", "colour-jitter", "issa", "issa-relit+all-weather")
MAIN_OF_EXEMPLARS = (
    *("reinhard:*", "fda:*", "essa:*", "essa:*-strong+all-weather"),
    *("fda:*+all-weather+standardised", "essa:*-strong+all-weather+standardised"),
)


def all_arms(exemplars: Iterable[str]) -> Mapping[str, Arm]:
    """Return the arms that are trained when none are named, by name, for the sets of exemplars there are."""
    return _arms((*ALONE, *RELIT_ARMS, *COMPLEMENTARY, *STANDARDISED), OF_EXEMPLARS, list(exemplars))


def main_arms(exemplars: Iterable[str]) -> Mapping[str, Arm]:
    """Return the few arms that tell most."""
    return _arms(MAIN, MAIN_OF_EXEMPLARS, list(exemplars))


def _arms(alone: Iterable[str], with_exemplars: Collection[str], exemplars: Collection[str]) -> Mapping[str, Arm]:
    names = [*alone, *(name.replace("*", one) for one in exemplars for name in with_exemplars)]
    return {name: arm_of(name, exemplars) for name in names}


def path_of(work: Path, arm: Arm) -> Path:
    """Return where an arm's stylized copies are."""
    if arm.mix is None:
        raise ValueError(f"{arm.name} has no copies")
    return work / "mixes" / arm.mix
