"""One side of a comparison: a process that answers JSON requests, one a line."""

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).resolve().parent


class SideError(Exception):
    """A side ended before it had answered."""


class Side:
    """A process that runs one of the `*_side.py`. python : of its environment"""

    def __init__(self, name: str, python: Path) -> None:
        self.name = name
        script = HERE / f"{name}_side.py"
        self._process = subprocess.Popen(
            [str(python), "-W", "ignore", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """Return the answer to a request; SideError when the process has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(json.dumps(request), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise SideError(f"{self.name} has ended with code {self._process.wait()}") from None
        line = self._process.stdout.readline()
        if not line:
            raise SideError(f"{self.name} ended with code {self._process.wait()} at {request['do']}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> "Side":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait(timeout=60)
        else:
            self._process.kill()
            self._process.wait()


def ours() -> Side:
    """Start our side, in this environment."""
    return Side("makerside", Path(sys.executable))
