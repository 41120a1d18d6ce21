"""The text job: raw pages to documents, in the phases stage, decide, verify, write, commit."""
