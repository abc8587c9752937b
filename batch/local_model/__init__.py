"""The embedded endpoint: a loopback server with a real small model behind both dialects.

The model runs in a process of its own (``child``), started and ended by ``parent.started``: llama.cpp
cannot be stopped inside a process that is to live on. The child speaks the AutonomousAI protocol and
OpenAI's chat completions (``dialects``, ``server``) and has one of two engines behind them: ``llama``, a
language model of 135 million parameters whose weights are fetched once (``weights``), and
``extractive``, a few lines of arithmetic that need no weights at all. One never stands in for the other.

Import what you need from the modules: this package imports none of them, so that naming an engine
(``identity``) or finding the cache (``weights``) loads neither the web server nor llama.cpp.
"""
