//! Where records go: JSON, goflow formats, CSV, Parquet
