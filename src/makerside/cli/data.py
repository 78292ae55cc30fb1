"""`makerside data`: look at recordings, check and import them (`data_files.py`), fit the synthetic market
to one, measure the queue models.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from makerside.cli import data_files
from makerside.cli.options import console, load_kernels, progress_bar

if TYPE_CHECKING:
    from makerside.journal.recording import Recording
    from makerside.model.instrument import Instrument
    from makerside.research.queue_truth import Estimate
    from makerside.sim.market_model import MarketModel

COMPARED_MINUTES = 30
COMPARED_SEEDS = 4
SYNTHETIC_HOURS = 4.0

SymbolOption = Annotated[
    str | None,
    typer.Option("--symbol", help="Put the recording on this symbol's Hyperliquid price grid first."),
]

app = typer.Typer(help="Recordings and the synthetic market.", no_args_is_help=True)
app.command("check")(data_files.check)
app.command("import")(data_files.import_command)


@app.command("show")
def show(
    source: Annotated[
        str, typer.Argument(help="Recording: a Parquet file, or the folder of a record run; a path or a URI.")
    ],
) -> None:
    """Print what is in a recording, the defects that were handled, and facts of its market."""
    from makerside.cli.tapes import read_recordings
    from makerside.research.market_facts import market_facts

    load_kernels(console())
    for recording in read_recordings([source]):
        instrument = recording.instrument
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_row("symbol", f"{instrument.venue} {instrument.symbol}")
        table.add_row("rows", f"{len(recording.events):,}")
        table.add_row("minutes", f"{recording.duration_ns / 6e10:.1f}")
        table.add_row("tick, lot", f"{instrument.tick_size:f}, {instrument.lot_size:f}")
        for name, number in recording.defects.items():
            table.add_row(f"defect: {name}", f"{number:,}")
        for name, value in market_facts(recording.events, instrument).as_dict().items():
            table.add_row(name, f"{value:,.4g}")
        Console(highlight=False).print(table)


@app.command("fit")
def fit(
    path: Annotated[Path, typer.Argument(help="Recording to fit.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="JSON file for the fitted model.")] = Path(
        "out/market_model.json"
    ),
    symbol: SymbolOption = None,
) -> None:
    """Fit the synthetic market's order flow to a recording, and show both side by side."""
    from makerside.journal.recording import load_recording
    from makerside.research.fit_market import fit_market

    recording = load_recording(path)
    target = _listed(symbol)
    load_kernels(console())
    with progress_bar("fit") as bar:
        task = bar.add_task("", total=None)
        model = fit_market(
            recording,
            target,
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    _write(out, json.dumps(model.as_dict(), indent=1) + "\n")
    _print_comparison(recording, target, model)
    typer.echo(f"model: {out}")


def _write(path: Path, text: str) -> None:
    from makerside.model.errors import UserError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None


@app.command("compare")
def compare_command(
    path: Annotated[Path, typer.Argument(help="Recording to compare with.")],
    model_name: Annotated[
        str, typer.Option("--model", help="A packaged model, or a JSON file of `fit`.")
    ] = "btc",
    symbol: SymbolOption = None,
) -> None:
    """Show a recording's market, and what the demo's quotes meet in it, next to the synthetic market's."""
    from makerside.journal.recording import load_recording

    recording = load_recording(path)
    model = _model(model_name)
    load_kernels(console())
    _print_comparison(recording, _listed(symbol), model)


def _model(name: str) -> "MarketModel":
    """Return a packaged model, or the one in a JSON file of `fit`."""
    from makerside.model.errors import ConfigError, DataError
    from makerside.sim.market_model import MarketModel
    from makerside.sim.market_models import load_model

    file = Path(name)
    if file.suffix != ".json":
        return load_model(name)
    try:
        return MarketModel.from_dict(json.loads(file.read_text()))
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    except (ValueError, TypeError, ConfigError) as error:
        raise DataError(f"{file}: is no market model of `data fit` ({error})") from None


def _listed(symbol: "str | None") -> "Instrument | None":
    from datetime import UTC, datetime

    from makerside.runtime.simserver import listed_instrument
    from makerside.venues.hyperliquid.rules import rules_at

    return listed_instrument(symbol, 0, rules_at(datetime.now(UTC).date()), "--symbol") if symbol else None


def _print_comparison(recording: "Recording", target: "Instrument | None", model: "MarketModel") -> None:
    from makerside.cli.demo import DEMO_BASE
    from makerside.config.load import validate
    from makerside.research.calibrate_market import synthetic_rows
    from makerside.research.compare_market import mean_quote_facts, quote_facts
    from makerside.research.market_facts import compare, market_facts, mean_facts
    from makerside.sim.regrid import regrid

    instrument = target or recording.instrument
    events = recording.events if target is None else regrid(recording.events, recording.instrument, target)[0]
    seeds = range(1, COMPARED_SEEDS + 1)
    stretches = [synthetic_rows(model, instrument, 60.0 * COMPARED_MINUTES, seed) for seed in seeds]
    table = Table(box=None, pad_edge=False)
    for name in ("fact", "recorded", "synthetic", "ratio"):
        table.add_column(name, justify="left" if name == "fact" else "right")
    drawn = mean_facts([market_facts(rows, instrument) for rows in stretches])
    for row in compare(market_facts(events, instrument), drawn):
        table.add_row(row.name, f"{row.recorded:,.4g}", f"{row.synthetic:,.4g}", f"{row.ratio:.2f}")
    config = validate(DEMO_BASE)
    ours = quote_facts(config, events, instrument)
    theirs = mean_quote_facts([quote_facts(config, rows, instrument) for rows in stretches])
    for name in ours.__slots__:
        a, b = getattr(ours, name), getattr(theirs, name)
        table.add_row(f"our quotes: {name}", f"{a:,.4g}", f"{b:,.4g}", f"{b / a:.2f}" if a else "")
    Console(highlight=False).print(table)
    typer.echo(
        f"synthetic: mean over {COMPARED_SEEDS} seeds of {COMPARED_MINUTES} minutes; "
        "our quotes: the demo's configuration, 100 ms to the exchange and 100 ms back"
    )


@app.command("queue")
def queue(
    path: Annotated[
        Path | None,
        typer.Argument(
            help="Order-by-order data (Parquet); without it a synthetic market.", show_default=False
        ),
    ] = None,
    exponents: Annotated[
        list[float] | None,
        typer.Option(
            "--exponent", min=0.01, max=100, help="Of the power models; repeat for several.  [default: 3]"
        ),
    ] = None,
    every_s: Annotated[
        float, typer.Option("--every", min=0.1, max=86_400, help="Time between virtual orders [s].")
    ] = 30.0,
    horizon_s: Annotated[
        float, typer.Option("--horizon", min=0.1, max=86_400, help="Time that an order has to fill [s].")
    ] = 60.0,
    levels: Annotated[
        int, typer.Option("--levels", min=1, max=20, help="Best levels per side that get an order.")
    ] = 3,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the synthetic market.")] = 1,
    back_bias: Annotated[
        float,
        typer.Option(
            "--back-bias",
            min=-0.9,
            max=20,
            help="Who cancels in the synthetic market. 0: anybody; above: rather the late; below: the early.",
        ),
    ] = 0.0,
) -> None:
    """Measure the queue models: fill times that they predict, against the true place in the queue."""
    from makerside.research.order_flow import FlowLaw, load_order_flow, synthetic_flow
    from makerside.research.queue_truth import Trial, queue_truth

    if path is not None:
        flow = load_order_flow(path)
    else:
        flow = synthetic_flow(FlowLaw(back_bias=back_bias), SYNTHETIC_HOURS * 3_600, seed)
    load_kernels(console())
    trial = Trial(every_s=every_s, horizon_s=horizon_s, levels=levels)
    n_orders, rows = queue_truth(flow, tuple(exponents or (3.0,)), trial)
    table = Table(box=None, pad_edge=False)
    for name in ("model", "filled in truth", "in model", "in one only", "error s", "absolute error s"):
        table.add_column(name, justify="left" if name == "model" else "right")
    for row in rows:
        numbers = (row.filled_truth, row.filled_model, row.differs, row.error_s, row.error_abs_s)
        table.add_row(row.model, *(_with_interval(number) for number in numbers))
    Console(highlight=False).print(table)
    notes = "".join(f"; {name} {number:,}" for name, number in flow.defects.items())
    typer.echo(f"{flow.name}: {len(flow.rows):,} rows, {n_orders:,} virtual orders of {horizon_s:g} s{notes}")
    typer.echo(
        "error: the model's time to fill less the truth's, over orders that fill in either; with 95 % intervals"
    )


def _with_interval(estimate: "Estimate") -> str:
    if estimate.value != estimate.value:
        return "n/a"
    if estimate.half_width != estimate.half_width:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} \u00b1 {estimate.half_width:.3f}"
