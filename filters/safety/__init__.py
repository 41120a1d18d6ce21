"""What a text or its address is judged unsafe by: lists of URLs, lists of words, scorers. All measure; rules decide."""
