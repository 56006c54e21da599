"""What `make bench` measures: a module for each kind of measurement, on the floor of server, side and rate.

A work is a function of the options that returns an Outcome: figures, which may have a target, and tables.
"""
