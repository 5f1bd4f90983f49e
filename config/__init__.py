"""Reads the TOML configuration into the options of each part. Only `gateway.wiring` and the commands see it."""
