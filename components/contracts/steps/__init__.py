"""How the steps of the pipelines are declared: their names, order, results and facts."""
