"""`makerside validate`: known results, reproduced; exit code 1 when a row fails."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from makerside.cli.options import console, load_kernels, progress_bar

if TYPE_CHECKING:
    from makerside.research.validation.suite import Result

SUMMARY_NAME, PAGE_NAME = "validation.json", "validation.html"
TABLE_WIDTH = 150
INTERRUPTED = 130
SHARE = 1_000  # of the progress bar, per check


def validate(
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="NAME",
            help="Run this check only; repeat for several: avellaneda_stoikov, glft, bipower, intensity, "
            "queue, selection, first_passage.",
            show_default=False,
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer paths; a row passes when its interval reaches the range.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for validation.json and validation.html.", show_default=False),
    ] = None,
) -> None:
    """Reproduce published and exact results with this version; exit code 1 when a row fails."""
    from makerside.research.validation.suite import chosen

    names = chosen(only or [])
    is_new = out is not None and _open_folder(out)
    load_kernels(console())
    results = _run(names, quick)
    if results is None:
        if out is not None and is_new:
            out.rmdir()
        console().print("[yellow]interrupted: nothing was written[/]")
        raise typer.Exit(INTERRUPTED)
    _print(results, quick)
    if out is not None:
        _write(out, results, quick)
    if any(result.failures(quick) for result in results):
        raise typer.Exit(1)


def _run(names: list[str], is_quick: bool) -> "list[Result] | None":
    """Run the checks with a progress bar and a line for each; None when interrupted."""
    from makerside.research.validation.rows import Progress, Scale
    from makerside.research.validation.suite import run_checks

    results: list[Result] = []
    with progress_bar("validate") as bar:
        if is_quick:
            bar.console.print(
                "quick: fewer paths, wider intervals; a row passes when its interval reaches the range"
            )
        task = bar.add_task("", total=SHARE * len(names))

        def progress_of(i: int) -> Progress:
            return lambda done, total: bar.update(task, completed=SHARE * i + SHARE * done // total)

        try:
            for result in run_checks(names, Scale(is_quick), progress_of):
                results.append(result)
                failed = result.failures(is_quick)
                state = f"[red]{failed} FAILED[/]" if failed else "pass"
                rows = len(result.finding.rows)
                bar.console.print(f"{result.name}: {rows} rows, {state}, {result.taken_s:,.1f} s")
        except KeyboardInterrupt:
            return None
    return results


def _open_folder(out: Path) -> bool:
    """Make the folder now: what cannot be written should not take minutes to be told. True: it is new."""
    from makerside.model.errors import UserError

    is_new = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / f"{SUMMARY_NAME}.part"
        probe.touch()
        probe.unlink()
    except FileExistsError:
        raise UserError(f"{out}: is a file; --out takes a folder") from None
    except OSError as error:
        raise UserError(f"{out}: cannot be written to ({error.strerror})") from None
    return is_new


def _print(results: "list[Result]", is_quick: bool) -> None:
    from makerside.research.validation.report import accepted, found

    screen = Console(highlight=False)
    # Into a file as wide as it takes; a terminal folds.
    screen = screen if screen.is_terminal else Console(highlight=False, width=TABLE_WIDTH)
    table = Table(box=None, pad_edge=False)
    for name in ("what", "known", "found", "accepted", ""):
        table.add_column(name, overflow="fold")
    notes: list[str] = []
    for result in results:
        table.add_row(f"[bold]{result.finding.title}[/]")
        for row in result.finding.rows:
            if row.note and row.note not in notes:
                notes.append(row.note)
            mark = f" \\[{notes.index(row.note) + 1}]" if row.note else ""
            state = "[green]pass[/]" if row.is_passed(is_quick) else "[red]FAIL[/]"
            table.add_row(f"  {row.what}{mark}", row.reference, found(row), accepted(row), state)
    screen.print(table)
    for number, note in enumerate(notes, 1):
        screen.print(f"\\[{number}] {note}", soft_wrap=True)
    total = sum(len(result.finding.rows) for result in results)
    failed = sum(result.failures(is_quick) for result in results)
    scale = " (quick)" if is_quick else ""
    typer.echo(f"{total - failed} of {total} rows pass{scale}" + (f", {failed} FAIL" if failed else ""))


def _write(out: Path, results: "list[Result]", is_quick: bool) -> None:
    from makerside.journal.folder import write_json
    from makerside.research.validation.report import write_validation
    from makerside.research.validation.suite import summarize

    write_validation(out / PAGE_NAME, results, is_quick)
    write_json(out / SUMMARY_NAME, summarize(results, is_quick))
    typer.echo(f"report            {out / PAGE_NAME}")
