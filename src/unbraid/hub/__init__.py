"""Models as folders and by name: spec, weights, graph, catalogue, cache, downloads, importers."""
