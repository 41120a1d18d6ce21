"""The code job: repositories, archives and rows of source code to documents, in the phases stage to pack."""
