"""Why a bundle was not written or not trusted: one line, with the cure."""


class BundleError(ValueError):
    """A bundle, key or model that is refused; nothing of it may be used."""
