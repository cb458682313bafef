"""The four kinds of failure: bad input, transient, fatal, and a wrong configuration."""

from __future__ import annotations


class StylizeError(Exception):
    """Any failure that `stylize` foresees; the message is one line that names the thing and the remedy."""

    exit_code = 1

    @property
    def reason(self) -> str:
        """Return the message as it is recorded and printed."""
        return str(self)


class BadInput(StylizeError):
    """One picture or label is unusable: it is recorded with its reason and the run goes on."""


class NotFound(BadInput):
    """A file that was asked for does not exist."""


class TransientError(StylizeError):
    """The storage or a worker failed in a way that passes: retry with backoff."""


class FatalError(StylizeError):
    """Nothing sensible can follow: stop; the message says what to do."""


class ConfigurationError(StylizeError):
    """The command or its options do not fit the data; nothing has been started."""

    exit_code = 2
