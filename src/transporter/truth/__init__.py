"""Is an explanation of a VLM true? Its videos against what the VLM is known to answer by, and
against the VLM itself.
"""
