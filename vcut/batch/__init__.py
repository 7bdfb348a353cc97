"""Many clips: find them and their masks, cut them in several processes, keep a record of what is done."""
