"""Independent oracle of the .aoa language with generators of programs and mutants. See README.md."""
