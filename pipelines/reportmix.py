"""The report of a mix: what was made of what, what it kept, how far each condition moved, which exemplars served."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pipelines import reportexemplars, reportguard, reportmoves
from pipelines import reportparts as parts
from pipelines.mixoptions import added
from pipelines.reportmoves import percent
from pipelines.reportpictures import Look, Pictures, look, way_gone
from pipelines.survey import Survey, distribution
from stylize.charts import histogram
from stylize.markup import Html
from stylize.methods import STYLIZATION
from stylize.reporting import page, remark, section, text
from stylize.spelling import count, size
from stylize.strength import parse_strength, show_strength

SHOWN = 12  # copies with their pictures
LOOKED = 48  # copies that are measured


def build(survey: Survey) -> bytes:
    """Return the page of a `mix` run."""
    total, run = survey.total, survey.run
    pictures = Pictures(survey)
    used = reportexemplars.uses(survey)
    name = reportexemplars.naming(used, short(run["sources"].get("styles") or run["sources"].get("cache", "all")))
    seen = look(survey, pictures, name, LOOKED)
    moves = reportmoves.by_condition(seen.by_condition(), reportexemplars.copies_by_condition(used, name))
    return page(
        f"mix: {survey.storage.url}",
        parts.head(survey, lead(run)),
        parts.unfinished(survey),
        _figures(survey, seen),
        _copies(seen) if total.rows else None,
        reportguard.build(survey, pictures, seen) if total.rows else None,
        reportmoves.build(moves) if moves else None,
        _shift(survey) if total.rows else None,
        reportexemplars.build(survey, used, pictures),
        parts.failures(total),
        parts.time_by_stage(total.seconds),
        parts.identity(run, run["sources"]),
        parts.small_print(survey.storage.url),
    )


def lead(run: Mapping[str, Any]) -> str:
    """Say in a sentence what a mix was asked for; what early versions did not record is left out."""
    sources, configuration = run["sources"], run["configuration"]
    styles = f"exemplars from {sources['styles']}" if sources.get("styles") else "exemplars from the same pictures"
    layers = "" if configuration.get("layers") is None else f", in layers {sources.get('layers')} only"
    size = "at the size of the model" if configuration.get("size") == "model" else "at source size"
    strength = show_strength(parse_strength(configuration.get("strength", 1.0)))
    weather = "".join(f", {name} {share:g}" for name, share in added(configuration))
    return (
        f"Pictures of {sources.get('dataset')}, {styles}; method {_method(run)}, "
        f"strength {strength}{layers}{weather}, seed {configuration.get('seed', 0)}, {size}."
    )


def short(url: str) -> str:
    """Return the last part of a path or URL."""
    return url.rstrip("/").rpartition("/")[2] or url


def _method(run: Mapping[str, Any]) -> str:
    return str(run["configuration"].get("method", STYLIZATION))


def _figures(survey: Survey, seen: Look) -> Html:
    total = survey.total
    first = [(parts.number(total.rows), f"of {count(survey.run['inputs']['rows'], 'picture')} written")]
    if total.rows:
        if math.isfinite(share := way_gone(seen.seen)[2]):
            first.append((percent(share), "of the way to the exemplars' colours"))
        first += [
            (f"{total.mean('shift'):.1f}", "grey levels moved on average, of 255"),
            (size(total.bytes / total.rows), "per picture, labels included"),
        ]
    if "refused" in total.figures:
        first.append((parts.number(total.figures.get("redrawn", 0)), "refused and drawn again"))
    return parts.figures_of(survey, *first)


def _copies(seen: Look) -> Html:
    shown = seen.shown(SHOWN)
    return section(
        "Content, exemplar, result",
        reportmoves.cards(shown) if shown else None,
        missing(seen.trouble),
        lead="Taken evenly from the whole run, each condition in turn. Move the line in a picture to go from content "
        "to result. Light and colour may change and rain may fall, but nothing may move: the label is the content's.",
    )


def missing(trouble: str) -> Html | None:
    """Return a remark on pictures that could not be read, or None."""
    return remark(f"Pictures are missing here: {trouble}") if trouble else None


def _shift(survey: Survey) -> Html | None:
    total = survey.total
    shifts = distribution(total.figures, "shift")
    if not shifts:
        return None
    marks = {"5 %": total.percentile("shift", 5), "median": total.percentile("shift", 50)}
    stylization, baseline = "the synthesis in the content's own style and in the exemplar's", "content and result"
    between = f"between {stylization if _method(survey.run) == STYLIZATION else baseline}"
    return section(
        "How far pictures moved",
        histogram(shifts, "grey levels", marks=marks),
        text(
            "Pictures at the left end look almost as before: their exemplar resembles them, or the method misread it. "
            "Some 10 to 30 is a change of light that anybody sees; beyond 60 day has become night, or thick fog."
        ),
        lead=f"Mean change of a pixel {between}, of 255, for every picture of the run.",
    )
