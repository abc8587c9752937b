"""Progress reports of a run: a bar on a terminal, dated lines elsewhere.

Both write to the text stream that they are given, and do not decide about terminals or colors.
"""
