"""What every type needs: context, loaders, nodes, connections, errors, scalars, permission."""
