"""Root of the errors of analysis."""


class AnalysisError(Exception):
    """Root of all errors of ``analysis``; a message is one line with the cure.

    Indented under its parent, each with the built-in error that it also is::

        AnalysisError
            ColumnError (ValueError)      a column that is unknown or absent
            NothingToDraw (ValueError)    a figure without data
            StorageError                  a storage that cannot be read, a report not written
            TableError (ValueError)       bytes that are no table
            UnreadError                   a file of tensors that cannot be read
    """
