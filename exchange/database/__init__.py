"""Django's backend for PostgreSQL, asked for health without a round trip."""
