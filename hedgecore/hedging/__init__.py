"""Deep hedging under Heston: features, network, P&L, training, and lottery tickets.

Start at ``ticket.py``: it prepares a study and trains one ticket, without a scheduler.
"""
