"""The tokenizer's jobs: which texts are counted, the table of counts, the model, what the model does to the texts."""
