"""Plan of a sweep, worked out, checked and priced before Ray starts."""
