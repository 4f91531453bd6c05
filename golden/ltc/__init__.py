"""Recurrent spiking networks with liquid time constants."""
