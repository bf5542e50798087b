"""Training an adapter: recipes, episodes as tensors, objectives, and the Hugging Face `Trainer` around them."""
