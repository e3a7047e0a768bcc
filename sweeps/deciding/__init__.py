"""Who trains and who stops: a rule, an engine over records, searches, and virtual time."""
