"""Life-insurance underwriting: the Prudential table, its synthetic twin, and explainable networks.

Start at ``data/table.py``: it reads a user's own ``train.csv``; ``data/synthetic.py`` makes one to
the same schema for those who have none.
"""
