"""Compilation: a cache that notices every edit, and indices that are checked when asked for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

import makerside
from builders import IS_INTERPRETED, START_NS, feed, make_engine, touch
from makerside.core import kernel as kernel_module
from makerside.core.kernel import cache_key, kernel, kernel_sources, prepare_cache

PACKAGE = Path(makerside.__file__).resolve().parent


def test_every_file_with_a_kernel_is_in_the_key():
    """The cache folder is named after these sources. Kernels of research call none of another file there."""
    hashed = set(kernel_sources())
    files = {path for path in PACKAGE.rglob("*.py") if path.parent.name != "research"}
    with_kernels = {path for path in files if "\n@kernel" in path.read_text()}
    assert len(with_kernels) > 15
    assert with_kernels <= hashed
    assert set((PACKAGE / "model").glob("*.py")) <= hashed, "records shape the kernels"


def test_an_edit_anywhere_changes_the_key(tmp_path, monkeypatch):
    copy = tmp_path / "makerside"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(kernel_module, "_PACKAGE", copy)
    keys = [cache_key()]
    for name in ("core/pacing.py", "model/order.py", "strategies/glft.py", "sim/queue.py"):
        path = copy / name
        path.write_text(path.read_text() + "\n# edited\n")
        keys.append(cache_key())
    assert len(set(keys)) == len(keys)
    (copy / "core" / "new.py").write_text("")
    assert cache_key() not in keys


def test_a_strategy_of_the_user_is_part_of_the_key(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("A = 1\n")
    first = cache_key([path])
    path.write_text("A = 2\n")
    assert len({cache_key(), first, cache_key([path])}) == 3


@pytest.mark.parametrize("name", ["BOUNDSCHECK", "DEBUG", "OPT"])
def test_flags_are_part_of_the_key(monkeypatch, name):
    before = cache_key()
    monkeypatch.setattr(numba.config, name, 77)
    assert cache_key() != before


def test_the_oldest_folders_go(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", numba.config.CACHE_DIR)
    monkeypatch.setenv("MAKERSIDE_CACHE", str(tmp_path))
    for age in range(12):
        folder = tmp_path / f"kernels-old{age:02}"
        folder.mkdir()
        os.utime(folder, (1_000 + age, 1_000 + age))
    (tmp_path / "mine").mkdir()
    folder = prepare_cache()
    left = sorted(path.name for path in tmp_path.iterdir())
    assert folder.name in left
    assert "mine" in left
    assert [name for name in left if "old" in name] == [f"kernels-old{age:02}" for age in range(7, 12)]
    assert str(folder) == numba.config.CACHE_DIR


def test_a_home_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", "as it was")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MAKERSIDE_CACHE", str(tmp_path / "file" / "below"))
    prepare_cache()
    assert numba.config.CACHE_DIR == "as it was"


@pytest.mark.skipif(IS_INTERPRETED, reason="nothing is compiled")
def test_kernels_divide_like_numpy_and_never_reorder_sums():
    @kernel
    def divide(a: float, b: float) -> float:
        return a / b

    assert divide.targetoptions["error_model"] == "numpy"
    assert "fastmath" not in divide.targetoptions
    assert divide.targetoptions["nogil"]


OUT_OF_RANGE = """
import sys
from builders import START_NS, feed, make_engine, touch
engine = make_engine()
try:
    feed(engine, touch(9_999, 10_001, START_NS, instrument=1))
except IndexError:
    print("caught")
"""


def test_an_index_out_of_range_is_caught_with_bounds_checking():
    """A row of an instrument that does not exist: checked runs stop, and do not write behind the markets."""
    if IS_INTERPRETED:
        with pytest.raises(IndexError):
            feed(make_engine(), touch(9_999, 10_001, START_NS, instrument=1))
        return
    tests = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", OUT_OF_RANGE],
        env={**os.environ, "NUMBA_BOUNDSCHECK": "1", "PYTHONPATH": f"{PACKAGE.parent}{os.pathsep}{tests}"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.stdout.strip() == "caught", done.stderr
