"""Every command explains itself."""

import re

import pytest
from typer.main import get_command

from makerside import __version__
from makerside.cli.main import app


def commands(command=None, words=()):
    """Yield (words, command) of every command and group."""
    command = command or get_command(app)
    yield words, command
    for name, one in getattr(command, "commands", {}).items():
        yield from commands(one, (*words, name))


ALL = dict(commands())
LEAVES = {words: one for words, one in ALL.items() if not getattr(one, "commands", None)}
EXPECTED = {
    "demo",
    "exchange",
    "paper",
    "live",
    "record",
    "backtest",
    "replay",
    "warmup",
    "data check",
    "data import",
    "data show",
    "data fit",
    "config show",
}


def test_all_commands_are_here():
    assert {" ".join(words) for words in LEAVES} >= EXPECTED


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_names_every_option_with_its_meaning(call, words):
    finished = call(*words, "--help")
    assert finished.code == 0
    assert finished.err == ""
    assert "Usage: " in finished.out
    text = " ".join(finished.out.split())
    assert (ALL[words].help or "").split("\n")[0].rstrip(".") in text
    for option in ALL[words].params:
        if getattr(option, "hidden", False) or option.name == "help":
            continue
        meaning = getattr(option, "help", None)
        assert meaning, f"{option.name} of {words} says nothing about itself"
        for name in option.opts if option.param_type_name == "option" else []:
            assert name in text
        assert " ".join(meaning.split())[:40] in text


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_fits_the_line(call, words):
    assert max(len(line) for line in call(*words, "--help").out.splitlines()) <= 110


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_what_a_command_does_is_a_sentence(words):
    first = LEAVES[words].help.split("\n")[0]
    assert re.fullmatch(r"[A-Z].*\.", first), first


def test_short_help_is_the_same(call):
    assert call("demo", "-h").out == call("demo", "--help").out


def test_without_a_command_the_commands_are_shown(call):
    finished = call()
    assert finished.code in (0, 2)
    for name in ("demo", "exchange", "backtest"):
        assert name in finished.out + finished.err


def test_the_version(call):
    finished = call("--version")
    assert (finished.code, finished.out) == (0, f"makerside {__version__}\n")


@pytest.mark.parametrize("words", [("dance",), ("data", "dance"), ("demo", "--nope")], ids=" ".join)
def test_what_does_not_exist_is_said_with_the_usage(call, words):
    finished = call(*words)
    assert finished.code == 2
    assert words[-1] in finished.err
    assert "Usage: " in finished.err
