"""How fast, and how much memory: networks, whole clips, and both against length and size."""
