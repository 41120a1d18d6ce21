"""Questions that cannot be answered as asked, each beside one that can. One file a kind of reason."""
