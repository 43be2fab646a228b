"""Kubernetes: manifests, and what writes the settings that they carry."""
