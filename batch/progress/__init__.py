"""How a run tells a person what it does: a bar on a terminal, dated lines elsewhere.

Both write to the text stream that they are given, and decide nothing about terminals or colours.
"""
