"""Plan of a sweep, validated and priced before Ray starts."""
