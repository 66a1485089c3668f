"""Parts of a run's screen, one behind each tab; made when first looked at."""
