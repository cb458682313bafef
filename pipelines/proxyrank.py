"""The command `proxy rank`: which model is best where nobody has labelled anything, told by scores on proxy sets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipelines.events import Event
from pipelines.events import ignore as silence
from pipelines.proxyplot import draw
from pipelines.proxyrecord import read_record
from pipelines.proxyresult import ProxyRanking, Ranked
from pipelines.proxyscores import Counted, Job, model_folders
from pipelines.proxysets import Reading, in_common, plain_set, proxy_sets
from pipelines.proxytables import Table, read_scores
from stylize.agreement import agree, lead
from stylize.errors import ConfigurationError
from stylize.evaluation.tables import file_at, publish_json
from stylize.ranking import CONFIDENCE, RESAMPLES, Scores, average, rank, score
from stylize.storage import Storage

Places = Mapping[str, str | os.PathLike[str]]
LEAST_RESAMPLES = 100


def proxy_rank(
    proxy: str | os.PathLike[str],
    *,
    predictions: Places,
    real: Places | None = None,
    real_predictions: Places | None = None,
    real_split: str | None = None,
    real_label_mapping: str | Mapping[str, Any] | None = None,
    real_scores: Table | None = None,
    source: str | os.PathLike[str] | None = None,
    source_predictions: Places | None = None,
    source_split: str | None = None,
    source_scores: Table | None = None,
    classes: str | None = None,
    label_kind: str | None = None,
    label_mapping: str | Mapping[str, Any] | None = None,
    prediction_mapping: str | Mapping[str, Any] | None = None,
    ignore: Sequence[int] = (),
    ignore_unknown: bool = False,
    resize: bool = False,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = 0,
    json: str | os.PathLike[str] | None = None,
    csv: str | os.PathLike[str] | None = None,
    plot: str | os.PathLike[str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    on_event: Callable[[Event], None] = silence,
) -> ProxyRanking:
    """Rank models by their mean IoU on proxy sets, with bootstrap intervals over contents and ties named as ties.

    With scores on real labelled targets it also says how well the proxies foretell them: rank correlations and the
    regret of the chosen model. Every model must have predicted every picture.

    Args:
        proxy: what `proxy_build` wrote, a folder or URL.
        predictions: folders of label pictures by model, each with a folder `NAME/` per target, files named as pictures
            or labels are.
        real, real_predictions: labelled datasets of real targets by name, and the models' predictions of them as above.
            A real target that has the name of a proxy target is also compared with that one alone.
        real_split, real_label_mapping: which of their pictures, and what their ids mean.
        real_scores: instead of both, scores measured elsewhere: `{model: score}` or `{model: {target: score}}`, as a
            JSON file or a CSV file with the columns `model` and one per target. With a value above 1 they are percent.
        source, source_predictions, source_split, source_scores: the same for the source's own validation set, by which
            models are chosen without proxies; its predictions are not in folders by name.
        classes, label_kind, label_mapping, prediction_mapping, ignore, ignore_unknown, resize: how labels and
            predictions are read, as in `evaluate_segmentation`; mapping and kind hold for proxies and source.
        resamples, confidence, seed: of the bootstrap, whose intervals are percentiles.
        json, csv, plot: files or URLs for everything, for a table of models and classes, and for an SVG picture.
        storage_options: passed to fsspec for all URLs.

    Raises:
        ConfigurationError: predictions are missing or do not fit, models differ, or nothing says what ids mean.
    """
    _check(predictions, resamples=resamples, confidence=confidence)
    if plot is not None and not os.fspath(plot).lower().endswith(".svg"):
        raise ConfigurationError(f"the plot is an SVG picture: name it so, as ranking.svg, not {os.fspath(plot)}")
    reading = Reading(
        classes=classes,
        label_kind=label_kind,
        label_mapping=label_mapping,
        prediction_mapping=prediction_mapping,
        ignore=ignore,
        ignore_unknown=ignore_unknown,
        resize=resize,
        storage_options=storage_options,
    )
    storage = Storage(proxy, storage_options)
    record = read_record(storage)
    models = tuple(predictions)
    sets = proxy_sets(storage, record, reading)
    jobs = {name: Job(one, model_folders(predictions, name, storage_options)) for name, one in sets.items()}
    scored = next(iter(sets.values())).comparison.classes
    real_given = _Given("real", real, real_predictions, real_split, real_scores)
    foreign = replace(reading, classes=scored.name, label_kind=None, label_mapping=real_label_mapping)
    real_jobs = real_given.open(models, foreign)
    sources = None if source is None else {"": source}
    source_given = _Given("source", sources, source_predictions, source_split, source_scores)
    source_jobs = source_given.open(models, replace(reading, classes=scored.name))

    judge = _Judge(models=models, resamples=resamples, confidence=confidence, seed=seed, on_event=on_event)
    counted = in_common({name: job.count(on_event) for name, job in jobs.items()}, on_event)
    targets = {name: judge.rank(one) for name, one in counted.items()}
    real_found = {name: judge.rank(one) for name, one in real_jobs.items()}
    source_found = [judge.rank(one) for one in source_jobs.values()]
    ranking = judge.conclude(
        url=storage.url,
        label_set=scored.name,
        classes=scored.classes,
        targets=targets,
        real=real_found,
        source=source_found[0] if source_found else None,
    )
    _write(ranking, json, csv, plot, storage_options)
    return ranking


@dataclass(frozen=True)
class _Given:
    """What the user gave to score models on something labelled: datasets by name with predictions, or a table."""

    kind: str
    datasets: Places | None
    predictions: Places | None
    split: str | None
    scores: Table | None

    def open(self, models: tuple[str, ...], reading: Reading) -> Mapping[str, Job | Scores]:
        """Return jobs or scores by name, none when nothing was given; raises ConfigurationError for half of it."""
        if self.scores is not None:
            if self.datasets or self.predictions:
                raise ConfigurationError(f"give --{self.kind} with predictions or --{self.kind}-scores, not both")
            return read_scores(self.scores, self.kind, models, reading.storage_options)
        if not self.datasets and not self.predictions:
            return {}
        if not self.datasets or not self.predictions:
            raise ConfigurationError(f"--{self.kind} and --{self.kind}-predictions go together: give both")
        if different := sorted(set(models) ^ set(self.predictions)):
            lacks = f"--{self.kind}-predictions" if different[0] in models else "--predictions"
            raise ConfigurationError(f"the model {different[0]!r} has no {lacks}: give the same models everywhere")
        folders = {model: self.predictions[model] for model in models}
        return {
            name: Job(
                plain_set(f"{self.kind} {name}".rstrip(), where, reading, split=self.split),
                model_folders(folders, name, reading.storage_options),
            )
            for name, where in self.datasets.items()
        }


@dataclass(frozen=True, kw_only=True)
class _Judge:
    """Turns counts into rankings, and rankings into a verdict."""

    models: tuple[str, ...]
    resamples: int
    confidence: float
    seed: int
    on_event: Callable[[Event], None]

    def rank(self, what: Job | Counted | Scores) -> Ranked:
        """Return the ranking that counts or scores give."""
        if isinstance(what, Scores):
            return Ranked(scores=what, standings=rank(what, confidence=self.confidence))
        counted = what.count(self.on_event) if isinstance(what, Job) else what
        scores = score(self.models, counted.counts_MNCP, counted.contents, resamples=self.resamples, seed=self.seed)
        return Ranked(
            scores=scores,
            standings=rank(scores, confidence=self.confidence),
            pictures=counted.pictures,
            contents=len(counted.contents),
        )

    def average(self, ranked: Mapping[str, Ranked]) -> Ranked:
        """Return the ranking by the mean over targets, which share their contents or are independent."""
        scores = average([one.scores for one in ranked.values()])
        return Ranked(
            scores=scores,
            standings=rank(scores, confidence=self.confidence),
            pictures=sum(one.pictures for one in ranked.values()),
            contents=max(one.contents for one in ranked.values()),
        )

    def conclude(
        self, *, targets: Mapping[str, Ranked], real: Mapping[str, Ranked], source: Ranked | None, **names: Any
    ) -> ProxyRanking:
        """Return the whole result; agreements need real scores, and at least two models."""
        overall = self.average(targets)
        truth = self.average(real) if real else None
        judged = {"": overall, **targets}
        true = {**real, "": truth} if truth else {}
        how: dict[str, Any] = {"confidence": self.confidence, "resamples": self.resamples, "seed": self.seed}
        compared = truth if len(self.models) > 1 else None
        return ProxyRanking(
            **names,
            models=self.models,
            confidence=self.confidence,
            resamples=self.resamples,
            targets=targets,
            average=overall,
            real=real,
            real_average=truth,
            source=source,
            agreements={
                name: agree(judged[name].scores, one.scores, **how)
                for name, one in true.items()
                if compared and name in judged
            },
            source_agreement=agree(source.scores, compared.scores, **how) if source and compared else None,
            lead=lead(overall.scores, source.scores, compared.scores, **how) if source and compared else None,
        )


def _write(
    ranking: ProxyRanking,
    json: str | os.PathLike[str] | None,
    csv: str | os.PathLike[str] | None,
    plot: str | os.PathLike[str] | None,
    storage_options: Mapping[str, Any] | None,
) -> None:
    if json is not None:
        publish_json(json, ranking.as_dict(), storage_options)
    if csv is not None:
        ranking.write_csv(csv, storage_options)
    if plot is not None:
        storage, name = file_at(plot, storage_options)
        storage.write(name, draw(ranking))


def _check(predictions: Places, *, resamples: int, confidence: float) -> None:
    if not predictions:
        raise ConfigurationError("no model to rank: give predictions, with --predictions MODEL=DIR")
    if resamples < LEAST_RESAMPLES:
        raise ConfigurationError(f"the number of resamples must be at least {LEAST_RESAMPLES}, not {resamples}")
    if not 0 < confidence < 1:
        raise ConfigurationError(f"the confidence must lie between 0 and 1, as 0.95 does, not {confidence}")
