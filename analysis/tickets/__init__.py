"""Tables and findings of a tickets sweep."""
