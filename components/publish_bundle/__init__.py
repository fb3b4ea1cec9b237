"""The step that seals a draft with its verdict and puts it into the model store."""
