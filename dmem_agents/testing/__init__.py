"""For tests of code around this package: the suite every store has to pass, and a tiny offline model.

`store_conformance` holds a store of your own to the contract; `tiny_model` makes a random model and tokenizer.
Nothing of the package imports this.
"""
