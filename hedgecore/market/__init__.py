"""Price and variance paths, payoffs, and closed forms that validate them."""
