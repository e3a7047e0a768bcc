"""Errors that a user can correct: one line, with the cure."""

from hedgecore.errors import HedgesweepError


class UsageError(HedgesweepError):
    """An invalid request; the command line prints it and exits with 2."""


class PreparationError(HedgesweepError):
    """A seed could not be prepared: its baseline diverged, or its data are unavailable."""


class SweepError(HedgesweepError):
    """The sweep cannot continue; recorded results are safe."""


class OtherArithmeticError(HedgesweepError):
    """A worker does not reproduce the numbers of the preparations."""


class Cut(BaseException):
    """The deadline of a sweep has passed."""


class WorkerLost(BaseException):
    """A worker cannot fetch its preparation, which is not a failure of its trial."""
