"""On ``PYTHONPATH``, this makes aiohttp look like one whose private names have moved."""

import aiohttp.client_proto

del aiohttp.client_proto.ResponseHandler  # aiohttp's own modules have it already
