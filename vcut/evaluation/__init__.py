"""Judge a tracker: DAVIS measures over annotated data sets."""
