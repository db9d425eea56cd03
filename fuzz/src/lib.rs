//! The fuzz targets live in `fuzz_targets/`.
