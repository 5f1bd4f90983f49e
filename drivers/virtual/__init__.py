"""Virtual devices that speak real frames over real transports: for the demo and the tests, never for a patient."""
