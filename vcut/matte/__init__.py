"""From the network's soft map to a matte: alpha and foreground colours at the source's size."""
