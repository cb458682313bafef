"""The report of proxy sets: all targets side by side, each with its pictures, and the ranking of models if any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines import figures, reportexemplars, reportmoves, reportranking
from pipelines import reportparts as parts
from pipelines.proxyrecord import read_record
from pipelines.reportmix import missing
from pipelines.reportmoves import Move, percent
from pipelines.reportpictures import Pictures, Seen, look
from pipelines.survey import Survey, survey
from stylize.errors import StylizeError
from stylize.markup import Child, Html, join
from stylize.reporting import code, links, masthead, page, remark, section, subtitle, table, text, tiles
from stylize.spelling import count
from stylize.storage import Storage

SHOWN, SHOWN_TARGETS = 12, 15  # copies with their pictures over all targets, and targets that have any
EXEMPLARS = 4  # pictures of a target
LOOKED, LEAST = 48, 6  # copies measured over all targets, and of each


@dataclass(frozen=True, kw_only=True)
class Target:
    """A proxy set as it was found; without its `survey` it is gone, as `trouble` says."""

    name: str
    entry: Mapping[str, Any]
    trouble: str
    survey: Survey | None = None
    pictures: Pictures | None = None
    used: Mapping[str, int] = field(default_factory=dict)
    seen: Sequence[Seen] = ()
    shown: Sequence[Seen] = ()
    move: Move | None = None

    @property
    def anchor(self) -> str:
        """The name of its section."""
        return f"target-{self.name}"


def build(storage: Storage, ranking: Mapping[str, Any] | None, places: Mapping[str, str]) -> bytes:
    """Return the page of what `proxy build` wrote; `ranking` is what `proxy rank --json` wrote.

    `places` says where sources are now, if they moved.
    """
    record = read_record(storage)
    known = record["targets"]
    targets = [_target(storage, name, entry, len(known), places) for name, entry in known.items()]
    seconds: dict[str, float] = {}
    for target in targets:
        figures.add(seconds, dict(target.survey.total.seconds) if target.survey else {})
    return page(
        f"proxy sets: {storage.url}",
        _head(storage, record, targets),
        _contents(targets, ranking),
        _figures(record, targets),
        _overview(targets) if targets else None,
        reportranking.build(ranking, record["targets"]) if ranking else None,
        reportmoves.build([target.move for target in targets if target.move], what="target", tabled=False),
        *(_section(target, place) for place, target in enumerate(targets)),
        parts.time_by_stage(seconds),
        _identity(record),
        parts.small_print(storage.url),
    )


def _target(storage: Storage, name: str, entry: Mapping[str, Any], targets: int, places: Mapping[str, str]) -> Target:
    try:
        seen = survey(storage.sub(name), places)
    except StylizeError as error:
        return Target(name=name, entry=entry, trouble=str(error))
    pictures, used = Pictures(seen), reportexemplars.uses(seen)
    looked = look(seen, pictures, lambda _source: name, max(LEAST, LOOKED // targets))
    copies = sum(used.values()) or seen.total.rows
    move = reportmoves.move(name, copies, looked.seen) if looked.seen else None
    return Target(
        name=name,
        entry=entry,
        trouble=looked.trouble,
        survey=seen,
        pictures=pictures,
        used=used,
        seen=looked.seen,
        shown=looked.shown(max(1, SHOWN // targets)),
        move=move,
    )


def _head(storage: Storage, record: Mapping[str, Any], targets: Sequence[Target]) -> Html:
    whole = all(target.survey is not None and target.survey.finished for target in targets)
    return masthead(
        "stylize proxy build",
        "/".join(storage.url.rstrip("/").split("/")[-2:]),
        f"Labelled pictures of {record['sources']['dataset']} in the look of {count(len(targets), 'target')} without "
        "labels. A model that does better on them should do better there.",
        badge=count(len(targets), "proxy set") if whole else "unfinished",
        fine=whole,
    )


def _contents(targets: Sequence[Target], ranking: Mapping[str, Any] | None) -> Html | None:
    if len(targets) < 2 and not ranking:
        return None
    ranked = {"ranking": "ranking of models"} if ranking else {}
    return links({**ranked, **{target.anchor: target.name for target in targets}})


def _figures(record: Mapping[str, Any], targets: Sequence[Target]) -> Html:
    totals = [target.survey.total for target in targets if target.survey]
    kinds = record["labels"]["kinds"]
    lines = [
        (str(len(targets)), "targets" if len(targets) != 1 else "target"),
        (parts.number(sum(total.rows for total in totals)), "labelled pictures in all"),
        (parts.number(max(kinds.values(), default=0)), f"contents with labels ({', '.join(kinds)})"),
    ]
    if scores := [one.score for target in targets for one in target.seen]:
        lines.append((percent(sum(scores) / len(scores)), "of the content kept, on average"))
    lines.append((parts.number(sum(total.failed for total in totals)), "failed"))
    return tiles(lines)


def _overview(targets: Sequence[Target]) -> Html:
    head = ("target", "exemplars", "pictures", "grey levels moved", "of the way", "content kept", "failed", "state")
    return section(
        "The targets",
        table(head, [_line(target) for target in targets]),
        lead="Exemplars are the unlabelled frames that a target is known by; one suffices, some dozens are better. "
        "Pictures that moved little make an easy target: their ranking is that of the source.",
    )


def _line(target: Target) -> Sequence[Child]:
    exemplars = parts.number(target.entry["exemplars"])
    if target.survey is None:
        return target.name, exemplars, *["-"] * 5, "gone"
    total, move = target.survey.total, target.move
    measured = (percent(move.share), percent(move.score)) if move else ("-", "-")
    shift = f"{total.mean('shift'):.1f}" if total.rows else "-"
    state = "finished" if target.survey.finished else "unfinished"
    return target.name, exemplars, parts.number(total.rows), shift, *measured, parts.number(total.failed), state


def _section(target: Target, place: int) -> Html:
    if target.survey is None or target.pictures is None:
        return section(target.name, remark(f"This set is gone: {target.trouble}"), name=target.anchor)
    blocks: list[Child] = []
    if place < SHOWN_TARGETS:
        cards = reportmoves.cards(target.shown) if target.shown else None
        blocks = [cards, missing(target.trouble), *_exemplars(target)]
    failed = parts.failures(target.survey.total, f"Failures of {target.name}")
    report = join("More of it: ", code(f"stylize report {target.survey.storage.url}"))
    about = (
        f"Exemplars from {target.entry['styles']}. {count(target.survey.total.rows, 'picture')}"
        f"{'' if target.survey.finished else ' so far; the same stylize proxy build goes on'}."
    )
    return section(target.name, *blocks, text(report), failed, lead=about, name=target.anchor)


def _exemplars(target: Target) -> list[Child]:
    gallery = reportexemplars.few(target.used, target.pictures, EXEMPLARS) if target.pictures else None
    return [subtitle("Some of its exemplars"), gallery] if gallery else []


def _identity(record: Mapping[str, Any]) -> Html:
    built = {name: value for name, value in record["built"].items() if value is not None}
    return section("What these sets are", parts.settings_table({**record["sources"], **built}))
