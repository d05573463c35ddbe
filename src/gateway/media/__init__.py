"""Media: the files of attachments, in a folder or in a bucket."""
