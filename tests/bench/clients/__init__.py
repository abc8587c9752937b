"""The clients, each a program of its own: ``drive`` does what they share.

A peer is written as its users would write it, with a session of its own where it has none by itself. The
modules of peers run in the environment that the suite makes for them, so they import nothing of ``batch``.
"""
