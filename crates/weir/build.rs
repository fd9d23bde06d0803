//! Writes the table of the console's files: what `npm run build` left in `ui/dist`, or in the folder
//! that `WEIR_UI_DIST` names. Without it the table is empty and the build needs no Node.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-env-changed=WEIR_UI_DIST");
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let named = env::var_os("WEIR_UI_DIST").map(PathBuf::from);
    let dist = named.clone().unwrap_or_else(|| here.join("../../ui/dist"));
    // Why: Cargo runs this again at every build while a path to watch is missing, and would build
    // the binary again each time. An empty folder can be watched; git and Vite do not mind it.
    if named.is_none() && !dist.exists() && here.join("../../ui").is_dir() {
        let _read_only_sources = fs::create_dir(&dist);
    }
    if named.is_some() || dist.exists() {
        println!("cargo:rerun-if-changed={}", dist.display());
    }
    let mut files = Vec::new();
    if dist.join("index.html").is_file() {
        collect(&fs::canonicalize(&dist)?, &mut files)?;
    } else if named.is_some() {
        println!("cargo:warning=WEIR_UI_DIST={} has no index.html: no console", dist.display());
    }
    files.sort();
    let root = fs::canonicalize(&dist).unwrap_or_default();
    let mut table = String::from("&[\n");
    for file in files.iter().filter(|file| !is_twin(file)) {
        row(&mut table, &root, file)?;
    }
    table.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("console.rs"), table)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // What begins with a dot is the build's own, such as its stamp.
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// `name` with another extension after its own.
fn with(file: &Path, extension: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(extension);
    PathBuf::from(name)
}

/// True for `x.br` and `x.gz` where `x` is there too.
fn is_twin(file: &Path) -> bool {
    let twins = ["br", "gz"];
    file.extension().is_some_and(|extension| twins.iter().any(|twin| extension == *twin))
        && file.with_extension("").is_file()
}

fn row(table: &mut String, root: &Path, file: &Path) -> io::Result<()> {
    let path = file.strip_prefix(root).map_err(io::Error::other)?;
    let path = path.to_str().ok_or_else(|| io::Error::other("a file name is not UTF-8"))?;
    // The tag tells two builds apart; nobody gains from making two files with one tag.
    let mut hasher = DefaultHasher::new();
    fs::read(file)?.hash(&mut hasher);
    let include = |file: &Path| format!("include_bytes!({:?})", file.display().to_string());
    let twin = |extension| {
        let twin = with(file, extension);
        if twin.is_file() { format!("Some({})", include(&twin)) } else { "None".to_owned() }
    };
    writeln!(
        table,
        "    Asset {{ path: \"/{}\", tag: \"{:016x}\", plain: {}, gzip: {}, brotli: {} }},",
        path.escape_default(),
        hasher.finish(),
        include(file),
        twin(".gz"),
        twin(".br")
    )
    .map_err(io::Error::other)
}
