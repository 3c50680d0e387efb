"""Tables of the clearing house."""
