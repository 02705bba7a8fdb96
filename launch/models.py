"""What staff add to the mirror at their clinic."""
