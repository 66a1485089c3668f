"""Measurements. Each script runs by itself: `python -m benchmarks.bench_catalogue`."""
