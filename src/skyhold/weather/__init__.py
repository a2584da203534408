"""Weather: stations, and the files of hours that simulations run on."""
