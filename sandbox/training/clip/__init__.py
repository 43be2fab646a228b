"""A tiny CLIP of the sandbox world: its data, training, evaluation and export."""
