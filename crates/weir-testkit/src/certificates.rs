//! Certificates for tests, made by the `openssl` program with the commands of `docs/tls.md`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A certificate authority in a folder of the test.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    name: String,
}

/// A certificate and its key.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// The key, PEM.
    pub key: PathBuf,
}

impl Authority {
    /// Makes one. `None` where there is no `openssl`: the test says that it is skipped.
    ///
    /// # Panics
    /// When `openssl` is there and fails.
    pub fn new(folder: &Path, name: &str) -> Option<Authority> {
        Command::new("openssl").arg("version").output().ok()?;
        let authority = Authority { folder: folder.to_owned(), name: name.to_owned() };
        let Pair { certificate, key } = authority.files(name);
        let subject = format!("/CN={name}");
        let new_key = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        let rest = ["-nodes", "-days", "3650", "-subj", &subject, "-keyout", text(&key)];
        openssl(&[&new_key[..], &rest, &["-out", text(&certificate)]].concat());
        Some(authority)
    }

    /// Its own certificate.
    pub fn certificate(&self) -> PathBuf {
        self.files(&self.name).certificate
    }

    /// Makes a certificate for `name`, which is also a name that a server can have, and valid for
    /// `days`. Made again, it has another key.
    ///
    /// # Panics
    /// When `openssl` fails.
    pub fn sign(&self, name: &str, days: u32) -> Pair {
        let (pair, ca) = (self.files(name), self.files(&self.name));
        let (request, extensions) =
            (pair.key.with_extension("csr"), pair.key.with_extension("ext"));
        let subject = format!("/CN={name}");
        let new_key = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        let rest = ["-nodes", "-subj", &subject, "-keyout", text(&pair.key)];
        openssl(&[&new_key[..], &rest, &["-out", text(&request)]].concat());
        let names = format!(
            "subjectAltName=DNS:{name},DNS:localhost,IP:127.0.0.1\n\
             extendedKeyUsage=serverAuth,clientAuth\n"
        );
        std::fs::write(&extensions, names).expect("the folder of the test takes files");
        let days = days.to_string();
        let sign = ["x509", "-req", "-in", text(&request), "-CAcreateserial", "-days", &days];
        let by = ["-CA", text(&ca.certificate), "-CAkey", text(&ca.key)];
        let out = ["-extfile", text(&extensions), "-out", text(&pair.certificate)];
        openssl(&[&sign[..], &by, &out].concat());
        pair
    }

    fn files(&self, name: &str) -> Pair {
        let file = |end: &str| self.folder.join(format!("{name}.{end}"));
        Pair { certificate: file("crt"), key: file("key") }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("paths of tests are UTF-8")
}

fn openssl(args: &[&str]) {
    let output = Command::new("openssl").args(args).output().expect("openssl was there before");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {args:?}: {error}");
}
