"""The microworld: rendered clips whose every attribute is known, and small models trained on them.

It stands beside the library as the first world that plugs into it (`microworld.world`): it imports
`transporter`, never the reverse.
"""
