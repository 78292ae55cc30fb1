"""The command line: one file per command, errors in one place.

Exit codes: 0 done; 1 the answer is no (a replay that differs, orders left); 2 something that the
user can mend, told in one message; 3 the venue failed; 130 interrupted.
"""

import sys
from collections.abc import Sequence

import typer

from makerside import __version__
from makerside.cli import (
    backtest,
    config,
    data,
    demo,
    exchange,
    live,
    paper,
    record,
    replay,
    sweep,
    validate,
    warmup,
)
from makerside.cli.logs import configure_logs
from makerside.model.errors import MakersideError, VenueError

app = typer.Typer(
    name="makerside",
    help="Make markets and run trading bots on perpetual-futures DEXs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)

app.command("demo")(demo.demo)
app.command("exchange")(exchange.exchange)
app.command("paper")(paper.paper)
app.command("live")(live.live)
app.command("record")(record.record)
app.command("backtest")(backtest.backtest)
app.command("sweep")(sweep.sweep)
app.command("validate")(validate.validate)
app.command("replay")(replay.replay_command)
app.command("warmup")(warmup.warmup)
app.add_typer(data.app, name="data")
app.add_typer(config.app, name="config")


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"makerside {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Make markets and run trading bots on perpetual-futures DEXs.

    Without keys and without a network: `makerside demo`.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    try:
        configure_logs()
        code = app(args=list(sys.argv[1:] if arguments is None else arguments), standalone_mode=False)
    except MakersideError as error:
        typer.echo(f"error: {error}", err=True)
        code = 3 if isinstance(error, VenueError) else 2
    except typer.Abort:
        code = 130
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        code = 130
    except typer.Exit as ended:
        code = ended.exit_code
    except typer.TyperException as error:
        _show(error)
        code = 2
    sys.exit(code if isinstance(code, int) else 0)


def _show(error: typer.TyperException) -> None:
    """Print a mistake in the command line itself, with its usage line where it has one."""
    show = getattr(error, "show", None)
    if callable(show):
        show()
    else:
        typer.echo(f"error: {error.format_message()}", err=True)


if __name__ == "__main__":
    main()
