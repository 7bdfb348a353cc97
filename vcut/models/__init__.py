"""The networks: one architecture a file, the parts they share in ``parts``."""
