"""Providers: each sends one request once. No other package imports aiohttp."""
