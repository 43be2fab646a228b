"""Vision-language models: what they are asked, how their answers are read, and where they run."""
