"""Mode b: what a model behind an endpoint writes of a passage, and the checks that it must pass. No network here."""
