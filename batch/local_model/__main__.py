"""``python -m batch.local_model``: the child process of the embedded endpoint."""

from __future__ import annotations

import os

from batch.local_model.child import main

# Not sys.exit, which would wait for llama.cpp's threads.
os._exit(main())
