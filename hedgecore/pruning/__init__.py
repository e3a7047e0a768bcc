"""Which weights of a network are kept: masks, criteria, allocations, and lottery tickets."""
