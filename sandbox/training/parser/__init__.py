"""Training of the sandbox's human parser, which labels each pixel of a look."""
