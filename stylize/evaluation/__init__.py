"""Measures of what the tools make: reconstructions, stylized pictures, and the segmentations they are for."""
