"""The roads: all input and output, no meaning. A transport makes Arrivals and acknowledges after `keep` returned."""
