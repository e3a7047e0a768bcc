"""Root of the errors of hedgecore, search_spaces and sweeps."""


class HedgesweepError(Exception):
    """Root of all errors that a user can correct; a message is one line with the cure.

    Each is indented under its parent and followed by its built-in base class::

        HedgesweepError
            BundleError (ValueError)           a rejected bundle, key or model
            ConditionError (ValueError)        a condition of an axis that cannot be met
            ConfigError (ValueError)           an invalid value in a configuration
            DisclosureError (ValueError)       a model that would reveal single training rows
            DivergedError (ArithmeticError)    a model whose training ran away
            FieldError (ValueError)            a mistake in a space, without its place
            OtherArithmeticError               a worker whose results would differ
            PreparationError                   a seed that could not be prepared
            ServerError                        an answer of a cluster's head that it failed
            SpaceError (ValueError)            a mistake in a space file or an override
            StoreError                         an object store that refused or did not answer
            SweepError                         a sweep that cannot continue
            TakenOverError                     a log that another driver has sealed
            UnreachableError                   a cluster's head that did not answer
            UsageError                         a request that cannot be carried out
                LogError                       a log that cannot be trusted
                TunnelError                    a head that SSH does not reach
            WriteError                         a failed write to storage
    """
