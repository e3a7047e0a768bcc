"""Errors of bundles: the reason why one was not written or not trusted, with the cure."""


class BundleError(ValueError):
    """A bundle, key or model that is refused; nothing of it may be used."""
