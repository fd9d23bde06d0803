//! Compiles the BPF programs, one object a source, and tells the crate whether it could (`weir_bpf`).
//!
//! Only clang is needed: no headers of the system, no libbpf, no running kernel. Where clang is
//! missing or too old the build goes on without these tiers and says so.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Name of the object, and its source.
const OBJECTS: &[(&str, &str)] = &[
    ("ebpf_sockets", "src/source/ebpf_sockets/sockets.bpf.c"),
    ("ebpf_tcx", "src/source/ebpf_tcx/tcx.bpf.c"),
    ("ebpf_drops", "src/source/ebpf_drops/drops.bpf.c"),
];

/// Warnings but for those that the ABI's structs and maps cannot avoid. They are no errors: a later clang
/// may have others, and that is no reason to go without.
const FLAGS: &[&str] = &[
    "-g",
    "-O2",
    "-target",
    "bpf",
    "-mcpu=v3",
    "-Wall",
    "-Wextra",
    "-Wno-unused-function",
    "-Wno-unused-variable",
    "-Wno-unused-parameter",
    "-Wno-missing-declarations",
];

fn main() {
    println!("cargo:rustc-check-cfg=cfg(weir_bpf)");
    println!("cargo:rerun-if-env-changed=CLANG");
    println!("cargo:rerun-if-changed=src/bpf");
    for (_, source) in OBJECTS {
        for beside in beside(Path::new(source)) {
            println!("cargo:rerun-if-changed={}", beside.display());
        }
    }
    if env::var_os("CARGO_FEATURE_EBPF").is_none()
        || env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux")
    {
        return;
    }
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".to_owned());
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    for (name, source) in OBJECTS {
        if let Err(why) = compile(&clang, Path::new(source), &out.join(format!("{name}.o"))) {
            println!(
                "cargo:warning=built without eBPF: {why}; install clang 14 or newer, or set CLANG"
            );
            return;
        }
    }
    println!("cargo:rustc-cfg=weir_bpf");
}

/// The C of a source and the headers in its folder.
fn beside(source: &Path) -> Vec<PathBuf> {
    let entries = source.parent().and_then(|folder| fs::read_dir(folder).ok());
    let paths = entries.into_iter().flatten().flatten().map(|entry| entry.path());
    let is_c = |path: &PathBuf| path.extension().is_some_and(|end| end == "c" || end == "h");
    paths.filter(is_c).collect()
}

fn compile(clang: &str, source: &Path, object: &Path) -> Result<(), String> {
    let target = env::var("CARGO_CFG_TARGET_ENDIAN");
    // Little-endian and big-endian kernels have different objects.
    let endian = if target.as_deref() == Ok("big") { "bpfeb" } else { "bpfel" };
    let flags = FLAGS.iter().map(|flag| if *flag == "bpf" { endian } else { flag });
    let mut command = Command::new(clang);
    command.args(flags).arg("-Isrc/bpf").arg("-c").arg(source).arg("-o").arg(object);
    let output = command.output().map_err(|error| format!("{clang} cannot be run ({error})"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!(
            "{clang} refused {}: {}",
            source.display(),
            text.lines().next().unwrap_or("")
        ));
    }
    // Debug information of C is of no use at run time; types (BTF) stay. Without the tool it stays too.
    let _unstripped = Command::new("llvm-strip").arg("-g").arg(object).status();
    fs::metadata(object).map(drop).map_err(|error| format!("{}: {error}", object.display()))
}
