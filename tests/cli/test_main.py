"""Every outcome of a command is an exit code and at most one line on stderr."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

import stylize
from cli import main, options
from stylize.errors import BadInput, ConfigurationError, FatalError


def raising(error: BaseException | None, returned: int | None = None) -> click.Command:
    @options.command("boom", "stylize boom")
    @click.option("--size", type=int)
    def command(size: int | None) -> int | None:
        """Raise what the test asks for."""
        if error is not None:
            raise error
        return returned

    return command


def boom(
    monkeypatch: pytest.MonkeyPatch, *args: str, error: BaseException | None = None, code: int | None = None
) -> int:
    monkeypatch.setattr(main.LazyGroup, "get_command", lambda self, ctx, name: raising(error, code))
    return main.run(["boom", *args])


@pytest.mark.parametrize(("returned", "expected"), [(None, 0), (0, 0), (3, 3)])
def test_a_command_returns_its_exit_code(monkeypatch: pytest.MonkeyPatch, returned: int | None, expected: int) -> None:
    assert boom(monkeypatch, code=returned) == expected


@pytest.mark.parametrize(
    ("error", "code"),
    [(FatalError("disk full: free some"), 1), (BadInput("x: empty"), 1), (ConfigurationError("no"), 2)],
)
def test_foreseen_errors_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    assert boom(monkeypatch, error=error) == code
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"error: {error}\n")


def test_unexpected_errors_are_one_line_with_a_hint(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert boom(monkeypatch, error=ValueError("odd\nsecond line")) == 1
    assert capsys.readouterr().err == "error: unexpected ValueError: odd (add --debug for the traceback)\n"


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert boom(monkeypatch, "--debug", error=ValueError("odd")) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last)")
    assert "raise error" in err


def test_an_interrupt_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert boom(monkeypatch, error=KeyboardInterrupt()) == 130
    assert capsys.readouterr().err.strip() == (
        "error: interrupted; what is committed stays, and the same command goes on from there"
    )


def test_usage_errors_name_the_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert boom(monkeypatch, "--size", "large") == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "'large' is not a valid integer" in err
    assert "(see: stylize boom --help)" in err


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["inverse"]) == 2
    assert "No such command 'inverse'" in capsys.readouterr().err


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([]) == 2
    assert "Commands:" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--version"]) == 0
    assert capsys.readouterr().out == f"stylize {stylize.__version__}\n"


def test_main_exits(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main.main(["--version"])
    assert exit_info.value.code == 0


@pytest.mark.parametrize("args", [["--help"], *([name, "--help"] for name in main.COMMANDS)], ids=" ".join)
def test_help_imports_nothing_heavy(args: list[str], repository: Path) -> None:
    script = f"import sys; from cli.main import run; run({args!r}); print('MODULES', *sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], cwd=repository, capture_output=True, text=True, check=True)
    shown, _, modules = result.stdout.partition("MODULES")
    assert "Usage: stylize" in shown
    heavy = {"torch", "torchvision", "ray", "rich", "numpy", "pyarrow", "PIL", "fsspec"}
    assert heavy & set(modules.split()) == set()


def test_the_package_runs_where_no_script_is_installed(repository: Path) -> None:
    result = subprocess.run([sys.executable, "-m", "cli", "frobnicate"], cwd=repository, capture_output=True, text=True)
    assert result.returncode == 2
    assert "No such command 'frobnicate'" in result.stderr
