"""Benchmarks: ratios against stock tools, run by ``make bench`` and never by the tests."""
