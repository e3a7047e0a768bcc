"""Insurance data: the Prudential table, its synthetic twin, encodings and splits."""
