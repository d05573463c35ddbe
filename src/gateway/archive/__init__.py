"""Archive: old months as files in a folder or in a bucket."""
