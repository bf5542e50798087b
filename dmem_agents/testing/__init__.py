"""For tests of code around this package. Nothing of the package imports this.

`store_conformance` holds a store of your own to the contract; `tiny_model` makes a random model and tokenizer
that need no download.
"""
