"""Stage 1: the coupling network Phi, from the generator's latents (Xi) to the VLM's tokens
(Omega).
"""
