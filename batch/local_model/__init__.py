"""The embedded endpoint: a loopback server with a real small model behind both dialects.

The model runs in a process of its own (``child``), which ``parent.started`` starts and ends: llama.cpp cannot
be stopped inside a process that continues. The child speaks the AutonomousAI protocol and OpenAI's chat
completions (``server_dialects``, ``server``) and has one of two engines: ``llama``, a language model of 135
million parameters whose weights are downloaded once (``weights``), and ``extractive``, simple arithmetic that
needs no weights. One never replaces the other.

Import what you need from the modules: this package imports none of them, so that naming an engine
(``engine_identity``) or finding the cache (``weights``) loads neither the web server nor llama.cpp.
"""
