"""Instruction sets made of the corpus itself: what is said where, and what of it can be asked. No Beam here."""
