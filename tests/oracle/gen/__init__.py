"""Random programs with their checkpoints: worlds of dimensions, types made from pieces, sides, cases."""
