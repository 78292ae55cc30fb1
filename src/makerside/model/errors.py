"""Errors, and whose fault each one is.

    MakersideError
    ├── UserError            the user's: a message that names the place and what would be accepted; exit 2
    │   ├── ConfigError          a setting, by its path in the configuration
    │   ├── DataError            a data file or a value in it
    │   └── KeyFileError         a private key or the file that holds it
    ├── VenueError           life: the venue refused, was silent or spoke nonsense; retried or reported
    │   ├── VenueRefused         an answer that says no, with the venue's words
    │   └── VenueUnreachable     no connection, a time-out, a closed socket
    └── JournalError         a journal that cannot be read or that differs from its replay

A broken invariant of ours is no exception of this tree: it is an `assert`.
"""


class MakersideError(Exception):
    """Base of every error that makerside raises on purpose."""


class UserError(MakersideError):
    """Something that the user can mend; the command line prints it without a traceback and exits with 2."""


class ConfigError(UserError):
    """A setting that is unknown, of the wrong kind or out of range."""


class DataError(UserError):
    """A data file that is missing, corrupt or not of the described form."""


class KeyFileError(UserError):
    """A private key that is absent, malformed or kept too openly. Its text never holds the key."""


class VenueError(MakersideError):
    """The venue did not do what we asked."""


class VenueRefused(VenueError):
    """The venue answered, and the answer was no."""


class VenueUnreachable(VenueError):
    """The venue did not answer at all."""


class JournalError(MakersideError):
    """A journal that cannot be read, or whose replay differs."""
