"""The report of a mix: what was made of what, how far the pictures moved, which exemplars were used how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pipelines import provenance, reportguard
from pipelines import reportparts as parts
from pipelines.mixplan import PLAN
from pipelines.provenance import Row
from pipelines.survey import Survey, distribution
from pipelines.worklist import WorkList
from stylize.charts import bars, histogram
from stylize.errors import StylizeError
from stylize.images import decode_rgb
from stylize.markup import Html
from stylize.methods import STYLIZATION
from stylize.reporting import Shown, fitted, page, remark, rows, section, text
from stylize.sheet import evenly
from stylize.spelling import count, size
from stylize.storage import Storage
from stylize.strength import parse_strength, show_strength

SHOWN = 24  # triples
WIDTH = 380
NAMED = 12  # exemplars listed by name


def build(survey: Survey) -> bytes:
    """Return the page of a `mix` run."""
    total = survey.total
    return page(
        f"mix: {survey.storage.url}",
        parts.head(survey, _lead(survey)),
        parts.unfinished(survey),
        _figures(survey),
        _triples(survey) if total.rows else None,
        reportguard.build(survey, _sources(survey)[0]) if total.rows else None,
        _shift(survey) if total.rows else None,
        _usage(survey),
        parts.failures(total),
        parts.time_by_stage(total),
        parts.identity(survey, survey.run["sources"]),
        parts.small_print(survey),
    )


def _lead(survey: Survey) -> str:
    sources, configuration = survey.run["sources"], survey.run["configuration"]
    styles = f"exemplars from {sources['styles']}" if sources.get("styles") else "exemplars from the same pictures"
    layers = "" if configuration["layers"] is None else f", in layers {sources.get('layers')} only"
    size = "at source size" if configuration["size"] == "source" else "at the size of the model"
    strength = show_strength(parse_strength(configuration["strength"]))
    grain = f", grain {configuration['grain']:g}" if configuration.get("grain") else ""
    return (
        f"Pictures of {sources.get('dataset')}, {styles}; method {_method(survey)}, "
        f"strength {strength}{layers}{grain}, seed {configuration['seed']}, {size}."
    )


def _method(survey: Survey) -> str:
    return str(survey.run["configuration"].get("method", STYLIZATION))


def _figures(survey: Survey) -> Html:
    total = survey.total
    first = [(parts.number(total.rows), f"of {count(survey.run['inputs']['rows'], 'picture')} written")]
    if total.rows:
        first += [
            (f"{total.mean('shift'):.1f}", "grey levels moved on average"),
            (size(total.bytes / total.rows), "per picture, labels included"),
        ]
    if "refused" in total.figures:
        first.append((parts.number(total.figures["redrawn"]), "refused and drawn again"))
    return parts.figures_of(survey, *first)


def _triples(survey: Survey) -> Html:
    places = _sources(survey)
    lines, missing = [], ""
    for row in _chosen(survey):
        try:
            lines.append(_triple(row, *places, survey.storage))
        except StylizeError as error:
            missing = str(error)
    return section(
        "Content, exemplar, result",
        rows(("Content", "Exemplar", "Result"), lines) if lines else None,
        remark(f"Pictures are missing here: {missing}") if missing else None,
        lead="Taken evenly from the whole run. Nothing may move from content to result: the label is the content's.",
    )


def _triple(row: Row, contents: Storage, exemplars: Storage, out: Storage) -> tuple[Shown, Shown, Shown]:
    content, exemplar, result = (
        fitted(decode_rgb(storage.read(path)), WIDTH)
        for storage, path in (
            (contents, row["content_source"]),
            (exemplars, row["exemplar_source"]),
            (out, row["image"]),
        )
    )
    return (
        Shown(picture=content, caption=row["content_source"]),
        Shown(picture=exemplar, caption=row["exemplar_source"]),
        Shown(picture=result, caption=f"{row['image']}, moved by {row['shift']:.1f}", mark="result"),
    )


def _shift(survey: Survey) -> Html:
    total = survey.total
    marks = {"5 %": total.percentile("shift", 5), "median": total.percentile("shift", 50)}
    stylization, baseline = "the synthesis in the content's own style and in the exemplar's", "content and result"
    between = f"between {stylization if _method(survey) == STYLIZATION else baseline}"
    return section(
        "How far pictures moved",
        histogram(distribution(total.figures, "shift"), "grey levels", marks=marks),
        text(
            "Pictures at the left end look almost as before: their exemplar resembles them, or the method misread it."
        ),
        lead=f"Mean change of a pixel {between}, of 255.",
    )


def _usage(survey: Survey) -> Html | None:
    """Return how often exemplars are used, by the plan, which is one file however large the run."""
    try:
        column = WorkList(survey.storage.read(PLAN)).column("exemplar")
    except StylizeError:
        return None
    used = Counter(column.to_pylist())
    shown = {name: (times, parts.number(times)) for name, times in used.most_common(NAMED)}
    rest = f" The {NAMED} used most are listed." if len(used) > NAMED else ""
    least, most = min(used.values(), default=0), max(used.values(), default=0)
    times = count(most, "time") if least == most else f"{parts.number(least)} to {count(most, 'time')}"
    lead = f"{count(len(used), 'exemplar')} in the plan, each used {times}.{rest}"
    return section("Exemplars", bars(shown, long_names=True), lead=lead)


def _sources(survey: Survey) -> tuple[Storage, Storage]:
    """Return the datasets of contents and of exemplars."""
    sources, options = survey.run["sources"], survey.storage.options
    contents = Storage(sources["dataset"], options)
    if not sources.get("styles"):
        return contents, contents
    return contents, Storage(sources["styles_dataset"], options)


def _chosen(survey: Survey) -> Iterator[Row]:
    """Yield up to `SHOWN` rows of provenance, spread over the units."""
    opened = evenly(len(survey.units), SHOWN)
    for place, index in enumerate(opened):
        try:
            stored = provenance.read_rows(survey.storage.read(provenance.path_of(survey.units[index])))
        except StylizeError:  # a unit whose inputs all failed has none
            continue
        share = SHOWN * (place + 1) // len(opened) - SHOWN * place // len(opened)
        yield from (stored[position] for position in evenly(len(stored), share))
