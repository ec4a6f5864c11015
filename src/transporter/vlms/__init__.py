"""Video vision-language models (the space Omega). A new one is a file here or in a package of your
own.
"""
