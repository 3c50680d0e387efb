"""Tables of listed instruments."""
