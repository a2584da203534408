"""Readers of meshes: STL, glTF and OBJ, into one shape, with limits on what a file may ask for."""
