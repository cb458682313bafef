"""What the report of a mix says about its guard: content scores, what was refused, and the weakest that was not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipelines import provenance
from pipelines.mixguard import RESERVE
from pipelines.provenance import Row
from pipelines.survey import Survey, distribution
from stylize.charts import histogram
from stylize.errors import StylizeError
from stylize.images import Pixels, decode_rgb
from stylize.markup import Html
from stylize.reporting import Shown, fitted, remark, rows, section, subtitle, text
from stylize.spelling import count
from stylize.storage import Storage

SHOWN_REFUSED, SHOWN_LOWEST = 8, 4  # copies
WIDTH = 380

Line = Callable[[Row, Storage, Storage], tuple[Shown, ...]]


def build(survey: Survey, contents: Storage) -> Html | None:
    """Return the section on content scores, or None when the guard was off; `contents` is their dataset."""
    total = survey.total
    if "score.count" not in total.figures:
        return None
    least = survey.run["configuration"]["min_content_score"]
    marks = {"threshold": 100 * least, "median": total.percentile("score", 50)}
    scores = {100 * least: 0.0, **distribution(total.figures, "score")}  # so that the threshold is in sight
    refused, lowest = _weakest(survey)
    return section(
        "Content kept",
        histogram(scores, "%", marks=marks),
        text(_story(survey, least)),
        *_shown("Refused", ("Content", "Refused", "Written"), refused, _refusal, survey, contents),
        *_shown("The lowest scores that passed", ("Content", "Result"), lowest, _pass, survey, contents),
        lead="How much of its scene a picture still shows, by its edges and by what a change of light can explain.",
    )


def _story(survey: Survey, least: float) -> str:
    redrawn, flagged = (int(survey.total.figures[name]) for name in ("redrawn", "flagged"))
    if not redrawn and not flagged:
        return f"No picture scored below {100 * least:g} %, so none was refused."
    tried = f"{count(redrawn, 'picture')} scored below {100 * least:g} % and were drawn again"
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


def _shown(
    title: str, columns: Sequence[str], chosen: Sequence[Row], line: Line, survey: Survey, contents: Storage
) -> list[Html]:
    lines, missing = [], ""
    for row in chosen:
        try:
            lines.append(line(row, contents, survey.storage))
        except StylizeError as error:
            missing = str(error)
    if not chosen:
        return []
    note = [remark(f"Pictures are missing here: {missing}")] if missing else []
    return [subtitle(title), *([rows(columns, lines)] if lines else []), *note]


def _refusal(row: Row, contents: Storage, out: Storage) -> tuple[Shown, ...]:
    """Return the content, a refused draw and what was written; the latter two are one when there was no reserve."""
    refused = _picture(row)
    written = _load(out, row["image"])
    verdict = "the best of them, flagged" if row["flagged"] else "passed"
    caption = f"{row['image']}, style of {row['exemplar_source']}: {_percent(row['content_score'])}, {verdict}"
    result = Shown(picture=written, caption=caption, mark="result")
    if refused is None:
        return _content(row, contents), Shown(picture=written, caption="nothing else to draw it with"), result
    jpeg, source, score = refused
    draw = Shown(picture=decode_rgb(jpeg), caption=f"style of {source}: {_percent(score)}")
    return _content(row, contents), draw, result


def _pass(row: Row, contents: Storage, out: Storage) -> tuple[Shown, ...]:
    caption = f"{row['image']}, style of {row['exemplar_source']}: {_percent(row['content_score'])}"
    return _content(row, contents), Shown(picture=_load(out, row["image"]), caption=caption, mark="result")


def _content(row: Row, contents: Storage) -> Shown:
    return Shown(picture=_load(contents, row["content_source"]), caption=row["content_source"])


def _picture(row: Row) -> tuple[bytes, str, float] | None:
    """Return the first refused draw that a picture is kept of: JPEG, exemplar, score."""
    kept = (refused for refused in row["redrawn"] if refused["picture"] is not None)
    first = next(kept, None)
    return None if first is None else (first["picture"], first["exemplar_source"], first["score"])


def _load(storage: Storage, path: str) -> Pixels:
    return fitted(decode_rgb(storage.read(path)), WIDTH)


def _percent(score: float) -> str:
    return f"{100 * score:.0f} %"
