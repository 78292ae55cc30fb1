"""Makerside as a process of its own: start it, talk to it, end it."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_S = 90.0  # kernels may have to be compiled first
END_S = 15.0


def environment(**more):
    """Return the environment of a command: the sources of this folder, no key, no colours."""
    paths = [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKERSIDE__")}
    kept.pop("MAKERSIDE_KEY", None)
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "NO_COLOR": "1", "COLUMNS": "110", **more}


def run(*arguments, wait_s=START_S, cwd=None, **variables):
    """Run a command to its end; returns the finished process with its texts."""
    command = [sys.executable, "-m", "makerside", *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=wait_s,
        cwd=cwd,
        env=environment(**variables),
        check=False,
    )


class Process:
    """A running command whose output is read while it runs. It leads a process group of its own."""

    def __init__(self, *arguments, cwd=None, has_input=False, **variables):
        command = [sys.executable, "-m", "makerside", *map(str, arguments)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if has_input else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env=environment(**variables),
            start_new_session=True,
        )
        self.lines = queue.SimpleQueue()
        self.out, self.err = [], []
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.out), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, self.err), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream, kept):
        for line in stream:
            kept.append(line)
            self.lines.put(line)

    def wait_line(self, where=lambda line: True, wait_s=START_S):
        """Return the next line of either output for which `where` holds."""
        deadline = time.monotonic() + wait_s
        while True:
            try:
                line = self.lines.get(timeout=0.1)
            except queue.Empty:
                assert self.process.poll() is None, f"it ended: {''.join(self.err)}"
                assert time.monotonic() < deadline, f"nothing like that was said: {self.out} {self.err}"
                continue
            if where(line):
                return line

    def send(self, number):
        """Send a signal to the command alone."""
        self.process.send_signal(number)

    def send_group(self, number):
        """Send a signal to the command and all that it has started, as a terminal does."""
        os.killpg(self.process.pid, number)

    def wait(self, wait_s=END_S):
        """Wait for the end; returns the exit code."""
        code = self.process.wait(timeout=wait_s)
        for reader in self._readers:
            reader.join(timeout=END_S)
        return code

    def end(self):
        """Make sure that it is gone."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=END_S)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def text(self):
        """Everything that it has said, both outputs."""
        return "".join(self.out) + "".join(self.err)


class LocalExchange(Process):
    """`makerside exchange` on a free port. funds : address -> USD"""

    def __init__(self, funds, *arguments, speed=1.0, **variables):
        pairs = [f"--fund={address}={usd}" for address, usd in funds.items()]
        super().__init__("exchange", "--port", 0, "--speed", speed, *pairs, *arguments, **variables)
        self.ready = json.loads(self.wait_line(lambda line: line.startswith("{")))
        self.url = self.ready["url"]


@contextlib.contextmanager
def local_exchange(funds, *arguments, **options):
    """Run a local exchange while a test needs it."""
    exchange = LocalExchange(funds, *arguments, **options)
    try:
        yield exchange
    finally:
        exchange.end()
