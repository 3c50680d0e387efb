"""A small market played through the real doors: the demo, and the demo member of `make up`.

What must not live here: anything the exchange itself needs.
"""
