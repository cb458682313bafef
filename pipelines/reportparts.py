"""Blocks that the reports of all stages share: state, seconds by stage, failures, and what the run is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.summary import Summary
from pipelines.survey import Survey
from stylize import __version__
from stylize.charts import bars
from stylize.markup import Child, Html
from stylize.reporting import code, folded, footer, masthead, remark, section, table, text, tiles
from stylize.spelling import count, spell

DAY = 86_400
AT_ONCE = 12  # failures; the others are folded away
LONGEST_REASON = 400  # letters


def head(survey: Survey, lead: Child) -> Html:
    """Return the head of a run's report."""
    name = "/".join(survey.storage.url.rstrip("/").split("/")[-2:])
    return masthead(f"stylize {survey.run['kind']}", name, lead, badge=survey.state, fine=survey.finished)


def unfinished(survey: Survey) -> Html | None:
    """Return a remark when the run is not at its end."""
    if survey.finished:
        return None
    kind = survey.run["kind"]
    return remark(
        f"This run is not finished. What follows is of the {count(len(survey.units), 'unit')} of "
        f"{survey.run['units']} done so far; the same stylize {kind} command again goes on."
    )


def figures_of(survey: Survey, *first: tuple[str, str]) -> Html:
    """Return the large figures: those given, then failures and speed, which every run has."""
    total = survey.total
    lines = [*first, (number(total.failed), "failed")]
    seconds = survey.span[1] - survey.span[0]
    if seconds > 0 and seconds < 30 * DAY:
        lines.append((f"{(total.rows + total.failed) / seconds:.1f}/s", f"in {spell(seconds)}, pauses included"))
    return tiles(lines)


def time_by_stage(seconds: Mapping[str, float]) -> Html | None:
    """Return where the time went, or None when nothing was timed."""
    spent = sum(seconds.values())
    if not spent:
        return None
    stages = sorted(seconds.items(), key=lambda item: -item[1])
    shown = {name: (value, f"{spell(value)}, {100 * value / spent:.0f} %") for name, value in stages}
    return section(
        "Seconds by stage", bars(shown), lead="Summed over threads, so that they may exceed the time it took."
    )


def failures(total: Summary, title: str = "Failures") -> Html | None:
    """Return what failed and why, or None."""
    if not total.failed:
        return None
    causes = {cause: (amount, number(amount)) for cause, amount in total.causes.items()}
    lines = [(code(failure.id), failure.reason[:LONGEST_REASON]) for failure in total.failures]
    rest = total.failed - len(lines)
    head, later = ("input", "reason"), lines[AT_ONCE:]
    more = text(f"{number(rest)} more are in manifest.json, or in the commit records.") if rest > 0 else None
    return section(
        title,
        bars(causes),
        table(head, lines[:AT_ONCE], numeric=False),
        folded(f"{len(later)} more", table(head, later, numeric=False), more) if later else more,
        lead="These inputs are missing from the output. Mend them and run the same command with --retry-failed.",
    )


def identity(run: Mapping[str, Any], sources: Mapping[str, Any]) -> Html:
    """Return what a run is: its sources, configuration, weights and versions."""
    named = {name: value for name, value in sources.items() if value not in (None, [])}
    settings = {name: value for name, value in run["configuration"].items() if value not in (None, [])}
    shown = {
        **named,
        **{f"{name} (as compared)" if name in named else name: value for name, value in settings.items()},
        "weights (sha256)": run["weights"] or "none",
        "inputs": f"{run['inputs']['rows']} in {run['units']} units, sha256 {run['inputs']['sha256'][:16]}",
        "versions": "; ".join(_versions(v) for v in run["versions"]),
    }
    return section("What this run is", settings_table(shown))


def settings_table(settings: Mapping[str, Any]) -> Html:
    """Return names and values, one to a line."""
    lines: Sequence[Sequence[Child]] = [(name, code(_plain(value))) for name, value in settings.items()]
    return table((), lines, numeric=False)


def small_print(url: str) -> Html:
    """Return the last lines of a page on what is at `url`."""
    written = time.strftime("%Y-%m-%d %H:%M:%S %Z")
    return footer(f"Written by stylize {__version__} on {written} from the records of ", code(url), ".")


def number(value: float) -> str:
    """Spell a count with thin groups of thousands."""
    return f"{value:,.0f}".replace(",", " ")


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(" x ".join(map(str, part)) if isinstance(part, list) else _plain(part) for part in value)
    return str(value)
