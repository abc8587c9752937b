"""Sending one request, once: the aiohttp client lives here and nowhere else."""
