"""What a mix is asked to make: its options, checked, and as `run.json` records them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from pipelines.mixguard import RESERVE
from pipelines.mixplan import MixPlan
from pipelines.mixshards import FORMATS, TREE, Packing, packing_of
from pipelines.mixweather import Shares
from stylize.cache import Entry
from stylize.errors import ConfigurationError
from stylize.methods import METHODS, STYLIZATION
from stylize.models.bundle import check_precision
from stylize.render import parse_layers
from stylize.strength import Span, show_strength

SIZES = ("source", "model")
BATCH_SIZE = 8
_SHARES = ("grain", "haze", "min_content_score")
TAKEN = ("haze", "cover", "blur", "grain")  # what copies take on of their exemplars beside the colours, in this order
WEATHER = (*TAKEN, "uneven")  # what is done after the change of colours
LATER = ("blur", "uneven", "cover")  # what early runs did not have: recorded when not 0, so that those can be continued


@dataclass(frozen=True, kw_only=True)
class MixOptions:
    """Those arguments of `pipelines.mix.mix` that decide what the copies are; it says what each means.

    Raises:
        ConfigurationError: one is out of its range, or they do not fit together.
    """

    split: str | None
    limit: int | None
    per_image: int
    even: bool
    method: str
    strength: Span
    layers: str | None
    uneven: float
    cover: float
    grain: float
    haze: float
    blur: float
    min_content_score: float
    size: str
    format: str
    seed: int
    batch_size: int
    precision: str

    def __post_init__(self) -> None:
        self._check_ranges()
        self._check_choices()
        self.refuse_for_baseline(
            {
                "layers": self.layers is not None,
                "size model": self.resized,
                "a batch size": self.batch_size != BATCH_SIZE,
                "a precision": self.precision != "fp32",
            }
        )
        if self.strength[1] > 1 and not self.stylizes:
            raise ConfigurationError(
                f"the method {self.method} blends pixels, from strength 0 to 1: only {STYLIZATION} goes beyond, "
                f"not {show_strength(self.strength)}"
            )

    @property
    def stylizes(self) -> bool:
        """Whether a model makes the copies, and not a baseline."""
        return self.method == STYLIZATION

    @property
    def resized(self) -> bool:
        """Whether the copies are of the model's size, and not of their sources'."""
        return self.size == "model"

    @property
    def shares(self) -> Shares:
        """What is done to the copies after their colours, and how much of it."""
        return Shares(**{name: getattr(self, name) for name in WEATHER})

    @property
    def plan(self) -> MixPlan:
        """The plan of every pair."""
        return MixPlan(
            split=self.split,
            limit=self.limit,
            per_image=self.per_image,
            even=self.even,
            seed=self.seed,
            strength=self.strength,
            resized=self.resized,
            reserve=RESERVE if self.min_content_score else 0,
        )

    def moved_layers(self, num_ws: int) -> tuple[int, ...] | None:
        """Return the layers whose codes move, of a model's `num_ws`; None for all."""
        return None if self.layers is None else parse_layers(self.layers, num_ws)

    def packing(self, units: int, entries: Iterable[Entry]) -> Packing | None:
        """Return how the copies of a cache's entries are packed, None in a tree."""
        return None if self.format == TREE else packing_of(self.format, units, entries, resized=self.resized)

    def configuration(self, num_ws: int) -> dict[str, Any]:
        """Return what is compared before a run is continued; a batch size changes next to nothing, and may change."""
        low, high = self.strength
        return {
            **{name: getattr(self, name) for name in WHAT},
            **{name: float(getattr(self, name)) for name in _SHARES},  # 0 and 0.0 are not one in JSON
            **{name: float(share) for name in LATER if (share := getattr(self, name))},
            "strength": low if low == high else self.strength,
            "layers": self.moved_layers(num_ws),
            "precision": check_precision(self.precision) if self.stylizes else None,
        }

    def refuse_for_baseline(self, given: Mapping[str, bool]) -> None:
        """Raise `ConfigurationError` for a baseline when an argument that only a model has a use for is `given`."""
        for option, there in given.items():
            if there and not self.stylizes:
                raise ConfigurationError(f"{option} means nothing to the method {self.method}: leave it out")

    def _check_ranges(self) -> None:
        counts = {"number of copies per image": self.per_image, "batch size": self.batch_size, "limit": self.limit}
        for name, value in counts.items():
            if value is not None and value < 1:
                raise ConfigurationError(f"the {name} must be at least 1, not {value}")
        for name in TAKEN:
            share = getattr(self, name)
            if not 0 <= share <= 1:
                raise ConfigurationError(f"the {name} is between 0 (none) and 1 (all of the exemplar's), not {share:g}")
        if not 0 <= self.uneven <= 1:
            raise ConfigurationError(
                f"the style varies over a picture by 0 (not at all) to 1 of its strength, not {self.uneven:g}"
            )
        if not 0 <= self.min_content_score <= 1:
            raise ConfigurationError(
                f"the least content score is between 0 (no guard) and 1, not {self.min_content_score:g}"
            )

    def _check_choices(self) -> None:
        if self.size not in SIZES:
            raise ConfigurationError(f"size is {' or '.join(SIZES)}, not {self.size!r}")
        if self.format not in FORMATS:
            raise ConfigurationError(f"format is {', '.join(FORMATS)}, not {self.format!r}")
        if self.method not in METHODS:
            raise ConfigurationError(f"method {self.method!r} is unknown: choose one of {', '.join(METHODS)}")


def taken(weather: float, **given: float | None) -> dict[str, float]:
    """Return how much of each of `TAKEN` copies take on: `weather`, but for what is given.

    Raises ConfigurationError when `weather` is out of its range.
    """
    if not 0 <= weather <= 1:
        raise ConfigurationError(f"the weather is between 0 (none) and 1 (all of the exemplar's), not {weather:g}")
    return {name: weather if (share := given[name]) is None else share for name in TAKEN}


def added(recorded: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return what was done after the colours, by name, as a run or a copy recorded it: what is equal as `weather`."""
    found = {name: float(share) for name in WEATHER if (share := recorded.get(name))}
    taken_on = {found.get(name) for name in TAKEN}
    if len(taken_on) == 1 and (share := taken_on.pop()):
        found = {"weather": share, **{name: found[name] for name in found if name not in TAKEN}}
    return list(found.items())


# What `run.json` holds under the option's own name as it was given. The layers are there by number.
WHAT = tuple(f.name for f in fields(MixOptions) if f.name not in ("layers", "batch_size", "precision", *LATER))
