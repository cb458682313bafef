"""How far pictures moved, for reports: towards their exemplars by condition, and single copies on cards."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines import reportparts as parts
from pipelines.mixoptions import added
from pipelines.reportpictures import Seen, way_gone
from stylize.charts import dumbbells
from stylize.markup import Child, Html
from stylize.packed import inner
from stylize.reporting import Shown, section, table, text
from stylize.wipes import Wipe, wipes

SIDES = ("Content", "Result")
UNIT = "Lab"
MINUS = "\u2212"


@dataclass(frozen=True, kw_only=True)
class Move:
    """How far the copies of one condition moved, by those that were looked at; `copies` are those of the plan."""

    name: str
    copies: int
    looked: int
    before: float
    after: float
    share: float
    score: float
    shift: float


def move(name: str, copies: int, seen: Sequence[Seen]) -> Move:
    """Sum up what was seen of a condition."""
    before, after, share = way_gone(seen)
    return Move(
        name=name,
        copies=copies,
        looked=len(seen),
        before=before,
        after=after,
        share=share,
        score=float(np.mean([one.score for one in seen])),
        shift=float(np.mean([one.row["shift"] for one in seen])),
    )


def build(moves: Sequence[Move], *, what: str = "condition", tabled: bool = True) -> Html | None:
    """Return the section on how far each condition moved; None when no exemplar could be read.

    `tabled` adds the figures as a table.
    """
    known = [one for one in moves if math.isfinite(one.before)]
    if not known:
        return None
    looked = sum(one.looked for one in known)
    return section(
        f"How far each {what} moved",
        dumbbells(
            [(one.name, one.before, one.after, _remark(one)) for one in known], UNIT, ("content", "stylized result")
        ),
        table((what, "copies", "of the way", "grey levels moved", "content kept"), [_line(one) for one in known])
        if tabled
        else None,
        text(
            "At 0 % a copy still has its content's colours, at 100 % those of its exemplar. Another scene never has "
            "quite the same colours, so that 60 to 90 % is a full change of light. Far less than that: the exemplars "
            "show little of a street, look like the contents, or are beyond what the model has seen."
        ),
        lead="Distance in colour between a picture and its exemplar, in units of Lab: 2.3 is just noticeable. The "
        f"nearer to 0, the more the picture looks like its exemplar. Measured on {parts.number(looked)} copies.",
    )


def cards(seen: Sequence[Seen], *, columns: int = 2) -> Html:
    """Return contents against results, each with its exemplar and its figures."""
    return wipes([_card(one) for one in seen], SIDES, columns=columns)


def percent(share: float) -> str:
    """Spell a share."""
    return f"{100 * share:.0f} %".replace("-", MINUS) if math.isfinite(share) else "none"


def facts(one: Seen) -> list[tuple[str, Child]]:
    """Return the figures of a copy."""
    row = one.row
    found: list[tuple[str, Child]] = [
        ("content kept", percent(one.score)),
        ("moved by", f"{row['shift']:.1f} grey levels"),
    ]
    if math.isfinite(one.before):
        found.insert(0, ("of the way in colour", percent(way_gone([one])[2])))
    if row["strength"] != 1:
        found.append(("strength", f"{row['strength']:.2g}"))
    found += [(name, f"{share:.2g}") for name, share in added(row)]
    if row.get("flagged"):
        found.append(("guard", "flagged: no draw passed"))
    elif row.get("redrawn"):
        found.append(("guard", f"draw {len(row['redrawn']) + 1}"))
    return found


def _card(one: Seen) -> Wipe:
    row = one.row
    beside = []
    if one.exemplar_HWC is not None:
        beside.append(
            Shown(picture=one.exemplar_HWC, caption="Exemplar", alt=f"exemplar {inner(row['exemplar_source'])}"),
        )
    return Wipe(
        left=Shown(picture=one.content_HWC, alt=f"content {inner(row['content_source'])}"),
        right=Shown(picture=one.output_HWC, alt=f"result {inner(row['image'])}"),
        caption=f"{inner(row['image'])} in the style of {inner(row['exemplar_source'])}",
        beside=beside,
        facts=facts(one),
    )


def _remark(one: Move) -> str:
    return "no way to go" if math.isnan(one.share) else f"{percent(one.share)} of the way"


def _line(one: Move) -> Sequence[Child]:
    return one.name, parts.number(one.copies), percent(one.share), f"{one.shift:.1f}", percent(one.score)


def by_condition(groups: Mapping[str, Sequence[Seen]], copies: Mapping[str, int]) -> list[Move]:
    """Return how far each condition moved, the most copies first."""
    moves = [move(name, copies.get(name, len(seen)), seen) for name, seen in groups.items()]
    return sorted(moves, key=lambda one: (-one.copies, one.name))
