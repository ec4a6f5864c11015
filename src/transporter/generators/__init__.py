"""Text-to-video generators (the space Xi). A new one is a file here or in a package of your own."""
