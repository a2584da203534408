"""How contenders are run, measured and reported; knows no contender and no table."""
