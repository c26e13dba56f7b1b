"""Model folders and names: spec, weights, graphs, catalogue, cache, downloads and importers."""
