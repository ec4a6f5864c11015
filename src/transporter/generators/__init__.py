"""Text-to-video generators (the space Xi). A new one is a file here, a line in `transporter.models`
and a row in a test.
"""
