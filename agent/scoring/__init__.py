"""Offline scoring: recorded steps against reference steps, without an environment.

`steps` reads and writes the lines, `aitz` and `calls` hold the two rules, `card` adds up.
"""
