"""Where and when a generator puts a word: GramCol and IMAP (Jun et al., CVPR 2026, arXiv
2603.02919), read from its attention.
"""
