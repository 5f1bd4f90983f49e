"""One file per device family: pure, found by `drivers.registry`, tested by the vectors file of the same name."""
