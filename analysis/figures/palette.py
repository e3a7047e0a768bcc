"""Colours and markers of the figures."""

# Okabe and Ito's palette, distinguishable under all common forms of colour blindness.
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, ORANGE, SKY = "#CC79A7", "#E69F00", "#56B4E9"
INK, MUTED, FAINT = "#222222", "#5F6368", "#D9DCE0"
GREY = "#A6AAAF"
"""A middle grey, for bars of models that others are compared with."""
PALE = "#8DB8D9"
"""A light blue, for lines behind others."""
LINES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
MARKERS = ("o", "s", "^", "D", "v", "P")
