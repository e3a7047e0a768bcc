"""Root of the errors of hedgecore, search_spaces and sweeps."""


class HedgesweepError(Exception):
    """Root of all errors that a user can put right; a message is one line with the cure.

    Indented under its parent, each with the built-in error that it also is::

        HedgesweepError
            BundleError (ValueError)           a bundle, key or model that is refused
            ConditionError (ValueError)        a condition of an axis that cannot hold
            ConfigError (ValueError)           a value that a configuration cannot hold
            DivergedError (ArithmeticError)    a training that reached a value that is not finite
            FieldError (ValueError)            a mistake in a space whose place is not known yet
            OtherArithmeticError               a worker that computes other numbers
            PreparationError                   a seed that could not be prepared
            SpaceError (ValueError)            a mistake in a space file or an override
            SweepError                         a sweep that cannot go on
            UsageError                         a request that cannot be carried out
                LogError                       a log that cannot be trusted
            WriteError                         a storage that takes no more
    """
