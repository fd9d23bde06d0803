use std::path::{Path, PathBuf};

use weir_model::SystemClock;
use weir_testkit::certificates::{Authority, Pair};
use weir_testkit::{FakeClock, skip_aloud};

use super::*;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("weir-doctor-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn policy(pair: &Pair, client_ca: Option<&Path>) -> TlsPolicy {
    let client_ca = client_ca.map(Path::to_owned);
    TlsPolicy { certificate: pair.certificate.clone(), key: pair.key.clone(), client_ca }
}

/// What is found so many days from now.
fn after(days: u64, policy: &TlsPolicy) -> Vec<Finding> {
    let now = SystemClock.now().plus(Duration::from_secs(days * DAY_SECONDS + 3_600));
    let clock: Arc<dyn Clock> = Arc::new(FakeClock::at(now));
    certificates(Some(policy), &clock)
}

#[test]
fn the_end_of_a_certificate_is_told_in_days_and_in_time() {
    let folder = Folder::new("ends");
    let Some(ca) = Authority::new(&folder.0, "ca") else {
        return skip_aloud("certificates' end", "there is no openssl program");
    };
    let pair = ca.sign("collector", 30);
    let (ca_file, own_file) = (ca.certificate(), pair.certificate.display().to_string());
    let policy = policy(&pair, Some(&ca_file));
    let told = |days| {
        let findings = after(days, &policy);
        let subjects: Vec<&str> = findings.iter().map(|found| found.subject.as_str()).collect();
        assert_eq!(subjects, ["certificate", "client CA"]);
        assert_eq!(findings[1].grade, Grade::Good);
        let left = format!("{} can be used for {} days", ca_file.display(), 3649 - days);
        assert!(findings[1].found.starts_with(&left), "{findings:?}");
        (findings[0].grade, findings[0].found.clone())
    };
    for (days, grade, text) in [
        (1, Grade::Good, "can be used for 28 days, until 20"),
        (15, Grade::Good, "can be used for 14 days, until 20"),
        (16, Grade::Warning, "can be used for 13 days, until 20"),
        (32, Grade::Fault, "ended 2 days ago: nobody can connect with TLS"),
    ] {
        let (found, told) = told(days);
        assert_eq!(found, grade, "{told}");
        assert!(told.starts_with(&format!("{own_file} {text}")), "{told}");
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    assert_eq!(certificates(None, &clock), []);
}

#[test]
fn each_file_that_cannot_be_used_has_a_line_with_its_name() {
    let folder = Folder::new("faults");
    let Some(ca) = Authority::new(&folder.0, "ca") else {
        return skip_aloud("certificates' faults", "there is no openssl program");
    };
    let (pair, other) = (ca.sign("collector", 30), ca.sign("other", 30));
    let mixed = Pair { key: other.key.clone(), ..pair.clone() };
    let nowhere = folder.0.join("nowhere.pem");
    let absent = Pair { key: nowhere.clone(), ..pair.clone() };
    let (key, nowhere_text) = (other.key.display(), nowhere.display());
    for (policy, faults) in [
        (policy(&mixed, None), [Some(format!("cannot be used with the key {key}: ")), None]),
        (policy(&absent, None), [Some(format!("cannot read ingest.tls_key {nowhere_text}")), None]),
        (
            policy(&mixed, Some(&nowhere)),
            [
                Some(format!("cannot be used with the key {key}: ")),
                Some(format!("cannot read ingest.tls_client_ca {nowhere_text}")),
            ],
        ),
        (
            // A key where the certificate of the CA should be.
            policy(&pair, Some(&other.key)),
            [None, Some(format!("ingest.tls_client_ca {key}: it holds no certificate"))],
        ),
    ] {
        let findings = after(0, &policy);
        assert_eq!(findings.len(), 1 + usize::from(policy.client_ca.is_some()));
        for (finding, fault) in findings.iter().zip(faults) {
            let grade = if fault.is_some() { Grade::Fault } else { Grade::Good };
            assert_eq!(finding.grade, grade, "{finding:?}");
            assert!(finding.found.contains(&fault.unwrap_or_default()), "{finding:?}");
        }
    }
}
