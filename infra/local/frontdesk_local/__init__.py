"""Frontdesk on one machine: tools, processes, the deployed stack, and a call to try it with.

Only `tools` and `console` may be imported outside the project's own environment; the rest needs its packages.
"""
