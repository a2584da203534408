"""Readers of meshes: STL, glTF, OBJ and FBX, into one shape, with limits on what a file may ask for."""
