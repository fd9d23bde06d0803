//! Writes the payloads of all captures that ship with the project, one file each: seeds for the
//! fuzz targets `datagram` and, after four octets are cut off, `sflow`.
//!
//! `cargo run -p weir-testkit --example seeds -- FOLDER`

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = PathBuf::from(env::args_os().nth(1).unwrap_or_else(|| "seeds".into()));
    fs::create_dir_all(&folder)?;
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../weir-wire/tests/fixtures");
    write(&fixtures, &folder)
}

fn write(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if path.is_dir() {
            write(&path, to)?;
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let payloads = weir_testkit::payloads(&fs::read(&path)?).unwrap_or_default();
        for (i, payload) in payloads.iter().enumerate() {
            fs::write(to.join(format!("{name}-{i}")), &payload.octets)?;
        }
    }
    Ok(())
}
