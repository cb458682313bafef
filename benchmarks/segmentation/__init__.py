"""A small reference segmentation trainer: what any user of stylized datasets has, in its plainest form."""
