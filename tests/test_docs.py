"""Documents that cannot drift: files, functions and commands that they name exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])


def names_in(path: Path) -> set[str]:
    """Return functions, classes and methods (Class.method) that a file defines."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
            found |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.AsyncFunctionDef)}
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_documents_name_exist(document: Path) -> None:
    text = document.read_text()
    named = set(re.findall(r"`((?:src|tests|docs|bench|requirements)/[\w./-]+?)`", text))
    named |= {
        f"docs/{name}"
        for name in re.findall(r"\]\((?!https?:|#|/)(img/[\w./-]+)\)", text)
        if document.parent.name == "docs"
    }
    named |= set(re.findall(r"\]\((?!https?:|#)((?:docs|src|bench)/[\w./-]+)\)", text))
    for name in named:
        assert (ROOT / name).exists(), f"{document.relative_to(ROOT)} names {name}"


def test_functions_of_the_tour_exist() -> None:
    text = (ROOT / "docs" / "tour.md").read_text().replace("\n", " ")
    pairs = re.findall(r"`(src/makerside/[\w/]+\.py)` — +((?:`[\w.]+`(?:,? and )?)+)", text)
    assert len(pairs) >= 20
    for file, functions in pairs:
        known = names_in(ROOT / file)
        for function in re.findall(r"`([\w.]+)`", functions):
            assert function in known, f"the tour says {function} is in {file}"


def commands() -> dict[str, set[str]]:
    """Return every command of the command line with its options."""
    import typer

    from makerside.cli.main import app

    root = typer.main.get_command(app)
    found: dict[str, set[str]] = {}

    def walk(command: object, words: str) -> None:
        for name, one in getattr(command, "commands", {}).items():
            walk(one, f"{words} {name}".strip())
        if not getattr(command, "commands", {}):
            found[words] = {option for parameter in command.params for option in parameter.opts}  # type: ignore[attr-defined]

    walk(root, "")
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_that_documents_show_exist(document: Path) -> None:
    known = commands()
    for line in re.findall(
        r"(?:^|`)(?:\.venv/bin/)?makerside ([a-z][^`\n#]*)", document.read_text(), re.MULTILINE
    ):
        words = line.split()
        command = next((c for c in (" ".join(words[:2]), words[0]) if c in known), None)
        assert command is not None, f"{document.relative_to(ROOT)}: makerside {line}"
        for option in re.findall(r"(?:^|\s)(--[a-z-]+)", line):
            assert option in known[command] | {"--help"}, (
                f"{document.relative_to(ROOT)}: {command} has no {option}"
            )


def test_every_command_is_documented() -> None:
    text = "\n".join(document.read_text() for document in DOCUMENTS)
    for command in commands():
        assert f"makerside {command}" in text, f"no document shows makerside {command}"


def test_every_option_has_a_help_text() -> None:
    import typer

    from makerside.cli.main import app

    def walk(command: object) -> None:
        for one in getattr(command, "commands", {}).values():
            walk(one)
        assert command.help, f"{command.name} has no help"  # type: ignore[attr-defined]
        for parameter in command.params:  # type: ignore[attr-defined]
            is_option = any(name.startswith("--") for name in parameter.opts)
            hidden = getattr(parameter, "hidden", False)
            assert not is_option or hidden or parameter.help, f"{command.name} {parameter.name} has no help"  # type: ignore[attr-defined]

    walk(typer.main.get_command(app))


def test_the_changelog_knows_this_version() -> None:
    from makerside import __version__

    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_help_page_is_what_the_command_line_prints() -> None:
    from makerside.cli.help_pages import render

    page = (ROOT / "docs" / "commands.md").read_text()
    assert page == render(), "run: python -m makerside.cli.help_pages > docs/commands.md"
