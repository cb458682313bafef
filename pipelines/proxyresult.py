"""What `proxy rank` found: scores and standings by set, how well they foretell real ones, as JSON and as a table."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stylize.agreement import Agreement, Estimate
from stylize.evaluation.tables import finite, table
from stylize.ranking import Scores, Standing

COLUMNS = ("scores", "target", "model", "rank", "mean_iou", "low", "high", "tied_with")


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """Scores of all models on one set of pictures, or averaged over several, and the ranking they give.

    `pictures` and `contents` are 0 for scores that came from a file.
    """

    scores: Scores
    standings: tuple[Standing, ...]
    pictures: int = 0
    contents: int = 0

    def as_dict(self, classes: tuple[str, ...]) -> dict[str, Any]:
        """Return everything as JSON values, best model first."""
        models = {
            one.model: {
                "rank": one.rank,
                **finite({"mean_iou": one.score, "low": one.low, "high": one.high}),
                "tied_with": list(one.tied),
                "classes": finite(self.by_class(one.model, classes)),
            }
            for one in self.standings
        }
        return {"pictures": self.pictures, "contents": self.contents, "models": models}

    def score(self, model: str) -> float:
        """Return a model's mean IoU."""
        return float(self.scores.mean_M[self.scores.models.index(model)])

    def by_class(self, model: str, classes: tuple[str, ...]) -> dict[str, float]:
        """Return a model's IoU by class; none for scores that came from a file."""
        values = self.scores.by_class_MC[self.scores.models.index(model)]
        return {name: float(value) for name, value in zip(classes, values, strict=False)}


@dataclass(frozen=True, kw_only=True)
class ProxyRanking:
    """The ranking of models by proxy sets. All scores are mean IoU in 0..1.

    `average` weighs every target equally and is what a user chooses by. With real scores `agreements` compares the
    rankings, by the name of the target and under "" on average; with source scores `source_agreement` says the same of
    the ranking that a user would have without proxy sets, and `lead` by how much Spearman's coefficient gains.
    """

    url: str
    label_set: str
    classes: tuple[str, ...]
    models: tuple[str, ...]
    confidence: float
    resamples: int
    targets: Mapping[str, Ranked]
    average: Ranked
    real: Mapping[str, Ranked]
    real_average: Ranked | None
    source: Ranked | None
    agreements: Mapping[str, Agreement]
    source_agreement: Agreement | None
    lead: Estimate | None

    @property
    def chosen(self) -> str:
        """The model with the best average."""
        return self.average.standings[0].model

    def sections(self) -> Iterator[tuple[str, str, Ranked]]:
        """Yield every ranking with its kind ("proxy", "real", "source") and the name of its target ("": average)."""
        yield "proxy", "", self.average
        yield from (("proxy", name, ranked) for name, ranked in self.targets.items())
        if self.real_average is not None:
            yield "real", "", self.real_average
        yield from (("real", name, ranked) for name, ranked in self.real.items())
        if self.source is not None:
            yield "source", "", self.source

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        ranked = {(kind, name): one.as_dict(self.classes) for kind, name, one in self.sections()}
        return {
            "proxy": self.url,
            "label_set": self.label_set,
            "classes": list(self.classes),
            "confidence": self.confidence,
            "resamples": self.resamples,
            "chosen": self.chosen,
            "average": ranked["proxy", ""],
            "targets": {name: ranked["proxy", name] for name in self.targets},
            "real_average": ranked.get(("real", "")),
            "real": {name: ranked["real", name] for name in self.real},
            "source": ranked.get(("source", "")),
            "agreement": _agreement(self.agreements.get("")),
            "agreement_by_target": {name: _agreement(one) for name, one in self.agreements.items() if name},
            "agreement_of_source": _agreement(self.source_agreement),
            "spearman_gained_over_source": None if self.lead is None else _estimate(self.lead),
        }

    def write_csv(self, where: str | os.PathLike[str], storage_options: Mapping[str, Any] | None) -> None:
        """Write a row per model and set, best model first, with its IoU by class."""
        with table(where, (*COLUMNS, *self.classes), storage_options) as add:
            for kind, name, ranked in self.sections():
                for one in ranked.standings:
                    add(
                        {
                            "scores": kind,
                            "target": name or "average",
                            "model": one.model,
                            "rank": one.rank,
                            "mean_iou": one.score,
                            "low": one.low,
                            "high": one.high,
                            "tied_with": " ".join(one.tied),
                            **ranked.by_class(one.model, self.classes),
                        }
                    )


def _agreement(agreement: Agreement | None) -> dict[str, Any] | None:
    if agreement is None:
        return None
    return {
        "models": agreement.models,
        "spearman": _estimate(agreement.spearman),
        "kendall_tau_b": _estimate(agreement.kendall),
        "pearson": _estimate(agreement.pearson),
        "chosen": agreement.chosen,
        "best": agreement.best,
        "regret": _estimate(agreement.regret),
    }


def _estimate(estimate: Estimate) -> dict[str, Any]:
    intervals = {"over_pictures": estimate.pictures, "over_models": estimate.models}
    return {
        **finite({"value": estimate.value}),
        **{name: [*finite({"low": low, "high": high}).values()] for name, (low, high) in intervals.items()},
    }
