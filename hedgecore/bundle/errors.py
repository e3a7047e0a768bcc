"""Errors of bundles: the reason why one was not written or not trusted, with the cure."""

from hedgecore.errors import HedgesweepError


class BundleError(HedgesweepError, ValueError):
    """A bundle, key or model that is refused; nothing of it may be used."""
