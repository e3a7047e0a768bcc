"""Published study: two sweeps over seeds, and the pages that quote their tables."""
