"""Quality by example: a fastText classifier of the user's positive and negative documents (as in DCLM)."""
