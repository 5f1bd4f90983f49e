"""The buffer."""
