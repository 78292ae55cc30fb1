"""The same shards on a real Ray cluster of this machine: the same results, whatever dies on the way."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import makerside
from cli.conftest import call, columns_of, write_recording  # noqa: F401
from makerside.model.errors import ConfigError, UserError
from makerside.model.event import event_t
from makerside.research.grid import parameter_sets
from makerside.research.ray_crew import each_array, ray_crew, run_remote, unmarked
from makerside.research.shards import run_shard
from makerside.research.sweep import LOG_NAME, read_log, results_sha256, run_sweep
from research.test_sweep import BASE, interrupt_after, market, recordings, sets, trials  # noqa: F401

STORE_BYTES = 200_000_000
START_S = 60.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Address of a cluster with two processors on the loopback interface, ended with this module."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("ray is not installed (pip install 'makerside[ray]'): the cluster is not tested")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("ray")
    source = str(Path(makerside.__file__).resolve().parents[1])
    environment = {
        **os.environ,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # everything on the loopback interface, as there
        "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")]),
    }
    command = ["start", "--head", "--block", "--num-cpus=2", f"--object-store-memory={STORE_BYTES}"]
    command += ["--node-ip-address=127.0.0.1", f"--port={port}", "--include-dashboard=false"]
    log = folder / "cluster.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import ray.scripts.scripts as s; s.main()",
                *command,
                "--disable-usage-stats",
            ],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    deadline = time.monotonic() + START_S
    while "Ray runtime started" not in log.read_text():
        assert process.poll() is None, log.read_text()[-2_000:]
        assert time.monotonic() < deadline, log.read_text()[-2_000:]
        time.sleep(0.1)
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    yield f"127.0.0.1:{port}"
    process.terminate()
    process.wait(30)


def test_memory_that_is_marked_read_only_is_offered_without_a_copy(market):  # noqa: F811
    marked = market.tape.events.copy()
    marked.flags.writeable = False
    free = unmarked(marked)
    assert free.flags.writeable
    assert free.dtype == event_t
    assert free.ctypes.data == marked.ctypes.data
    assert (free == marked).all()
    assert unmarked(free) is free
    assert unmarked(np.zeros(0, event_t)).shape == (0,)
    again = each_array(market, unmarked)
    assert again.tape.events is market.tape.events
    assert again.sha256 == market.sha256


def test_another_makerside_on_a_node_is_refused(market, sets):  # noqa: F811
    with pytest.raises(UserError, match="another makerside"):
        run_remote(market, sets[:1], 0, None, "other sources")


@pytest.mark.parametrize("address", ["nonsense", "ray://127.0.0.1:1", "127.0.0.1:", "127.0.0.1:1"])
def test_where_nobody_listens(address):
    with (
        pytest.raises(UserError, match=f"--address {address}: (give HOST:PORT|nobody listens)"),
        ray_crew(address),
    ):
        pass


def test_a_cluster_gives_the_same_results(cluster, market, sets, trials, tmp_path):  # noqa: F811
    with ray_crew(cluster) as crew:
        assert crew.size == 2
        for shard_max in (62, 2):
            found = run_sweep(sets, market, tmp_path / str(shard_max), crew=crew, shard_max=shard_max)
            assert results_sha256(found) == results_sha256(trials)


def test_workers_read_the_store_itself(cluster, market):  # noqa: F811
    def look(shared):
        free = each_array(shared, unmarked)
        is_same = free.tape.events.ctypes.data == shared.tape.events.ctypes.data
        return shared.tape.events.flags.writeable, free.tape.events.flags.writeable, is_same

    import ray

    with ray_crew(cluster):
        assert ray.get(ray.remote(look).remote(ray.put(market))) == (False, True, True)


def test_a_tape_that_maps_a_file_is_shared_too(cluster, market, sets, trials, tmp_path):  # noqa: F811
    """A mapped array is not of the plain kind that Ray shares: it must not be packed into every task."""
    market.tape.events.tofile(tmp_path / "tape.bin")
    mapped = np.memmap(tmp_path / "tape.bin", event_t, "c")
    other = replace(market, tape=replace(market.tape, events=mapped))
    with ray_crew(cluster) as crew:
        found = run_sweep(sets, other, tmp_path / "out", crew=crew)
    assert results_sha256(found) == results_sha256(trials)


def test_an_interrupted_sweep_goes_on_with_threads(cluster, market, sets, trials, tmp_path):  # noqa: F811
    folder = tmp_path / "out"
    with ray_crew(cluster) as crew:
        assert run_sweep(sets, market, folder, on_progress=interrupt_after(2), crew=crew, shard_max=1) is None
    kept = read_log(folder / LOG_NAME)
    assert 2 <= len(kept) < len(sets)
    assert results_sha256(run_sweep(sets, market, folder, 2)) == results_sha256(trials)


def test_an_error_over_there_is_told_here(cluster, market, tmp_path):  # noqa: F811
    small = parameter_sets([{"strategy.size_usd": "0.000001"}], None, [], BASE)
    with pytest.raises(ConfigError) as alone:
        run_shard(market, small)
    with ray_crew(cluster) as crew, pytest.raises(ConfigError) as told:
        run_sweep(small, market, tmp_path / "out", crew=crew)
    assert str(told.value) == str(alone.value)


def test_a_killed_driver_is_resumed_to_the_same_results(cluster, call, tmp_path):  # noqa: F811
    recording = write_recording(tmp_path / "test-BTCUSDT-long.parquet", columns_of(30_000))
    gammas = ",".join(str(0.1 * i) for i in range(1, 81))
    arguments = ["sweep", "--data", str(recording), "--grid", f"gamma_per_usd={gammas}", "--shard", "2"]
    over_there = ["--engine", "ray", "--address", cluster]
    process = subprocess.Popen(
        [sys.executable, "-m", "makerside", *arguments, *over_there, "--out", str(tmp_path / "killed")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    log = tmp_path / "killed" / LOG_NAME
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (log.exists() and log.read_bytes().count(b"\n") >= 4):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 4 <= log.read_bytes().count(b"\n") < 80
    assert call(*arguments, *over_there, "--out", tmp_path / "killed").code == 0
    assert call(*arguments, "--out", tmp_path / "whole").code == 0
    texts = [(tmp_path / name / "summary.json").read_text() for name in ("killed", "whole")]
    assert len({text.split('"results_sha256"')[1][:70] for text in texts}) == 1
