"""What the report of a mix says about content scores: their distribution, what was refused, the weakest that passed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from pipelines import provenance, reportmoves
from pipelines.mixguard import RESERVE
from pipelines.provenance import Row
from pipelines.reportpictures import SMALL, WIDTH, Look, Pictures
from pipelines.survey import Survey, distribution
from stylize.charts import histogram
from stylize.errors import StylizeError
from stylize.guard import LEAST_SCORE
from stylize.images import Pixels, decode_rgb
from stylize.markup import Html
from stylize.packed import inner
from stylize.reporting import Shown, fitted, remark, rows, section, subtitle, text
from stylize.spelling import count
from stylize.wipes import Wipe, wipes

Loaded = TypeVar("Loaded")

SHOWN_REFUSED, SHOWN_LOWEST = 6, 4  # copies
REFUSED_WIDTH = 380
EXPLAINED = (
    "How much of its scene a picture still shows, by its edges and by what a change of light can explain. 100 % is all "
    "of it, another scene comes to some 5 %. Plain changes of light score above 50 %, damaged pictures below it 9 "
    "times in 10."
)


def build(survey: Survey, pictures: Pictures, seen: Look) -> Html | None:
    """Return the section on content scores: those on record, or without a guard those of the copies looked at."""
    total = survey.total
    if "score.count" not in total.figures:
        return _measured(seen)
    least = survey.run["configuration"]["min_content_score"]
    marks = {"threshold": 100 * least, "median": total.percentile("score", 50)}
    scores = {100 * least: 0.0, **distribution(total.figures, "score")}  # so that the threshold is in sight
    refused, lowest = _weakest(survey)
    return section(
        "Content kept",
        histogram(scores, "%", marks=marks),
        text(_story(survey, least)),
        *_refused(refused, pictures),
        *_lowest(lowest, pictures),
        lead=EXPLAINED,
    )


def _measured(seen: Look) -> Html | None:
    """Return the section of a run without a guard."""
    if not seen.seen:
        return None
    counts = Counter(round(100 * one.score, 1) for one in seen.seen)
    median = sorted(one.score for one in seen.seen)[len(seen.seen) // 2]
    lowest = sorted(seen.seen, key=lambda one: one.score)[:SHOWN_LOWEST]
    shown = {100 * LEAST_SCORE: 0.0, **{value: float(number) for value, number in counts.items()}}
    return section(
        "Content kept",
        histogram(shown, "%", marks={"usual threshold": 100 * LEAST_SCORE, "median": 100 * median}),
        text(
            f"This run had no guard; measured for this page, on {count(len(seen.seen), 'picture')} from all over it. "
            "With --min-content-score mix draws what scores lower again."
        ),
        subtitle("The lowest of them"),
        reportmoves.cards(lowest),
        lead=EXPLAINED,
    )


def _story(survey: Survey, least: float) -> str:
    redrawn, flagged = (int(survey.total.figures.get(name, 0)) for name in ("redrawn", "flagged"))
    if not redrawn and not flagged:
        return f"No picture scored below {100 * least:g} %, so none was refused."
    was = "was" if redrawn == 1 else "were"
    tried = f"{count(redrawn, 'picture')} scored below {100 * least:g} % and {was} drawn again"
    if not flagged:
        return f"{tried}, with one of {RESERVE} further exemplars, and then passed."
    return (
        f"{tried}, with up to {RESERVE} further exemplars. {count(flagged, 'picture')} passed with none of them: the "
        "best draw was written, and is flagged in its provenance. Leave these out of a training set, or lower the "
        "strength."
    )


def _weakest(survey: Survey) -> tuple[list[Row], list[Row]]:
    """Return rows whose copies were refused, and those with the lowest scores that passed, of the weakest units."""
    found: list[Row] = []
    for unit in survey.weakest:
        try:
            found += provenance.read_rows(survey.storage.read(provenance.path_of(unit)))
        except StylizeError:
            continue
    found = sorted((row for row in found if row["content_score"] is not None), key=lambda row: row["content_score"])
    refused = [row for row in found if _picture(row) or (row["flagged"] and not row["redrawn"])]
    return refused[:SHOWN_REFUSED], [row for row in found if not row["flagged"]][:SHOWN_LOWEST]


def _refused(chosen: Sequence[Row], pictures: Pictures) -> list[Html]:
    lines, trouble = _loaded(chosen, lambda row: _refusal(row, pictures))
    if not chosen:
        return []
    shown = [rows(("Content", "Refused", "Written"), lines)] if lines else []
    return [subtitle("Refused"), *shown, *_missing(trouble)]


def _lowest(chosen: Sequence[Row], pictures: Pictures) -> list[Html]:
    passed, trouble = _loaded(chosen, lambda row: _pass(row, pictures))
    if not chosen:
        return []
    shown = [wipes(passed, reportmoves.SIDES)] if passed else []
    return [subtitle("The lowest scores that passed"), *shown, *_missing(trouble)]


def _loaded(chosen: Sequence[Row], load: Callable[[Row], Loaded]) -> tuple[list[Loaded], str]:
    loaded, trouble = [], ""
    for row in chosen:
        try:
            loaded.append(load(row))
        except StylizeError as error:
            trouble = str(error)
    return loaded, trouble


def _missing(trouble: str) -> list[Html]:
    return [remark(f"Pictures are missing here: {trouble}")] if trouble else []


def _refusal(row: Row, pictures: Pictures) -> tuple[Shown, ...]:
    """Return the content, a refused draw and what was written; the latter two are one when there was no reserve."""
    refused = _picture(row)
    content = Shown(picture=_small(pictures.content(row)), caption=inner(row["content_source"]))
    verdict = "the best of them, flagged" if row["flagged"] else "passed"
    caption = (
        f"{inner(row['image'])}, style of {inner(row['exemplar_source'])}: {_percent(row['content_score'])}, {verdict}"
    )
    result = Shown(picture=_small(pictures.output(row)), caption=caption, mark="result")
    if refused is None:
        return content, Shown(picture=result.picture, caption="nothing else to draw it with"), result
    jpeg, source, score = refused
    draw = Shown(picture=decode_rgb(jpeg), caption=f"style of {inner(source)}: {_percent(score)}")
    return content, draw, result


def _pass(row: Row, pictures: Pictures) -> Wipe:
    return Wipe(
        left=Shown(picture=fitted(pictures.content(row), WIDTH), alt=f"content {inner(row['content_source'])}"),
        right=Shown(picture=fitted(pictures.output(row), WIDTH), alt=f"result {inner(row['image'])}"),
        caption=f"{inner(row['image'])} in the style of {inner(row['exemplar_source'])}",
        beside=_exemplar(row, pictures),
        facts=[("content kept", _percent(row["content_score"])), ("moved by", f"{row['shift']:.1f} grey levels")],
    )


def _exemplar(row: Row, pictures: Pictures) -> list[Shown]:
    source = row["exemplar_source"]
    try:
        return [
            Shown(picture=fitted(pictures.exemplar(source), SMALL), caption="Exemplar", alt=f"exemplar {inner(source)}")
        ]
    except StylizeError:  # said where the other pictures are
        return []


def _small(picture_HWC: Pixels) -> Pixels:
    return fitted(picture_HWC, REFUSED_WIDTH)


def _picture(row: Row) -> tuple[bytes, str, float] | None:
    """Return the first refused draw that a picture is kept of: JPEG, exemplar, score."""
    kept = (refused for refused in row["redrawn"] if refused["picture"] is not None)
    first = next(kept, None)
    return None if first is None else (first["picture"], first["exemplar_source"], first["score"])


def _percent(score: float) -> str:
    return f"{100 * score:.0f} %"
