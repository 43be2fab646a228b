"""Vision-language models: prompts, clients, and parsing of answers."""
