"""Recorded funding payments: what is read, and what is refused with its place."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from makerside.model.errors import DataError
from makerside.research.funding_data import find_rates, read_rates
from perps import BITCOIN


def write(path, **columns):
    """Write columns as Parquet."""
    pq.write_table(pa.table(columns), path)
    return path


def test_payments_are_read_by_time(tmp_path):
    path = write(tmp_path / "a.parquet", ts_ms=[2, 1], rate=[1.25e-05, -4.3e-9], index_price=[None, 0.0025])
    rates = read_rates(path)
    assert rates["ts_ns"].tolist() == [1_000_000, 2_000_000]
    assert rates["rate_e12"].tolist() == [-4_300, 12_500_000]
    assert rates["price_e8"].tolist() == [250_000, 0]


def test_mark_price_stands_in_for_an_index_that_is_never_told(tmp_path):
    path = write(
        tmp_path / "a.parquet",
        ts_ms=[1],
        rate=[0.0],
        mark_price=[100.5],
        index_price=pa.array([None], pa.float64()),
    )
    assert read_rates(path)["price_e8"].tolist() == [10_050_000_000]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"ts_ms": [1]}, "column rate is missing"),
        ({"ts_ms": [1, 2], "rate": [0.0, 1.5]}, "row 2: rate 1.5"),
        ({"ts_ms": [1], "rate": [float("nan")]}, "row 1: rate nan"),
        ({"ts_ms": [1, None], "rate": [0.0, 0.1]}, "row 2"),
        ({"ts_ms": [1], "rate": [0.1], "index_price": [-1.0]}, "row 1: price -1.0"),
        ({"ts_ms": [7, 7], "rate": [0.1, 0.1]}, "two payments at 7 ms"),
        ({"ts_ms": pa.array([], pa.int64()), "rate": pa.array([], pa.float64())}, "no rows"),
    ],
)
def test_what_cannot_be_is_refused_with_its_row(tmp_path, columns, words):
    with pytest.raises(DataError, match=words):
        read_rates(write(tmp_path / "a.parquet", **columns))


def test_a_damaged_file_and_an_absent_one_are_told(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        read_rates(path)
    with pytest.raises(DataError, match="not a readable Parquet file"):
        read_rates(tmp_path / "none.parquet")
    with pytest.raises(DataError, match=r"no hyperliquid-BTC\.parquet in it"):
        find_rates(tmp_path, BITCOIN)
    assert find_rates(path, BITCOIN) == path


def test_recorded_payments_of_two_years(data):
    """Every stored payment of BTC, in order, and exact in 10^-12."""
    table = pq.read_table(data / "funding" / "hyperliquid-BTC.parquet")
    rates = read_rates(find_rates(data / "funding", BITCOIN))
    assert len(rates) == table.num_rows
    assert (rates["ts_ns"][1:] > rates["ts_ns"][:-1]).all()
    assert rates["rate_e12"].tolist() == [round(rate * 10**12) for rate in table["rate"].to_pylist()]
