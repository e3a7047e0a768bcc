"""Storage of a sweep: the log, the state folded from it, and the files derived from both."""
