"""The auditor of instruction sets: what they claim, looked up again in the texts that they cite.

It shares no code with filters.instruct, which makes the sets: a mistake made twice would be seen by neither.
"""
