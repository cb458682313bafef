"""The stages of the demo, and what a user would type for each: printed as it goes on, and repeated on its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.demonetworks import AFTER, ARMS, BEFORE, INTRA, PREDICTIONS
from pipelines.demoscenes import DAY, KINDS, TARGETS, TEST, TRAIN, VAL, WEATHER, Cast
from pipelines.demotruth import STYLIZED

CACHE, STYLES, PROXY = "cache/day", "cache/weather", "proxy"
RANKING, PLOT = "ranking.json", "ranking.svg"
UNIT = 4  # pictures per unit of an inversion: few pictures are shared out evenly, and their progress can be seen
COPIES = 5
WIDTH = 100  # letters of a line that is to be read in a terminal
_INDENT = "    "
STAGES = {
    "render": "streets by day with labels, others in weather",
    "doctor": "what could be wrong with the labelled streets",
    "invert": "pictures into style codes and noise maps",
    "mix": "streets by day in the style of one another, and of those in weather",
    "verify": "every byte against the records",
    "measure": "some stylized pictures against their true renders",
    "train": f"{len(ARMS)} small segmentation networks, with and without stylized pictures",
    "proxies": "the labelled validation streets in the look of each target",
    "predict": "what each network sees, by day, on the proxies and in true weather",
    "score": "the networks in order, by proxies and in truth",
    "report": "the story as a page",
}


def wrapped(command: str) -> str:
    """Return a long command over several lines, broken before options, as a shell takes it."""
    first, *options = command.split(" --")
    lines = [first]
    for option in (f"--{option}" for option in options):
        if len(lines[-1]) + len(option) < WIDTH:
            lines[-1] += f" {option}"
        else:
            lines.append(f"{_INDENT}{option}")
    return " \\\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class Commands:
    """The commands of a demo, by stage; paths are relative to its folder."""

    cast: Cast
    model: str
    seed: int
    height: int
    width: int

    def of(self, stage: str) -> list[str]:
        """Return the lines of a stage; those that start with `#` are remarks."""
        return list(self.by_stage().get(stage, ()))

    def by_stage(self) -> Mapping[str, list[str]]:
        """Return the commands of every stage that has any."""
        extra = f"--styles {STYLES} --per-image {COPIES} --weather 1"
        return {
            "render": self.cast.commands(self.height, self.width),
            "doctor": [f"stylize doctor {DAY}"],
            "invert": [self._invert(DAY, CACHE), self._invert(WEATHER, STYLES)],
            "mix": [
                f"stylize mix {CACHE} {INTRA} --split {TRAIN} --seed {self.seed}",
                f"stylize mix {CACHE} {STYLIZED} --split {TRAIN} {extra} --seed {self.seed}",
            ],
            "verify": [f"stylize verify {STYLIZED}"],
            "train": [f"# here your own trainer: once on {DAY}/{TRAIN} alone, once on {STYLIZED}/{TRAIN} beside it"],
            "proxies": [
                *(self._invert(f"{TARGETS}/{kind}", f"cache/{kind}") for kind in KINDS),
                f"stylize proxy build {CACHE} {PROXY} --split {VAL} --seed {self.seed} "
                + " ".join(f"--styles {kind}=cache/{kind}" for kind in KINDS),
            ],
            "predict": [f"# here your own code: label pictures of {DAY}/{VAL}, {PROXY} and {TEST} by each network"],
            "score": [*(self.score(arm, KINDS[1]) for arm in (BEFORE.name, AFTER.name)), self.rank()],
        }

    def score(self, network: str, condition: str) -> str:
        """Return the command that scores a network in a condition."""
        return f"stylize evaluate segmentation {PREDICTIONS}/{network}/test/{condition} {TEST}/{condition}"

    def rank(self) -> str:
        """Return the command that ranks the networks and holds the ranking against the truth."""
        parts = [f"stylize proxy rank {PROXY}"]
        parts += [f"--predictions {arm.name}={PREDICTIONS}/{arm.name}/proxy" for arm in ARMS]
        parts += [f"--real {kind}={TEST}/{kind}" for kind in KINDS]
        parts += [f"--real-predictions {arm.name}={PREDICTIONS}/{arm.name}/test" for arm in ARMS]
        parts += [f"--source {DAY} --source-split {VAL}"]
        parts += [f"--source-predictions {arm.name}={PREDICTIONS}/{arm.name}/{VAL}" for arm in ARMS]
        return " ".join([*parts, f"--json {RANKING} --plot {PLOT}"])

    def _invert(self, data: str, cache: str) -> str:
        return f"stylize invert {data} {cache} --model {self.model} --unit-size {UNIT}"
