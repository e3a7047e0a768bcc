"""Published study: two sweeps over seeds, their tables in docs/study, and the pages that quote them."""
