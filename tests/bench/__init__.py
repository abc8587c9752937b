"""The benchmark suite: this client and its peers against the same servers. See ``docs/performance.md``.

::

    python -m tests.bench            # everything, with the peers in an environment of their own
    python -m tests.bench --quick    # a look, in a few minutes
"""
