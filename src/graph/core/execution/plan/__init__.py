"""Plans: operations compiled once, and executed level by level instead of field by field.

A query is compiled to a tree. Each node reads or computes the values of one field for all objects
of its level at once. What a plan cannot do as graphql-core does, it leaves to graphql-core.
"""
