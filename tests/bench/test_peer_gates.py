"""The table of gates: medians of ratios, shares the other way round, and the arguments of the command."""

import gates
import main
import pytest
from cases import BASE, FIVE_LEVELS, sets_of, sized
from gates import Result, Row, row

FASTER = Row("x", "time", gate=4, goal=6)
SMALLER = Row("m", "memory", gate=0.75, goal=0.62, is_share=True)


@pytest.mark.parametrize(
    ("ours", "theirs", "ratio", "is_passed", "is_goal"),
    [
        ([1.0, 1.0, 2.0], [3.9, 3.9, 100.0], 3.9, False, False),
        ([1.0], [4.0], 4.0, True, False),
        ([0.5, 1.0, 0.5], [3.0, 3.0, 4.0], 6.0, True, True),
    ],
)
def test_times(ours, theirs, ratio, is_passed, is_goal):
    found = Result(FASTER, ours, theirs)
    assert (found.ratio, found.is_passed, found.is_goal) == (ratio, is_passed, is_goal)


@pytest.mark.parametrize(
    ("ours", "theirs", "is_passed", "is_goal"),
    [([76.0], [100.0], False, False), ([75.0], [100.0], True, False), ([60.0], [100.0], True, True)],
)
def test_shares(ours, theirs, is_passed, is_goal):
    found = Result(SMALLER, ours, theirs)
    assert (found.is_passed, found.is_goal) == (is_passed, is_goal)


def test_processor_time_is_told_beside_where_it_was_measured():
    assert Result(FASTER, [1.0], [2.0]).cpu_ratio is None
    found = Result(FASTER, [9.0, 1.0], [2.0, 2.0], [1.0, 1.0], [4.5, 4.5])
    assert (found.cpu_ratio, found.is_passed) == (4.5, False)


def test_rows_without_their_rounds_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        _ = Result(FASTER, [1.0, 2.0], [3.0]).ratio


def test_goals_are_beyond_gates():
    for one in gates.ROWS:
        assert (one.goal < one.gate) if one.is_share else (one.goal > one.gate or one.key == "day")
        assert row(one.key) is one


def test_sets_are_distinct_and_differ_in_what_they_say():
    found = sets_of(FIVE_LEVELS, 100)
    assert len({(one["half_spread_ticks"], one["skew_ticks"]) for one in found}) == 100
    assert all(one["levels"] == 5 for one in found)
    assert sets_of(BASE, 20)[0]["half_spread_ticks"] == 1.0
    assert sized(BASE, 5)["position_max_lots"] == 80


@pytest.mark.parametrize(
    "arguments", [["nobody"], ["--only", "9"], ["--rows", "10"], ["--repeats", "0"]], ids=" ".join
)
def test_bad_arguments_name_what_is_accepted(monkeypatch, capsys, arguments):
    monkeypatch.setattr("sys.argv", ["bench-peers", *arguments])
    with pytest.raises(SystemExit) as ended:
        main.parse_arguments()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert any(words in said for words in ("there are", "choose from", "at least"))


def test_tables_show_every_line(monkeypatch):
    parity = {
        "tape": "t",
        "levels": 1,
        "queue": "log_prob",
        "exchange": "partial",
        "requests": [1, 2],
        "fills": [3, 4],
        "lots": [5, 6],
        "worst": 0.25,
    }
    table = main.parity_table([parity])
    assert [list(column.cells) for column in table.columns][-1] == ["DIFFER"]
    line = Result(FASTER, [1.0], [5.0]).as_dict() | {"row": "1"}
    cells = [next(iter(column.cells)) for column in main.gate_table([line]).columns]
    assert cells == ["1", "time", "1.000 s", "5.000 s", "5.00x", "", "≥ 4x", "≥ 6x", "pass"]
