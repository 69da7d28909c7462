"""Ways to reach a model: one file each, behind `Provider`.

A provider turns a `Request` into a `Reply` or raises `ProviderError`; it knows wire formats and nothing of suites,
cases or scores.
"""
