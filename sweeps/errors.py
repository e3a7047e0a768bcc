"""Errors that a user can put right: one line, with the cure."""

from hedgecore.errors import HedgesweepError


class UsageError(HedgesweepError):
    """A request that cannot be carried out; the command line prints it and exits with 2."""


class PreparationError(HedgesweepError):
    """A seed could not be prepared: its baseline diverged, or its data cannot be had."""


class SweepError(HedgesweepError):
    """The sweep cannot go on; what was recorded is safe."""


class OtherArithmeticError(HedgesweepError):
    """A worker computes other numbers than those that the sweep began with."""


class Cut(BaseException):
    """The deadline of a sweep has come."""


class WorkerLost(BaseException):
    """A worker cannot get at what it needs: no failure of the trial that it was given."""
