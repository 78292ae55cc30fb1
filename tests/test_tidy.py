"""The house rules that a machine can check: who may import whom, what pure code may not touch, sizes."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "makerside"

# Room -> rooms that it may import. The direction is always upward in this table.
MAY_IMPORT = {
    "model": {"model"},
    "core": {"model", "core"},
    "strategies": {"model", "core", "strategies"},
    "sim": {"model", "core", "sim"},
    "journal": {"model", "journal"},
    "net": {"model", "net"},
    "venues": {"model", "venues"},
    "config": {"model", "strategies", "config"},
    "engine": {"model", "core", "strategies", "config"},
    "runtime": {
        "model",
        "core",
        "strategies",
        "sim",
        "journal",
        "net",
        "venues",
        "config",
        "engine",
        "runtime",
    },
}
MAY_IMPORT["research"] = MAY_IMPORT["runtime"] | {"research"}
MAY_IMPORT["cli"] = MAY_IMPORT["research"] | {"cli"}
# Files of a venue that are not pure, and what they may import beside the venue and model.
VENUE_EDGES = {"client": {"net"}, "server": {"net", "sim", "core"}}
ANYBODY = {""}  # the package itself: its version

PURE_ROOMS = ("model", "core", "strategies", "sim")
# Module -> what to use instead.
BANNED_MODULES = {
    "time": "event time, or net.clock outside pure code",
    "datetime": "event time, or net.clock outside pure code",
    "random": "sim.random, from a seed",
    "secrets": "keys are made in runtime",
    "socket": "net",
    "asyncio": "net and runtime",
    "aiohttp": "net.http",
    "picows": "net.ws",
    "threading": "runtime",
    "subprocess": "runtime",
    "requests": "net.http",
}
MAY_TOUCH_FILES = {SOURCE / "core" / "kernel.py", SOURCE / "sim" / "market_models" / "__init__.py"}
LINES_MAX = 400
LONG_FILES: dict[Path, str] = {}


def source_files(*rooms: str) -> list[Path]:
    folders = [SOURCE / room for room in rooms] if rooms else [SOURCE]
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def room_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).parts
    return parts[0] if len(parts) > 1 else parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            yield node.lineno, node.module or ""
            if node.module == "makerside":
                yield from ((node.lineno, f"makerside.{name.name}") for name in node.names)


def is_pure_venue_file(path: Path) -> bool:
    return room_of(path) == "venues" and not path.stem.startswith(tuple(VENUE_EDGES))


def pure_files() -> list[Path]:
    return source_files(*PURE_ROOMS) + [path for path in source_files("venues") if is_pure_venue_file(path)]


@pytest.mark.parametrize("path", source_files(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_upward(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    allowed = MAY_IMPORT[room] | ANYBODY
    for edge, more in VENUE_EDGES.items():
        if room == "venues" and path.stem.startswith(edge):
            allowed = allowed | more
    for line, name in imports(ast.parse(path.read_text())):
        parts = name.split(".")
        if parts[0] != "makerside":
            continue
        target = parts[1] if len(parts) > 1 else ""
        known = target in MAY_IMPORT or target in ANYBODY or target.startswith("__")
        assert not known or target in allowed or target.startswith("__"), (
            f"{path.relative_to(ROOT)}:{line}: {room} may not import {target}; it may import {sorted(allowed)}"
        )


@pytest.mark.parametrize("path", pure_files(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_pure_code_knows_no_clock_no_chance_no_file_no_socket(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for line, name in imports(tree):
        root = name.split(".")[0]
        banned = BANNED_MODULES.get(root)
        is_date_only = root == "datetime" and "venues" in path.parts
        assert banned is None or is_date_only, f"{path.relative_to(ROOT)}:{line}: no {root} here; use {banned}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and path not in MAY_TOUCH_FILES:
            assert node.func.id != "open", f"{path.relative_to(ROOT)}:{node.lineno}: pure code opens no file"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            where = f"{path.relative_to(ROOT)}:{node.lineno}"
            assert (node.value.id, node.attr) != ("np", "random"), f"{where}: use sim.random"
            assert node.attr not in ("read_text", "write_text") or path in MAY_TOUCH_FILES, f"{where}: a file"


def kernels(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            names = [d.func if isinstance(d, ast.Call) else d for d in node.decorator_list]
            if any(isinstance(name, ast.Name) and name.id == "kernel" for name in names):
                yield node


@pytest.mark.parametrize(
    "path", source_files("core", "strategies", "sim"), ids=lambda p: str(p.relative_to(SOURCE))
)
def test_kernels_call_no_numpy_on_scalars(path: Path) -> None:
    """np.exp and friends differ between compiled and interpreted code; math.* and our own do not."""
    for function in kernels(ast.parse(path.read_text())):
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "np":
                raise AssertionError(
                    f"{path.relative_to(ROOT)}:{node.lineno}: {function.name} uses np.{node.attr}"
                )


def test_only_one_decorator_compiles() -> None:
    allowed = {SOURCE / "core" / "kernel.py", SOURCE / "core" / "signature.py"}
    for path in source_files():
        text = path.read_text()
        assert "fastmath=" not in text, f"{path.relative_to(ROOT)}: fastmath changes sums"
        if path not in allowed:
            assert not re.search(r"\bnjit\b|numba\.jit", text), (
                f"{path.relative_to(ROOT)}: use core.kernel.kernel"
            )


@pytest.mark.parametrize("path", source_files(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_are_short_and_say_what_they_are(path: Path) -> None:
    text = path.read_text()
    n = text.count("\n")
    assert n <= LINES_MAX or path in LONG_FILES, f"{path.relative_to(ROOT)}: {n} lines; {LINES_MAX} at most"
    if n:
        assert ast.get_docstring(ast.parse(text)), f"{path.relative_to(ROOT)}: a module opens with a paragraph"


@pytest.mark.parametrize("path", source_files(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_catches_everything(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.id if isinstance(node.type, ast.Name) else ""
            where = f"{path.relative_to(ROOT)}:{node.lineno}"
            assert node.type is not None, f"{where}: names what it catches"
            assert caught not in ("Exception", "BaseException"), f"{where}: names what it catches"


def public_definitions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


@pytest.mark.parametrize(
    "path",
    source_files("model", "core", "strategies", "sim", "journal"),
    ids=lambda p: str(p.relative_to(SOURCE)),
)
def test_public_names_have_docstrings(path: Path) -> None:
    for node in public_definitions(ast.parse(path.read_text())):
        if any(isinstance(d, ast.Name) and d.id == "overload" for d in node.decorator_list):
            continue
        assert ast.get_docstring(node), f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} says nothing"


def tracked_text_files() -> list[Path]:
    suffixes = {".py", ".md", ".toml", ".txt", ".json", ".html", ".in", ""}
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode != 0:
        pytest.skip("no git checkout: there is no list of the project's files")
    paths = [ROOT / name for name in listed.stdout.splitlines()]
    return [path for path in paths if path.is_file() and path.suffix in suffixes]


def test_no_path_of_a_machine_and_no_package_index() -> None:
    machine = re.compile(r"(^|[^\w.])/(?:work|home|root|opt|Users)/\w")
    index = re.compile(r"https?://[^\s]*(?:pypi|/simple)|--(?:extra-)?index-url")
    for path in tracked_text_files():
        if path == Path(__file__):
            continue
        text = path.read_text(errors="ignore")
        for number, line in enumerate(text.splitlines(), 1):
            assert not machine.search(line), f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
            assert not index.search(line), f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
