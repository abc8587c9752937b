"""llama.cpp's own server with the default weights and no part for pictures: ``python -m
tests.support.llama_peer``.

It prints its address and serves until its standard input ends. It answers each picture with a 500, and each
text well.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import xllamacpp

from batch.local_model.weights import cache_dir, ensure_weights


def main() -> None:
    """Load the weights, serve, and wait for the end of standard input."""
    cache = cache_dir(os.environ, Path.home(), sys.platform)
    params = xllamacpp.CommonParams()
    params.model.path = str(ensure_weights(cache, lambda done, total: None))
    params.n_ctx = 1024
    params.n_parallel = 2
    params.verbosity = -1
    params.cpuparams.n_threads = 1  # threads that wait for each other get nowhere on a busy machine
    params.cpuparams_batch.n_threads = 1
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.cors_origins = ""
    params.ui = False
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()
    os._exit(0)  # the server's threads do not end


if __name__ == "__main__":
    main()
