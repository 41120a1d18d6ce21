"""Personal data in text: one class of data a file, `find` and `mask` over all of them."""
