"""What the report of a mix says about exemplars: which condition each is of, how often they served, how they look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pipelines import reportparts as parts
from pipelines.fingerprint import load
from pipelines.mixplan import PLAN
from pipelines.reportpictures import SMALL, Naming, Pictures
from pipelines.survey import Survey
from pipelines.worklist import WorkList
from stylize.charts import bars, histogram
from stylize.errors import StylizeError
from stylize.markup import Child, Html
from stylize.packed import inner
from stylize.reporting import Shown, fitted, gallery, remark, section, subtitle
from stylize.sheet import evenly
from stylize.spelling import count
from stylize.storage import Storage

SHOWN = 6  # of the most and of the least used
MOST_BARS = 8
MOST_CONDITIONS = 12
OTHERS = "others"
SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test"})


def uses(survey: Survey) -> dict[str, int]:
    """Return how often the plan uses each exemplar, by its file, most used first; empty where there is no plan.

    The plan is one file, however large the run. A copy that the guard draws again gets another exemplar than planned.
    """
    try:
        column = WorkList(survey.storage.read(PLAN)).column("exemplar_source")
    except (StylizeError, KeyError):  # KeyError: a plan from before this column
        return {}
    counted = {pair["values"]: pair["counts"] for pair in column.value_counts().to_pylist()}
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def naming(used: Mapping[str, int], whole: str) -> Naming:
    """Return what names the condition of an exemplar by its file.

    It is the first folder by which exemplars differ, splits aside; in a single folder what stands before the first `_`,
    as in the drives of CamVid; and `whole` for all of them otherwise. Of more than a dozen the rarest are `OTHERS`.
    """
    files = {source: inner(source).split("/") for source in used}
    for level in range(min((len(file) for file in files.values()), default=1) - 1):
        names = {file[level] for file in files.values()}
        if len(names) > 1 and not names <= SPLITS:
            return _frequent(used, {source: file[level] for source, file in files.items()})
    heads = {source: file[-1].partition("_")[0] for source, file in files.items()}
    if 1 < len(set(heads.values())) <= min(MOST_CONDITIONS, len(used) // 2):
        return _frequent(used, heads)
    return lambda _source: whole


def copies_by_condition(used: Mapping[str, int], name: Naming) -> Counter[str]:
    """Return how many copies the plan has of each condition."""
    totals: Counter[str] = Counter()
    for source, times in used.items():
        totals[name(source)] += times
    return totals


def build(survey: Survey, used: Mapping[str, int], pictures: Pictures) -> Html | None:
    """Return the section on exemplars, or None for a run without a plan."""
    if not used:
        return None
    names, times = list(used), list(used.values())
    uneven = times[0] != times[-1]
    troubles: list[str] = []
    blocks: list[Child] = []
    if uneven and len(names) > 2 * SHOWN:
        for title, chosen in (("Used most", names[:SHOWN]), ("Used least", names[-SHOWN:])):
            if shown := _gallery(chosen, used, pictures, troubles):
                blocks += [subtitle(title), shown]
        blocks += [subtitle("How many are used how often"), _frequencies(times)]
    else:
        chosen = [names[place] for place in evenly(len(names), 2 * SHOWN)]
        blocks = [_gallery(chosen, used, pictures, troubles)]
    note = remark(f"Pictures are missing here: {troubles[0]}") if troubles else None
    return section("Exemplars", *blocks, note, lead=_lead(survey, times))


def few(used: Mapping[str, int], pictures: Pictures, wanted: int) -> Html | None:
    """Return pictures of some exemplars, the most and the least used ones; None when none can be read."""
    names = list(used)
    chosen = names if len(names) <= wanted else [*names[: (wanted + 1) // 2], *names[len(names) - wanted // 2 :]]
    return _gallery(chosen, used, pictures, [])


def _gallery(names: Iterable[str], used: Mapping[str, int], pictures: Pictures, troubles: list[str]) -> Html | None:
    shown = []
    for name in names:
        try:
            picture = fitted(pictures.exemplar(name), SMALL)
        except StylizeError as error:
            troubles.append(str(error))
            continue
        caption = f"{inner(name)}: {count(used[name], 'time')}"
        shown.append(Shown(picture=picture, caption=caption, alt=f"exemplar {inner(name)}", mark="cropped"))
    return gallery(shown, 6) if shown else None


def _frequencies(times: Sequence[int]) -> Html:
    counts = dict(sorted(Counter(times).items()))
    if len(counts) > MOST_BARS:
        return histogram({float(often): float(number) for often, number in counts.items()}, "times", step=1.0)
    return bars({count(often, "time"): (number, count(number, "exemplar")) for often, number in counts.items()})


def _lead(survey: Survey, times: Sequence[int]) -> Child:
    least, most = times[-1], times[0]
    often = count(most, "time") if least == most else f"{parts.number(least)} to {count(most, 'time')}"
    lead = f"{count(len(times), 'exemplar')} in the plan, each used {often}."
    pool = _pool(survey)
    if pool > len(times):
        lead += f" {parts.number(pool - len(times))} more of their cache were not drawn."
    if len(times) < 20 and most > 10:
        lead += " With so few, copies of one content resemble one another: more exemplars give more variety."
    return lead


def _pool(survey: Survey) -> int:
    """Return how many exemplars their cache was to hold; 0 when it is gone."""
    sources = survey.run["sources"]
    try:
        return int(load(Storage(sources.get("styles") or sources["cache"], survey.storage.options))["inputs"]["rows"])
    except StylizeError:
        return 0


def _frequent(used: Mapping[str, int], names: Mapping[str, str]) -> Naming:
    """Return the naming by `names` that joins the rarest of too many."""
    totals: Counter[str] = Counter()
    for source, name in names.items():
        totals[name] += used[source]
    kept = MOST_CONDITIONS if len(totals) <= MOST_CONDITIONS else MOST_CONDITIONS - 1
    known = {name for name, _ in totals.most_common(kept)}
    return lambda source: names[source] if names.get(source) in known else OTHERS
