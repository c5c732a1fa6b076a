"""Records: long, tidy Parquet tables. `parquet` reads and writes them; each family has its schemas and queries in a file."""
