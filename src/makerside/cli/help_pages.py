"""The help of every command as one page, `docs/commands.md`; a test keeps the page and the help equal.

python -m makerside.cli.help_pages > docs/commands.md
"""

from typing import Any

from typer.testing import CliRunner

WIDTH = 100
HEAD = """# Commands

Every command with its help, as the command line prints it. Exit codes: 0 done; 1 the answer is no (a
replay that differs, orders that are left); 2 something that you can mend, told in one message; 3 the
venue failed; 130 interrupted.
"""


def render() -> str:
    """Return the page."""
    from typer.main import get_command

    from makerside.cli.main import app

    parts = [HEAD]
    for words in [[], *leaves(get_command(app), [])]:
        result = CliRunner().invoke(
            app, [*words, "--help"], prog_name="makerside", terminal_width=WIDTH, env={"COLUMNS": str(WIDTH)}
        )
        title = " ".join(["makerside", *words])
        body = "\n".join(line.rstrip() for line in result.output.strip().splitlines())
        parts.append(f"## {title}\n\n```\n{body}\n```\n")
    return "\n".join(parts)


def leaves(command: Any, words: list[str]) -> list[list[str]]:
    """Return the words of every command that is no group."""
    found: list[list[str]] = []
    for name, one in getattr(command, "commands", {}).items():
        found += leaves(one, [*words, name]) if getattr(one, "commands", {}) else [[*words, name]]
    return found


if __name__ == "__main__":
    print(render(), end="")
