"""The concept bank Q: one vector per contrast pair in the generator's condition space, weighted by
the VLM.
"""
