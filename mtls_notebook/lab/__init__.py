"""Somewhere live to connect to: a CA, origins on loopback, certificates good and bad. Start at `lab.lab`."""
