"""Video vision-language models (the space Omega). A new one is a file here, a line in
`transporter.pipeline.loading` and a row in a test.
"""
