"""vitals-gateway: from a device's frame to an accepted record, exactly once."""

__version__ = "0.1.0"
