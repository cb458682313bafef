"""The networks: StyleGAN2 generator, masked noise encoder, and the files that hold them."""
