"""The run record: what a run's folder says about the run, beside its journal.

    run.json       this record: enough, with the journal, to replay the run anywhere
    journal.bin    every event and action
    timings.npz    how long things took (not part of the replay)
    summary.json, report.html

Pure; the files themselves are written in `journal/folder.py`.
"""

from makerside.model.layout import row_type

JOURNAL_NAME = "journal.bin"
RUN_NAME = "run.json"
TIMINGS_NAME = "timings.npz"
SUMMARY_NAME = "summary.json"
REPORT_NAME = "report.html"

trace_t = row_type(
    [
        ("ts_local_ns", "i8"),
        ("ts_venue_ns", "i8"),
        ("instrument", "i8"),
        ("bid_ticks", "i8"),  # the touch without our own orders
        ("ask_ticks", "i8"),
        ("own_bid_ticks", "i8"),  # our own best working prices, 0 when none
        ("own_ask_ticks", "i8"),
        ("position_lots", "i8"),
    ]
)
