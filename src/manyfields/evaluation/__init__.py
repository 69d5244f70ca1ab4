"""How good, how large and how fast: metrics, cost accounts, results of record, and the report.

Import what you need from the modules; this file stays empty so that `manyfields --help` imports no torch.
"""
