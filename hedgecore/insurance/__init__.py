"""Life-insurance underwriting: the Prudential table, its synthetic twin, and explainable networks.

Start at ``data/table.py``: it reads a local ``train.csv``; ``data/synthetic.py`` generates a table
of the same schema.
"""
