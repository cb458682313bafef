"""A ranking of models by proxy sets as a part of a report: from what `proxy rank --json` wrote."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stylize.charts import intervals
from stylize.errors import BadInput, ConfigurationError
from stylize.evaluation.tables import file_at
from stylize.markup import Child, Html
from stylize.reporting import remark, section, table, text
from stylize.storage import Storage

RANKING = "ranking.json"  # in the folder of the proxy sets, where a report finds it by itself
_KEYS = frozenset({"average", "targets", "chosen", "confidence"})


def find(storage: Storage, given: str | os.PathLike[str] | None) -> Mapping[str, Any] | None:
    """Return the ranking in a file, or the one that lies beside the sets, if any; raises `ConfigurationError`."""
    if given is None:
        return _read(storage, RANKING) if storage.exists(RANKING) else None
    return _read(*file_at(given, storage.options))


def _read(storage: Storage, name: str) -> Mapping[str, Any]:
    where = storage.locate(name)
    try:
        found = storage.read_json(name)
    except BadInput as error:
        raise ConfigurationError(f"no ranking in {where} ({error.reason}): write one with proxy rank --json") from error
    if not isinstance(found, dict) or not found.keys() >= _KEYS:
        raise ConfigurationError(f"{where} is no ranking: give what stylize proxy rank --json wrote")
    return found


def build(ranking: Mapping[str, Any], targets: Iterable[str]) -> Html:
    """Return the section on a ranking: the average with its intervals, each target, and how far real scores agree.

    `targets` are those of the sets: a ranking by others is shown, with a remark.
    """
    models = sorted(ranking["average"]["models"].items(), key=lambda item: (item[1]["rank"], -item[1]["mean_iou"]))
    rows = [
        (name, _percent(one["mean_iou"]), _percent(one.get("low")), _percent(one.get("high")), _standing(one))
        for name, one in models
    ]
    other = set(ranking["targets"]) != set(targets)
    confidence = 100 * ranking["confidence"]
    return section(
        "Ranking of models",
        intervals(rows, "% mIoU"),
        table(("model", "average", *ranking["targets"]), _by_target(ranking, [name for name, _ in models])),
        text(_agreement(ranking)),
        remark(f"This ranking is by other targets than these: {', '.join(ranking['targets'])}.") if other else None,
        lead=f"Mean IoU, averaged over the targets; higher is better. The line is the {confidence:g} % interval, "
        f"and models that it cannot tell apart are tied. Best on average: {ranking['chosen']}.",
        name="ranking",
    )


def _standing(one: Mapping[str, Any]) -> str:
    tied = ", tied" if one.get("tied_with") else ""
    return f"{one['rank']}. {_percent(one['mean_iou']):.1f} %{tied}"


def _by_target(ranking: Mapping[str, Any], models: Sequence[str]) -> list[Sequence[Child]]:
    sets = [ranking["average"], *ranking["targets"].values()]
    return [
        (name, *(f"{_percent(one['models'].get(name, {}).get('mean_iou')):.1f} %" for one in sets)) for name in models
    ]


def _agreement(ranking: Mapping[str, Any]) -> str:
    found = ranking.get("agreement")
    if not found:
        return (
            "Whether these sets foretell real scores is not known here: give proxy rank --real-scores, or real targets "
            "with labels, to find out."
        )
    regret = 100 * (found["regret"]["value"] or 0.0)
    cost = "the best there too" if not regret else f"{regret:.1f} points below {found['best']}, the best there"
    spearman = found["spearman"]["value"]
    known = "" if spearman is None else f" The rank correlation (Spearman) is {spearman:.2f}: 1 is the same order."
    return f"Against scores on real targets: the choice is {found['chosen']}, {cost}.{known}"


def _percent(share: float | None) -> float:
    return math.nan if share is None else 100 * share
