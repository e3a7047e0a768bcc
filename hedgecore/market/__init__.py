"""Price and variance paths, payoffs and the closed forms they are checked against."""
