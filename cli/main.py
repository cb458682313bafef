"""Entry point of `stylize`: finds the command, turns every outcome into one line and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

import stylize
from cli import options
from cli.options import State
from stylize.errors import StylizeError

# In the order in which a user meets them. Each names a module that holds `command`.
COMMANDS = {
    "demo": "cli.demo",
    "doctor": "cli.doctor",
    "convert": "cli.convert",
    "train-generator": "cli.train_generator",
    "train-encoder": "cli.train_encoder",
    "relight": "cli.relight",
    "invert": "cli.invert",
    "mix": "cli.mix",
    "evaluate": "cli.evaluate",
    "proxy": "cli.proxy",
    "inspect": "cli.inspect",
    "status": "cli.status",
    "verify": "cli.verify",
    "report": "cli.report",
    "snippet": "cli.snippet",
    "scenes": "cli.scenes",
}
INTERRUPTED = 130

EXAMPLES = """\b
Examples:
  stylize demo
  stylize invert ~/data/camvid cache --split train
  stylize mix cache stylized
"""


class LazyGroup(options.Group):
    """Imports a command's module only when the command or its help line is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the command, or None when there is no such name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name]).command
        return command


@click.command("stylize", cls=LazyGroup, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(stylize.__version__, message="stylize %(version)s")
def group() -> None:
    """Turn one labelled street dataset into many: the same scenes and labels in other weather, light and places.

    Every image is inverted once into a cache of style codes and noise maps; mixing the codes of one image with the
    noise maps of another gives the stylized copy.
    """


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 error, 2 usage, 3 finished with too many failures, 130 interrupted."""
    sys.exit(run(args))


def run(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; every error is one line on stderr."""
    state = State()
    try:
        return int(group.main(args, prog_name="stylize", standalone_mode=False, obj=state) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        _complain(_usage_line(error))
        return error.exit_code
    except StylizeError as error:
        _explain(error, state, str(error))
        return error.exit_code
    except click.Abort:
        _complain("interrupted; what is committed stays, and the same command goes on from there")
        return INTERRUPTED
    except Exception as error:
        _explain(
            error, state, f"unexpected {type(error).__name__}: {_first_line(error)} (add --debug for the traceback)"
        )
        return 1


def _usage_line(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    hint = f" (see: {context.command_path} --help)" if context else ""
    return error.format_message().rstrip(".") + hint


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]


def _explain(error: Exception, state: State, line: str) -> None:
    if state.debug:
        import traceback  # takes a quarter of the time that --help needs

        click.echo("".join(traceback.format_exception(error)).rstrip(), err=True)
    _complain(line)


def _complain(line: str) -> None:
    click.echo(click.style("error:", fg="red", bold=True) + " " + " ".join(line.split()), err=True)
