"""Base class of the errors of analysis."""


class AnalysisError(Exception):
    """Base class of all errors of ``analysis``; a message is one line with the cure.

    Subclasses, with the built-in error that each also derives from::

        AnalysisError
            AnswersError (ValueError)     texts of humans for a record that cannot be used
            ColumnError (ValueError)      a column that is unknown or absent
            NothingToDraw (ValueError)    a figure without data
            ObjectStoreError              an object store that cannot be read
            ProfileError (ValueError)     a profile that is not of a trial of the sweep
            StorageError                  a storage that cannot be read, a report not written
            TableError (ValueError)       bytes that are not a table
            TrialError                    no trial, or several, with such an id
            UnreadError                   a file of tensors that cannot be read
    """
