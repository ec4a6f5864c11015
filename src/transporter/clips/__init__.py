"""Videos, the words in their captions, and their embeddings."""
