"""`python -m cli`: the command line where no `stylize` is on the path."""

from __future__ import annotations

from cli.main import main

main()
