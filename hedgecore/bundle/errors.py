"""Errors of bundles: why a bundle was not written or not trusted, with the cure."""

from hedgecore.errors import HedgesweepError


class BundleError(HedgesweepError, ValueError):
    """Rejected bundle, key or model; no part of it may be used."""
