"""Logs: to standard error, as lines for people or as JSON; never a secret, since none is ever passed.

Environment: MAKERSIDE_LOG=debug|info|warning|error, MAKERSIDE_LOG_FORMAT=console|json.
"""

import logging
import os
import sys

import structlog

from makerside.model.errors import ConfigError

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
FORMATS = ("console", "json")


def configure_logs() -> None:
    """Set up logging for this process; ConfigError for a level or format that does not exist."""
    level = os.environ.get("MAKERSIDE_LOG", "warning").lower()
    form = os.environ.get("MAKERSIDE_LOG_FORMAT", "console").lower()
    if level not in LEVELS:
        raise ConfigError(f"MAKERSIDE_LOG={level}: there are {', '.join(LEVELS)}")
    if form not in FORMATS:
        raise ConfigError(f"MAKERSIDE_LOG_FORMAT={form}: there are {', '.join(FORMATS)}")
    renderer = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=LEVELS[level], stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
