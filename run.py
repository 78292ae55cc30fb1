"""Set up makerside in this folder and run one of its targets; standard library only.

    python3 run.py demo | test | check | bench | bench-peers | warmup | clean  [arguments ...]

Makes .venv with the pinned packages when it is missing or the lock file has changed, and touches
nothing outside this folder. `make TARGET` does the same.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
LOCKS = {False: ROOT / "requirements" / "base.txt", True: ROOT / "requirements" / "dev.txt"}
STAMP = VENV / "makerside.stamp"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
TARGETS = ("demo", "test", "check", "bench", "bench-peers", "warmup", "clean")
SCRIPTS = ("bench", "bench-peers")  # run files instead of modules
# What is compiled when it runs; its tests run interpreted and with bounds checks as well.
PURE = [f"tests/{room}" for room in ("model", "core", "strategies", "properties", "parity", "sim")]
WORKERS_MAX = 4
NEED_DEV = ("test", "check", "bench")  # these need pytest, ruff, mypy and the venues' own SDKs as well


def main() -> int:
    target, arguments = (sys.argv[1] if len(sys.argv) > 1 else "help"), sys.argv[2:]
    if target not in TARGETS:
        print(__doc__)
        return 0 if target == "help" else 2
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        print(f"makerside needs Python 3.11 to 3.13; this is {sys.version.split()[0]} ({sys.executable})")
        return 2
    if target == "clean":
        for folder in (VENV, ROOT / ".cache", ROOT / "out"):
            shutil.rmtree(folder, ignore_errors=True)
        return 0
    if not set_up(target in NEED_DEV):
        return 2
    return run(target, arguments)


def set_up(is_dev: bool) -> bool:
    """Bring .venv to what the lock files say; returns whether it is there."""
    facts = sys.version + str(ROOT)
    wanted = {
        dev: hashlib.sha256(path.read_bytes() + facts.encode()).hexdigest() for dev, path in LOCKS.items()
    }
    present = STAMP.read_text() if STAMP.exists() else ""
    if present == wanted[True] or (present == wanted[False] and not is_dev):
        return True
    print(f"Python {sys.version.split()[0]} ({sys.executable}); setting up .venv ...", flush=True)
    if present not in wanted.values() and not make_venv():
        return False
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet"]
    for command in (
        [*pip, "--require-hashes", "-r", str(LOCKS[is_dev])],
        [*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT)],
    ):
        if subprocess.run(command, env=environment()).returncode != 0:
            print(f"set-up failed at: {' '.join(command)}")
            return False
    STAMP.write_text(wanted[is_dev])
    return True


def make_venv() -> bool:
    """Make an empty .venv; returns whether that worked."""
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        print(f"This Python has no venv module. On Debian and Ubuntu: apt install python{version}-venv")
        return False
    shutil.rmtree(VENV, ignore_errors=True)
    return subprocess.run([sys.executable, "-m", "venv", str(VENV)]).returncode == 0


def environment() -> dict[str, str]:
    """Keep the compiled kernels in this folder."""
    return {
        "MAKERSIDE_CACHE": str(ROOT / ".cache"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        **os.environ,
    }


def run(target: str, arguments: list[str]) -> int:
    """Run the commands of a target one after the other; stop at the first that fails."""
    if target == "test":
        return run_tests(arguments)
    commands = {
        "demo": [["makerside", "demo", *arguments]],
        "check": [["ruff", "format", "--check", "."], ["ruff", "check", "."], ["mypy"]],
        "bench": [[str(path)] for path in sorted((ROOT / "bench").glob("*.py"))],
        "bench-peers": [[str(ROOT / "bench" / "peers" / "main.py"), *arguments]],
        "warmup": [["makerside", "warmup", "--time", *arguments]],
    }
    codes = (call(command, is_module=target not in SCRIPTS) for command in commands[target])
    return next((code for code in codes if code != 0), 0)


def run_tests(arguments: list[str]) -> int:
    """Run what the arguments of pytest name; without any, everything, in all the ways kernels can run.

    Kernels are compiled before the workers start: each would compile them for itself.
    """
    if arguments:
        return call(["makerside", "warmup"]) or call(["pytest", *arguments])
    pytest = ["pytest", "-n", str(min(WORKERS_MAX, os.cpu_count() or 1))]
    print("compiled: all tests", flush=True)
    code = call(["makerside", "warmup"]) or call(pytest)
    if code == 0:
        print("interpreted: the pure rooms", flush=True)
        code = call([*pytest, *PURE], {"NUMBA_DISABLE_JIT": "1"})
    if code == 0:
        print("compiled with bounds checks: the pure rooms", flush=True)
        checked = {"NUMBA_BOUNDSCHECK": "1"}
        code = call(["makerside", "warmup"], checked) or call([*pytest, *PURE], checked)
    return code


def call(command: list[str], extra: dict[str, str] | None = None, is_module: bool = True) -> int:
    """Run a module, or a script, with the Python of .venv; returns its exit code."""
    start = [str(PYTHON), "-m"] if is_module else [str(PYTHON)]
    return subprocess.run([*start, *command], cwd=ROOT, env={**environment(), **(extra or {})}).returncode


if __name__ == "__main__":
    sys.exit(main())
