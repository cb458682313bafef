"""Labelled datasets of street scenes, in the layouts they are published in."""
