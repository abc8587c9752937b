"""Executors: attempts of a run that other processes execute. All decisions stay with the driver."""
